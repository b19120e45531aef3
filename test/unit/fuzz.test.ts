import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex } from '../../src/nfnetlink/bytes.ts';
import { captures } from '../fuzz/captures.ts';
import { readers } from '../fuzz/decoders.ts';
import { failureText, fuzz, loadCorpus, messages } from '../fuzz/fuzz.ts';
import { mutated } from '../fuzz/mutate.ts';

const INPUTS = 100_000;
const CAPTURES = 30_000;

test(`${INPUTS} spoiled messages give a value or a DecodeError`, async () => {
  const report = await fuzz(messages(), 1, INPUTS);
  assert.is(report.failures.map(failureText).join('\n'), '');
  assert.is(report.inputs, INPUTS);
  // most messages reach some decoder's end: else the fuzzer would only test the first length check
  assert.ok(report.values > 2 * INPUTS, `${report.values} values`);
});

test(`${CAPTURES} spoiled capture files give datagrams or a CaptureError, the same in pieces of any size`, async () => {
  const report = await fuzz(captures(), 1, CAPTURES);
  assert.is(report.failures.map(failureText).join('\n'), '');
  assert.is(report.inputs, CAPTURES);
  assert.ok(report.values > CAPTURES / 2, `${report.values} values`);
});

test('a decoder that throws something else is found, and its seed makes the same bytes again', async () => {
  const faulty = {
    ...readers,
    faulty: (bytes: Uint8Array) => {
      if (bytes[20] === 0xff) throw new RangeError('planted');
    },
  };
  const { failures } = await fuzz(messages(faulty), 1, 20_000);
  assert.ok(failures.length > 0);
  const [failure] = failures;
  assert.match(
    failureText(failure!),
    /--target messages --seed \d+ --count 1\n[0-9a-f]+\nRangeError: planted/,
  );
  assert.equal(mutated(failure!.seed, loadCorpus()), fromHex(failure!.hex));
  const again = await fuzz(messages(faulty), failure!.seed, 1);
  assert.is(again.failures.length, 1);
});

test('seeds make different bytes', () => {
  const corpus = loadCorpus();
  const made = new Set(Array.from({ length: 1000 }, (_, seed) => mutated(seed, corpus).join()));
  assert.ok(made.size > 800, `${made.size} of 1000`);
});

test.run();
