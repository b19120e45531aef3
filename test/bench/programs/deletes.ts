/** Deletes the first flows that generate.ts made. */
import { type FlowKey, openConntrack } from '../../../src/ctnetlink/index.ts';
import { serve } from './serve.ts';

const conntrack = await openConntrack();

const address = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');

function keyOf(flow: number): FlowKey {
  return {
    originalTuple: {
      source: address(0x0a000000 + flow),
      destination: address(0xc6120000 + flow), // 198.18.0.0/15
      protocol: 6,
      sourcePort: 40000,
      destinationPort: 443,
    },
  };
}

/** Microseconds a delete. */
async function remove(count: number): Promise<number> {
  const keys = Array.from({ length: count }, (_, flow) => keyOf(flow));
  const start = performance.now();
  const outcomes = await conntrack.deleteMany(keys);
  const us = ((performance.now() - start) * 1000) / count;
  if (outcomes.some(({ outcome }) => outcome !== 'deleted')) throw new Error('not all were deleted');
  return us;
}

serve({ remove });
