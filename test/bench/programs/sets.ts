/** Asks a set of addresses about many of them. */
import { openIpset } from '../../../src/ipset/index.ts';
import { serve } from './serve.ts';

const TESTS = 200_000;

const ipset = await openIpset();
const keys = new Uint8Array(TESTS * 4);
const view = new DataView(keys.buffer);
for (let i = 0; i < TESTS; i++) view.setUint32(i * 4, 0xcb007100 + (i & 0xff)); // 203.0.113.0/24

/** Microseconds a test. */
async function test(): Promise<number> {
  const tester = await ipset.tester('bench');
  const start = performance.now();
  const found = await tester.testMany(keys);
  const us = ((performance.now() - start) * 1000) / TESTS;
  if (found[0] !== 1 || found[255] !== 0) throw new Error('the answers are wrong');
  return us;
}

serve({ test });
