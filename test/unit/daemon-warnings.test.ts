/** A warning is said once, then counted. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DaemonEvent } from '../../src/daemon/tell.ts';
import { Warnings } from '../../src/daemon/warnings.ts';

function bench() {
  const told: DaemonEvent[] = [];
  const time = { now: 0 };
  const warnings = new Warnings(
    (event) => told.push(event),
    () => time.now,
  );
  return { told, time, warnings };
}

test('a repeat is counted, and said with its count after ten minutes', () => {
  const { told, time, warnings } = bench();
  for (time.now of [0, 1, 599_999]) warnings.warn('what', 'why', 'todo');
  assert.equal(told, [{ event: 'warning', what: 'what', why: 'why', todo: 'todo' }]);
  time.now = 600_000;
  warnings.warn('what', 'why', 'todo');
  assert.equal(told.slice(1), [{ event: 'warning', what: 'what', why: 'why', todo: 'todo', times: 3 }]);
});

test('another why is another warning; what is mended is said again at once, and nothing else', () => {
  const { told, warnings } = bench();
  warnings.warn('set', 'one', '');
  warnings.warn('set', 'two', '');
  warnings.warn('set 2', 'one', '');
  warnings.mended('set');
  for (const what of ['set', 'set 2']) warnings.warn(what, 'one', '');
  assert.equal(
    told.map((event) => event.event === 'warning' && `${event.what}: ${event.why}`),
    ['set: one', 'set: two', 'set 2: one', 'set: one'],
  );
});

test.run();
