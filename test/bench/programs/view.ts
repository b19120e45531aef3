/** Reads the same NEW event over and over. */
import { encodeCreateFlow, FlowView } from '../../../src/ctnetlink/index.ts';
import { messageTypeOf, NFNL_SUBSYS } from '../../../src/nfnetlink/index.ts';
import { serve } from './serve.ts';

const ROUNDS = 5;
const READS = 300_000;

/** An event as the kernel sends it: a flow's creation and its id behind it. */
function newEvent(): Uint8Array {
  const create = encodeCreateFlow({
    originalTuple: {
      source: '192.0.2.1',
      destination: '198.51.100.1',
      protocol: 6,
      sourcePort: 40000,
      destinationPort: 443,
    },
    timeout: 120,
    mark: 0x100,
  });
  const id = Uint8Array.of(0, 8, 0, 12, 1, 2, 3, 4);
  new DataView(id.buffer).setUint16(0, 8, true);
  new DataView(id.buffer).setUint16(2, 12, true);
  const event = new Uint8Array(create.length + id.length);
  event.set(create);
  event.set(id, create.length);
  const header = new DataView(event.buffer);
  header.setUint32(0, event.length, true);
  header.setUint16(4, messageTypeOf(NFNL_SUBSYS.CTNETLINK, 0), true);
  return event;
}

function time(work: () => number): number[] {
  const samples: number[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    const start = performance.now();
    let sum = 0;
    for (let i = 0; i < READS; i++) sum ^= work();
    // the first round compiles
    if (round >= 0) samples.push(((performance.now() - start) * 1e6) / READS + (sum === 1 ? 1e-9 : 0));
  }
  return samples;
}

function measure() {
  const event = newEvent();
  const view = new FlowView();
  return {
    attach: time(() => {
      const { original, mark } = view.attach(event, 0, event.length);
      return mark ^ original.sourceIpv4 ^ original.destinationIpv4 ^ original.destinationPort;
    }),
    toFlow: time(() => view.attach(event, 0, event.length).toFlow().id),
  };
}

serve({ measure });
