/** What stands between a misplaced flow and its reset. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ResetGuard } from '../../src/daemon/guard.ts';

const limits = { resetsPerSecond: 2, resetsPerClientPerSecond: 1, pendingFlows: 1, cooldownMs: 1000 };
const GO = { go: true };

test('asks pause, breaker, rest and budgets in this order, and takes from a budget for what goes alone', () => {
  const guard = new ResetGuard(limits, 0);
  assert.equal(guard.ask('a', 'client', 0), GO);
  assert.equal(guard.ask('b', 'client', 0), { go: false, reason: 'client-budget' });
  guard.returned('c', 0);
  assert.equal(guard.ask('c', 'other', 0), { go: false, reason: 'cooldown', forMs: 1000 });
  assert.equal(guard.ask('d', 'other', 0), GO);
  assert.equal(guard.ask('e', 'third', 0), { go: false, reason: 'budget' });
  guard.pause();
  assert.equal(guard.ask('c', 'other', 0), { go: false, reason: 'paused' });
  assert.is(guard.hold, 'paused');
  guard.resume();
  assert.is(guard.hold, undefined);
});

test('over half of the last fifty returned: nothing goes until it is resumed', () => {
  const guard = new ResetGuard({ ...limits, resetsPerSecond: 1000, resetsPerClientPerSecond: 1000 }, 0);
  for (let i = 0; i < 24; i++) assert.is(guard.moved(), false);
  const opened = Array.from({ length: 26 }, (_, i) => guard.returned(`key ${i}`, 0).opened);
  assert.equal([opened.indexOf(true), guard.hold], [25, 'breaker']);
  assert.equal(guard.ask('fresh', 'client', 0), { go: false, reason: 'breaker' });
  guard.resume();
  assert.equal(guard.ask('fresh', 'client', 0), GO);
  assert.is(guard.record.verified, 0);
});

test('a flow that came out right opens the breaker where it is the fiftieth and over half had returned', () => {
  const guard = new ResetGuard(limits, 0);
  for (let i = 0; i < 26; i++) guard.returned(`key ${i}`, 0);
  const opened = Array.from({ length: 24 }, () => guard.moved());
  assert.equal([opened.indexOf(true), guard.hold], [23, 'breaker']);
});

test('a guard of another plan keeps rests and the pause, with limits of its own', () => {
  const before = new ResetGuard(limits, 0);
  before.returned('a', 0);
  before.pause();
  const after = new ResetGuard({ ...limits, cooldownMs: 5000 }, 0, before);
  assert.is(after.hold, 'paused');
  after.resume();
  assert.equal(after.ask('a', 'client', 0), { go: false, reason: 'cooldown', forMs: 1000 });
  assert.is(after.returned('b', 0).restMs, 5000);
  assert.is(after.resting, 2);
});

test("mwan3's return does not end the operator's pause, in whatever order they came; the operator ends both", () => {
  for (const order of [['operator', 'mwan3'] as const, ['mwan3', 'operator'] as const]) {
    const before = new ResetGuard(limits, 0);
    for (const by of order) before.pause(by);
    const after = new ResetGuard(limits, 0, before);
    after.resume('mwan3');
    assert.is(after.hold, 'paused');
    after.resume();
    assert.is(after.hold, undefined);
    after.pause('mwan3');
    after.resume('mwan3');
    assert.is(after.hold, undefined);
  }
  const guard = new ResetGuard(limits, 0);
  for (const by of ['mwan3', 'operator'] as const) guard.pause(by);
  guard.resume();
  assert.is(guard.hold, undefined);
});

test.run();
