import { toHex } from '../nfnetlink/bytes.ts';
import { addressLength, type FlowStore } from './flowStore.ts';

/**
 * What a flow and its successor share: family, protocol, source, destination and destination port; not the
 * source port, which a client chooses anew. For ICMP the destination port field holds type and code.
 */
export function flowKey(store: FlowStore, slot: number): string {
  const bytes = store.bytesOf(slot);
  const length = addressLength(store.family(slot));
  const source = toHex(bytes, store.sourceAt(slot), store.sourceAt(slot) + length);
  const destination = toHex(bytes, store.destinationAt(slot), store.destinationAt(slot) + length);
  return `${store.protocol(slot)} ${source} ${destination} ${store.destinationPort(slot)}`;
}

/** The client of a flow: its source address. */
export function clientKey(store: FlowStore, slot: number): string {
  const at = store.sourceAt(slot);
  return toHex(store.bytesOf(slot), at, at + addressLength(store.family(slot)));
}

/** A number that equal flow keys share, made without allocation: to rule most flows out. */
export function flowHash(store: FlowStore, slot: number): number {
  const bytes = store.bytesOf(slot);
  const length = addressLength(store.family(slot));
  const source = store.sourceAt(slot);
  const destination = store.destinationAt(slot);
  let hash = 0x811c9dc5 ^ store.protocol(slot);
  for (let i = 0; i < length; i++) {
    hash = Math.imul(hash ^ bytes[source + i]!, 0x01000193);
    hash = Math.imul(hash ^ bytes[destination + i]!, 0x01000193);
  }
  return Math.imul(hash ^ store.destinationPort(slot), 0x01000193) >>> 0;
}
