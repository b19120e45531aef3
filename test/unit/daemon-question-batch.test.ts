/** The questions of a batch: written as they go onto the wire, and each only once. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FlowStore } from '../../src/daemon/flowStore.ts';
import { type Probe, QuestionBatch } from '../../src/daemon/questionBatch.ts';
import { toHex } from '../../src/nfnetlink/bytes.ts';

const store = new FlowStore(1);

/** A question that is these bytes behind a header of 16, whatever flow it is about. */
function question(key: readonly number[], header = 0): Probe {
  const message = Uint8Array.from([...Array(16).fill(header), ...key]);
  return {
    byteLength: message.length,
    write(target, offset) {
      target.set(message, offset);
      return offset + message.length;
    },
  };
}

const ask = (batch: QuestionBatch, key: readonly number[], header = 0) =>
  batch.ask(question(key, header), store, 0);

test('questions stand one behind the other; an equal one is found again, whatever its header holds', () => {
  const batch = new QuestionBatch();
  assert.equal(
    [ask(batch, [1, 2, 3, 4]), ask(batch, [5, 6, 7, 8]), ask(batch, [1, 2, 3, 4], 0xff)],
    [0, 1, 0],
  );
  assert.is(batch.count, 2);
  const header = '00'.repeat(16);
  assert.is(toHex(batch.bytes), `${header}01020304${header}05060708`);
});

test('a question that begins like another, or is its beginning, is another', () => {
  const batch = new QuestionBatch();
  const keys = [
    [1, 2, 3, 4],
    [1, 2, 3, 5],
    [1, 2, 3, 4, 0, 0, 0, 0],
    [1, 2, 3, 4, 0, 0, 0, 1],
  ];
  const indexes = () => keys.map((key) => ask(batch, key));
  assert.equal(indexes(), [0, 1, 2, 3]);
  assert.equal(indexes(), [0, 1, 2, 3]);
});

test('two questions have one index exactly where they are equal', () => {
  const key = fc
    .array(fc.nat(3), { minLength: 1, maxLength: 2 })
    .map((words) => words.flatMap((n) => [0, 0, 0, n]));
  fc.assert(
    fc.property(fc.array(key, { maxLength: 200 }), (keys) => {
      const batch = new QuestionBatch();
      batch.clear(0);
      const indexOf = new Map<string, number>();
      for (const each of keys) {
        const index = ask(batch, each);
        const known = indexOf.get(each.join());
        assert.is(index, known ?? indexOf.size);
        indexOf.set(each.join(), index);
      }
      assert.is(batch.count, indexOf.size);
    }),
  );
});

test('it holds as many as it says, of the longest kind, and each is found again', () => {
  const batch = new QuestionBatch();
  const longest = (n: number) => {
    const key = Array(QuestionBatch.LONGEST - 16).fill(0x5a);
    key[0] = n & 0xff;
    key[key.length - 1] = n >>> 8;
    return key as number[];
  };
  for (let n = 0; n < QuestionBatch.LIMIT; n++) {
    assert.ok(batch.hasRoom(QuestionBatch.LIMIT - n) && !batch.hasRoom(QuestionBatch.LIMIT - n + 1));
    assert.is(ask(batch, longest(n)), n);
  }
  assert.is(batch.bytes.length, QuestionBatch.LIMIT * QuestionBatch.LONGEST);
  for (const n of [0, 1, 511, QuestionBatch.LIMIT - 1]) batch.setAnswer(n, 1 + (n & 1));
  assert.equal(
    [0, 1, 511, QuestionBatch.LIMIT - 1].map((n) => batch.answer(n)),
    [1, 2, 2, 2],
  );
});

test('emptied, it knows none of its questions and has the wished answer to all', () => {
  const batch = new QuestionBatch();
  ask(batch, [1, 1, 1, 1]);
  ask(batch, [2, 2, 2, 2]);
  batch.setAnswer(1, 1);
  batch.clear(2);
  assert.equal([batch.count, batch.bytes.length], [0, 0]);
  assert.is(ask(batch, [2, 2, 2, 2]), 0);
  assert.equal([batch.answer(0), batch.answer(1)], [2, 2]);
});

test.run();
