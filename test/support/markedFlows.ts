/**
 * Entries with marks, made by raw ctnetlink messages: events and a table to judge without any traffic. What
 * flow number n is follows from n alone, so that several processes can make them and the test knows them all.
 *
 * As a program it makes a burst: `markedFlows.ts FIRST COUNT`. Flows in no set live a short while only, so
 * that a burst may be larger than the table.
 */
import { pathToFileURL } from 'node:url';
import { encodeCreateFlow, encodeDeleteFlow, IPS } from '../../src/ctnetlink/index.ts';
import { writeU16host } from '../../src/nfnetlink/bytes.ts';
import { NLM_F } from '../../src/nfnetlink/index.ts';
import { openTransport } from '../../src/nfnetlink/transport/select.ts';
import type { Transport } from '../../src/nfnetlink/transport.ts';

export const WAN = 0x100;
export const WANB = 0x200;
/** In the set whose flows belong on wan. */
export const APP = '203.0.113.10';
/** In no set. */
export const ELSEWHERE = '198.51.100.10';

export interface MarkedFlow {
  readonly destination: string;
  readonly mark: number;
  readonly kind: 'misplaced' | 'placed' | 'other';
}

/** One in a hundred is misplaced, one is placed; the others are in no set, and a question is asked for each. */
export function markedFlow(n: number): MarkedFlow {
  if (n % 100 === 0) return { destination: APP, mark: WANB, kind: 'misplaced' };
  if (n % 100 === 1) return { destination: APP, mark: WAN, kind: 'placed' };
  return { destination: ELSEWHERE, mark: WANB, kind: 'other' };
}

export function sourceOf(n: number): string {
  return `10.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
}

const SENTINEL = '10.171.205.239';
const SENTINEL_BYTES = [10, 171, 205, 239];
const PER_DATAGRAM = 500;

interface Template {
  readonly bytes: Uint8Array;
  /** Where the client's address stands. */
  readonly sources: readonly number[];
}

/** A message without NLM_F_ACK: nobody reads the answers. */
function template(bytes: Uint8Array): Template {
  writeU16host(bytes, 6, NLM_F.REQUEST | NLM_F.CREATE | NLM_F.EXCL);
  const sources = [...bytes.keys()].filter((at) => SENTINEL_BYTES.every((byte, i) => bytes[at + i] === byte));
  return { bytes, sources };
}

function tupleTo(destination: string) {
  return { source: SENTINEL, destination, protocol: 17, sourcePort: 40_000, destinationPort: 443 };
}

const creates = new Map(
  [0, 1, 2].map((n) => {
    const { destination, mark, kind } = markedFlow(n);
    const originalTuple = tupleTo(destination);
    // an assured flow is not dropped early where the table is full
    const status = IPS.CONFIRMED | IPS.SEEN_REPLY | IPS.ASSURED;
    return [kind, template(encodeCreateFlow({ originalTuple, mark, status, timeout: 600 }))];
  }),
);
const removal = template(encodeDeleteFlow({ originalTuple: tupleTo(ELSEWHERE) }));

function send(transport: Transport, numbers: readonly number[], pick: (n: number) => Template): void {
  for (let at = 0; at < numbers.length; at += PER_DATAGRAM) {
    const part = numbers.slice(at, at + PER_DATAGRAM).map((n) => ({ n, template: pick(n) }));
    const datagram = new Uint8Array(part.reduce((sum, each) => sum + each.template.bytes.length, 0));
    let offset = 0;
    for (const { n, template } of part) {
      datagram.set(template.bytes, offset);
      for (const source of template.sources)
        datagram.set([10, (n >>> 16) & 255, (n >>> 8) & 255, n & 255], offset + source);
      offset += template.bytes.length;
    }
    transport.send(datagram);
  }
}

export function createMarkedFlows(transport: Transport, numbers: readonly number[]): void {
  send(transport, numbers, (n) => creates.get(markedFlow(n).kind)!);
}

/** Deletes flows that are in no set. */
export function deleteOthers(transport: Transport, numbers: readonly number[]): void {
  const others = numbers.filter((n) => markedFlow(n).kind === 'other');
  send(transport, others, () => removal);
}

export function numbers(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

/** How many flows of a burst's process are in the table at once. */
const WINDOW = 50_000;

async function burst(first: number, count: number): Promise<void> {
  const transport = await openTransport();
  const all = numbers(first, count);
  for (let at = 0; at < count; at += 5000) {
    createMarkedFlows(transport, all.slice(at, at + 5000));
    if (at >= WINDOW) deleteOthers(transport, all.slice(at - WINDOW, at - WINDOW + 5000));
  }
  await transport.close();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await burst(Number(process.argv[2]), Number(process.argv[3]));
}
