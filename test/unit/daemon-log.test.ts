import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LOG_LEVELS, type LogFormat, type LogLevel, openLog } from '../../src/daemon/log.ts';
import type { DaemonEvent } from '../../src/daemon/tell.ts';

const sweep = (misplaced: number): DaemonEvent => ({
  event: 'sweep',
  cause: 'periodic',
  flows: 10,
  misplaced,
  ms: 3,
});
const events: readonly DaemonEvent[] = [
  sweep(0),
  sweep(1),
  { event: 'warning', what: 'rule "a"', why: 'a line\nof two', todo: 'nothing' },
  { event: 'reload', ok: false, problems: ['no such file'] },
];

function written(format: LogFormat, level: LogLevel): string[] {
  const lines: string[] = [];
  const tell = openLog(format, level, { write: (line) => lines.push(line) });
  for (const event of events) tell(event);
  return lines;
}

test('JSON: the event with its level and time, one object a line', () => {
  const lines = written('json', 'debug');
  assert.is(lines.length, events.length);
  lines.forEach((line, i) => {
    assert.match(line, /^[^\n]+\n$/);
    const { level, time, ...event } = JSON.parse(line) as DaemonEvent & { level: string; time: string };
    assert.is(level, LOG_LEVELS[i]);
    assert.is(new Date(time).toISOString(), time);
    assert.equal(event, events[i]);
  });
});

test('text: time, level and a sentence', () => {
  for (const line of written('text', 'debug')) {
    assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z (?:debug|info |warn |error) \S/);
  }
});

test('what is less than the level is not said', () => {
  LOG_LEVELS.forEach((level, i) => {
    assert.is(written('text', level).length, LOG_LEVELS.length - i, level);
  });
});

test.run();
