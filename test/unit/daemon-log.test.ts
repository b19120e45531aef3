import { Writable } from 'node:stream';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LOG_LEVELS, type LogFormat, type LogLevel, openLog } from '../../src/daemon/log.ts';
import { LogQueue } from '../../src/daemon/logQueue.ts';
import type { DaemonEvent } from '../../src/daemon/tell.ts';
import { ManualClock } from '../../src/testing/index.ts';

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
  const tell = openLog(format, level, { write: (line) => lines.push(line) > 0 });
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

test('lines that find no room are counted, and told of before the next that does', () => {
  const lines: string[] = [];
  let room = 1;
  const tell = openLog('text', 'info', { write: (line) => room-- > 0 && lines.push(line) > 0 });
  for (let i = 0; i < 4; i++) tell(sweep(1));
  assert.is(lines.length, 1);
  room = 1;
  tell(sweep(1));
  assert.match(
    lines[1]!,
    /warn {2}log: .*lines are lost: 3: read it faster, or say less with --log-level\n$/,
  );
  room = 3;
  tell(sweep(1));
  tell(sweep(1));
  assert.equal(
    lines.slice(2).map((line) => line.includes('lines are lost: 1:')),
    [true, false, false],
  );
});

/** Takes writes at once, or when it is told to. */
class Reader extends Writable {
  readonly writes: string[] = [];
  isSlow = false;
  #done: (() => void) | undefined;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push(chunk.toString());
    if (this.isSlow) this.#done = done;
    else done();
  }

  async read(): Promise<void> {
    this.#done?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A queue whose reader has not taken the first line yet. */
function slowReader() {
  const clock = new ManualClock();
  const reader = new Reader({ highWaterMark: 1 });
  reader.isSlow = true;
  const queue = new LogQueue(reader, clock.nextTurn.bind(clock));
  queue.write('first\n');
  clock.turn();
  return { clock, reader, queue };
}

test('the lines of one turn are one write', () => {
  const clock = new ManualClock();
  const reader = new Reader();
  const queue = new LogQueue(reader, clock.nextTurn.bind(clock));
  for (const line of ['a\n', 'b\n']) assert.ok(queue.write(line));
  assert.equal(reader.writes, []);
  clock.turn();
  queue.write('c\n');
  clock.turn();
  clock.turn();
  assert.equal(reader.writes, ['a\nb\n', 'c\n']);
});

test('a slow reader is waited for, in bounded memory, and gets what found room', async () => {
  const { clock, reader, queue } = slowReader();
  const line = `${'x'.repeat(999)}\n`;
  let taken = 0;
  while (queue.write(line)) {
    taken++;
    clock.turn();
  }
  assert.is(taken, 1048);
  assert.is(reader.writableLength, 6, 'the stream itself holds no more than it was given first');
  assert.is(reader.listenerCount('drain'), 1);
  await reader.read();
  assert.equal(reader.writes, ['first\n', line.repeat(taken)]);
  assert.ok(queue.write(line));
});

test('at the end everything goes out, at whatever pace it is read', async () => {
  const { clock, reader, queue } = slowReader();
  queue.write('last\n');
  queue.flush();
  await reader.read();
  assert.equal(reader.writes, ['first\n', 'last\n']);
  await reader.read();
  clock.turn();
  assert.is(reader.writes.length, 2);
});

test('what found no room is told of at the end, when room is made for that', async () => {
  const { reader, queue } = slowReader();
  const tell = openLog('text', 'info', queue);
  let lines = 0;
  const filling = 'x'.repeat(1 << 16);
  while (queue.write(filling)) lines++;
  for (let i = 0; i < 2; i++) tell({ event: 'reload', ok: false, problems: [filling] });
  queue.flush();
  tell({ event: 'reload', ok: true });
  queue.flush();
  for (let i = 0; i < 3; i++) await reader.read();
  assert.is(reader.writes[1], filling.repeat(lines));
  assert.match(reader.writes[2]!, /^.*lines are lost: 2:.*\n.*reload.*\n$/);
});

test.run();
