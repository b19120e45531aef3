/** Resets that wait for the flow that follows. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Successors } from '../../src/daemon/successors.ts';

test('a reset is found by its key until it is dropped, or thirty seconds have passed', () => {
  const successors = new Successors<string>();
  successors.watch('a', 1, 'first', 0);
  assert.is(successors.find('a', 29_999), 'first');
  assert.is(successors.find('a', 30_000), undefined);
  assert.is(successors.find('b', 0), undefined);
  successors.drop('a');
  assert.is(successors.find('a', 0), undefined);
  assert.not(successors.mayHold(1));
});

test('two keys of one hash are told apart, and the hash stays as long as one of them', () => {
  const successors = new Successors<string>();
  successors.watch('a', 1, 'of a', 0);
  successors.watch('b', 1, 'of b', 0);
  successors.drop('a');
  assert.ok(successors.mayHold(1));
  assert.is(successors.find('b', 0), 'of b');
  successors.drop('b');
  assert.not(successors.mayHold(1));
});

test('what is watched anew waits anew; only what has expired is taken', () => {
  const successors = new Successors<string>();
  successors.watch('a', 1, 'first', 0);
  successors.watch('b', 2, 'other', 10_000);
  successors.watch('a', 1, 'second', 20_000);
  assert.equal(
    successors.takeExpired(40_000).map(({ about }) => about),
    ['other'],
  );
  assert.is(successors.find('a', 49_999), 'second');
  assert.is(successors.size, 1);
});

test('at the limit the oldest goes', () => {
  const successors = new Successors<number>(2);
  for (const n of [1, 2, 3]) successors.watch(`key ${n}`, n, n, n);
  assert.equal(
    [1, 2, 3].map((n) => successors.mayHold(n)),
    [false, true, true],
  );
});

test.run();
