/** Flows that were left alone are told of, but never in a flood. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { SuppressedTeller } from '../../src/daemon/suppressedTeller.ts';
import type { DaemonEvent, Why } from '../../src/daemon/tell.ts';

test('ten a second of each reason are told, and the why of no more is made', () => {
  const told: DaemonEvent[] = [];
  const time = { now: 0 };
  const teller = new SuppressedTeller(
    (event) => told.push(event),
    () => time.now,
  );
  let made = 0;
  const why = () => {
    made++;
    return {} as Why;
  };
  for (let i = 0; i < 15; i++) teller.tell('breaker', undefined, why);
  assert.is(made, 10);
  assert.equal(told[0], { event: 'suppressed', reason: 'breaker' });
  teller.tell('cooldown', 1.6, why);
  assert.equal(told.slice(10), [{ event: 'suppressed', reason: 'cooldown', forMs: 2 }]);
  time.now = 999;
  teller.tell('breaker', undefined, why);
  assert.is(told.length, 11);
  time.now = 1000;
  teller.tell('breaker', undefined, why);
  assert.is(told.length, 12);
});

test.run();
