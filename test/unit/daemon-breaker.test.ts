/** When resets stop because they do not help. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CircuitBreaker } from '../../src/daemon/breaker.ts';

function verify(breaker: CircuitBreaker, count: number, returned: boolean): boolean[] {
  return Array.from({ length: count }, () => breaker.verified(returned));
}

test('over half of the last fifty open it, at that moment and once', () => {
  const breaker = new CircuitBreaker();
  verify(breaker, 24, false);
  assert.equal(verify(breaker, 26, true), [...Array(25).fill(false), true]);
  assert.is(breaker.isOpen, true);
  assert.equal(breaker.record, { returned: 26, verified: 50 });
  assert.equal(verify(breaker, 5, true), Array(5).fill(false));
});

test('half of them do not, nor fewer than fifty, whatever they say', () => {
  const half = new CircuitBreaker();
  verify(half, 25, true);
  verify(half, 25, false);
  assert.is(half.isOpen, false);
  const few = new CircuitBreaker();
  verify(few, 49, true);
  assert.is(few.isOpen, false);
  assert.is(few.verified(true), true);
});

test('it stays open until it is closed, and then begins anew', () => {
  const breaker = new CircuitBreaker();
  verify(breaker, 50, true);
  verify(breaker, 200, false);
  assert.is(breaker.isOpen, true);
  breaker.close();
  assert.is(breaker.isOpen, false);
  assert.equal(breaker.record, { returned: 0, verified: 0 });
  verify(breaker, 49, true);
  assert.is(breaker.isOpen, false);
  assert.is(breaker.verified(true), true);
});

test('it is open from the first moment at which over half of the last fifty returned', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(true, true, false), { maxLength: 160 }), (outcomes) => {
      const breaker = new CircuitBreaker();
      let isOpen = false;
      for (let i = 0; i < outcomes.length; i++) {
        breaker.verified(outcomes[i]!);
        const last = outcomes.slice(Math.max(0, i - 49), i + 1);
        isOpen ||= last.length === 50 && last.filter(Boolean).length > 25;
        assert.is(breaker.isOpen, isOpen);
      }
    }),
  );
});

test.run();
