/** Makes flows without traffic: each is one ctnetlink message and causes one NEW event. */
import { setTimeout as delay } from 'node:timers/promises';
import { ConntrackClient, encodeCreateFlow, encodeFlushTable } from '../../../src/ctnetlink/index.ts';
import { openConnection } from '../../../src/nfnetlink/index.ts';
import { openTransport } from '../../../src/nfnetlink/transport/select.ts';
import type { FlowsWish } from '../laboratory.ts';
import { serve } from './serve.ts';

const NLM_F_ACK = 4;
const MESSAGES_A_DATAGRAM = 250;
const PLACEHOLDER = { source: '10.254.253.252', destination: '198.51.253.251' };

const transport = await openTransport();
transport.onBatch(() => undefined);
transport.onOverrun(() => undefined);
const connection = await openConnection();

const u32Of = (address: string) => address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);

/** Where an address stands in a message: once in each direction's tuple. */
function placesOf(message: Uint8Array, address: string): number[] {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const wanted = u32Of(address);
  const places: number[] = [];
  for (let at = 0; at + 4 <= message.length; at += 4) if (view.getUint32(at) === wanted) places.push(at);
  return places;
}

/** Writes flows one behind the other; the acknowledgements would cost more than the flows. */
function makeWriter({ mark = 0x100, destination = '198.18.0.0', spread = 1 << 17 }: FlowsWish) {
  const template = encodeCreateFlow({
    originalTuple: { ...PLACEHOLDER, protocol: 6, sourcePort: 40000, destinationPort: 443 },
    timeout: 600,
    mark,
  });
  template[6]! &= ~NLM_F_ACK;
  const sources = placesOf(template, PLACEHOLDER.source);
  const destinations = placesOf(template, PLACEHOLDER.destination);
  const firstDestination = u32Of(destination);
  const memory = new Uint8Array(MESSAGES_A_DATAGRAM * template.length);
  const view = new DataView(memory.buffer);
  for (let i = 0; i < MESSAGES_A_DATAGRAM; i++) memory.set(template, i * template.length);
  return (first: number, count: number): Uint8Array => {
    for (let i = 0; i < count; i++) {
      const at = i * template.length;
      for (const place of sources) view.setUint32(at + place, 0x0a000000 + first + i);
      for (const place of destinations) view.setUint32(at + place, firstDestination + ((first + i) % spread));
    }
    return memory.subarray(0, count * template.length);
  };
}

async function create(wish: FlowsWish): Promise<void> {
  const { first = 0, count, rate = Number.POSITIVE_INFINITY, single = false } = wish;
  const write = makeWriter(wish);
  const start = performance.now();
  for (let done = 0; done < count; ) {
    const due = single ? done + 1 : Math.min(count, Math.ceil(((performance.now() - start) / 1000) * rate));
    while (done < due) {
      const messages = single ? 1 : Math.min(MESSAGES_A_DATAGRAM, due - done);
      transport.send(write(first + done, messages));
      done += messages;
    }
    if (single) while ((performance.now() - start) * rate < done * 1000);
    else await delay(1);
  }
}

async function count(): Promise<number> {
  return (await new ConntrackClient(connection).count()).entries ?? 0;
}

serve({ create, count, flush: () => connection.acknowledge(encodeFlushTable()) });
