/** How long a flow that returned rests. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Cooldowns } from '../../src/daemon/cooldown.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test('a key rests for the first length, then for twice as long after each return, up to an hour', () => {
  const cooldowns = new Cooldowns(MINUTE);
  const lengths: number[] = [];
  let now = 0;
  for (let i = 0; i < 9; i++) {
    const length = cooldowns.returned('a', now);
    lengths.push(length / MINUTE);
    assert.is(cooldowns.remaining('a', now), length);
    assert.is(cooldowns.remaining('a', now + length - 1), 1);
    assert.is(cooldowns.remaining('a', now + length), 0);
    now += length + 1;
  }
  assert.equal(lengths, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
});

test('a key that has kept quiet for as long again starts anew', () => {
  const cooldowns = new Cooldowns(MINUTE);
  cooldowns.returned('a', 0);
  assert.is(cooldowns.returned('a', 2 * MINUTE - 1), 2 * MINUTE);
  assert.is(cooldowns.returned('a', 2 * MINUTE - 1 + 4 * MINUTE), MINUTE);
});

test('keys rest each for itself', () => {
  const cooldowns = new Cooldowns(MINUTE);
  cooldowns.returned('a', 0);
  assert.is(cooldowns.remaining('b', 0), 0);
  assert.is(cooldowns.returned('b', 10), MINUTE);
  assert.is(cooldowns.remaining('a', 10), MINUTE - 10);
});

test('a first length above an hour is an hour', () => {
  assert.is(new Cooldowns(2 * HOUR).returned('a', 0), HOUR);
});

test('a key that has kept quiet is forgotten when it is asked for', () => {
  const cooldowns = new Cooldowns(MINUTE);
  cooldowns.returned('a', 0);
  assert.is(cooldowns.remaining('a', MINUTE), 0);
  assert.is(cooldowns.size, 1, 'still known, to double');
  assert.is(cooldowns.remaining('a', 2 * MINUTE), 0);
  assert.is(cooldowns.size, 0);
});

test('at the limit the key that was added first goes', () => {
  const cooldowns = new Cooldowns(MINUTE, 2);
  cooldowns.returned('a', 0);
  cooldowns.returned('b', 1);
  cooldowns.returned('a', 2);
  cooldowns.returned('c', 3);
  assert.is(cooldowns.size, 2);
  assert.is(cooldowns.remaining('b', 4), 0, 'a came after it, the second time');
  assert.ok(cooldowns.remaining('a', 4) > 0);
  assert.ok(cooldowns.remaining('c', 4) > 0);
});

test.run();
