import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isAbandoned, newLabId, startTime } from '../../src/lab/names.ts';

test('every name is new, and is that of this process', () => {
  const names = [newLabId(), newLabId()];
  assert.is.not(names[0], names[1]);
  for (const name of names) {
    assert.match(name, new RegExp(`^rslab-${process.pid}-\\d+-\\d+$`));
    assert.not.ok(isAbandoned(`${name}-router`));
  }
});

test('a process has a start time, no process has none', () => {
  assert.match(startTime(process.pid)!, /^\d+$/);
  assert.is(startTime(2 ** 30), undefined);
});

const running = (pid: number) => ({ 10: '500', 11: '600' })[pid];
const cases: [name: string, abandoned: boolean, why: string][] = [
  ['rslab-10-500-1-router', false, 'its process runs'],
  ['rslab-12-500-1-router', true, 'its process is gone'],
  ['rslab-11-500-1-router', true, 'the pid belongs to a later process'],
  ['rs-12-test', false, 'another program made it'],
  ['my-rslab-12-500-1-router', false, 'another program made it'],
  ['rslab-12-500-1', false, 'it is no role of a laboratory'],
];

test('what is abandoned is told from what is not ours', () => {
  for (const [name, abandoned, why] of cases) {
    assert.is(isAbandoned(name, running), abandoned, `${name}: ${why}`);
  }
});

test.run();
