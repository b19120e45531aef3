import { Writable } from 'node:stream';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Output } from '../../src/cli/output.ts';

/** A reader that takes each piece when it is told to. */
function slowReader() {
  const pieces: number[] = [];
  const taken: (() => void)[] = [];
  const stream = new Writable({
    highWaterMark: 1000,
    write(chunk, _encoding, done) {
      pieces.push(chunk.length);
      taken.push(done);
    },
  });
  return { stream, pieces, take: () => taken.shift()?.() };
}

test('lines that are printed while the reader is slow are gathered, whoever waits', async () => {
  const { stream, pieces, take } = slowReader();
  const output = new Output(stream);
  output.line('x'.repeat(2000));
  let waiting = 0;
  for (let i = 0; i < 1000; i++) {
    waiting++;
    output.drained().then(() => waiting--);
    output.line('y'.repeat(9));
  }
  assert.is(stream.writableLength, 2001);
  for (let i = 0; i < 10 && waiting > 0; i++) {
    take();
    await new Promise(setImmediate);
  }
  assert.is(waiting, 0);
  assert.equal(
    pieces.filter((length) => length > 0),
    [2001, 10_000],
  );
});

test('what was printed while the reader is slow has gone out when it has drained', async () => {
  const { stream, pieces, take } = slowReader();
  const output = new Output(stream);
  output.line('x'.repeat(2000));
  output.flush();
  output.line('the end');
  const drained = output.drained();
  take();
  take();
  await drained;
  assert.is(
    pieces.reduce((sum, length) => sum + length),
    2009,
  );
});

test.run();
