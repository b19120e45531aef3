import { formatIpv4, formatIpv6 } from '../nfnetlink/address.ts';
import { isIpv6Class } from './flowClass.ts';
import {
  CLASS_AT,
  DESTINATION_AT,
  DESTINATION_PORT_AT,
  FLOW_FLAG,
  KEY_BYTES,
  PROTOCOL_AT,
  SOURCE_AT,
  SOURCE_PORT_AT,
} from './flowKey.ts';

/** Behind its key a record has how often the flow was seen, and its hash, for when the table grows. */
const FLOWS_AT = KEY_BYTES;
const HASH_AT = FLOWS_AT + 4;
const RECORD_BYTES = HASH_AT + 4;
/** The second byte that a key leaves zero holds the flags. */
const FLAGS_AT = 2;

/** Records come in pieces, so that growing copies none of them. */
const PIECE_SHIFT = 11;
const PIECE_RECORDS = 1 << PIECE_SHIFT;
const FEWEST_PLACES = 4096;
const MOST_FLOWS = 0xffffffff;

export interface FlowTableOptions {
  /** How many distinct flows are kept. */
  readonly limit: number;
  /** Of the hash: unknown to whoever chooses the addresses. */
  readonly seed: number;
}

/**
 * Distinct flows: 48 bytes each in typed arrays, and 5 to 11 bytes to find them by. Flows are numbered in the
 * order in which they came, and none is ever removed, so that a number stays that of its flow.
 */
export class FlowTable {
  readonly limit: number;
  /** How many distinct flows there are. */
  size = 0;
  /** How often a flow was seen that had no place any more. */
  refused = 0;
  readonly #seed: number;
  readonly #pieces: { readonly bytes: Uint8Array; readonly data: DataView }[] = [];
  /** By hash, with linear probing: the flow's number and one, or 0. */
  #places = new Uint32Array(FEWEST_PLACES);

  constructor({ limit, seed }: FlowTableOptions) {
    this.limit = limit;
    this.#seed = seed | 0;
  }

  /**
   * Notes that a flow was seen.
   * @param key KEY_BYTES, copied
   * @param flags FLOW_FLAG bits, added to those that are known
   * @param flows how many more flows of the key this is; 0 where it may be one that was counted, or will be
   * @returns whether the key is new
   */
  add(key: Uint8Array, flags: number, flows: number): boolean {
    const hash = hashOf(key, this.#seed);
    const mask = this.#places.length - 1;
    let place = hash & mask;
    for (let found = this.#places[place]!; found !== 0; found = this.#places[place]!) {
      if (this.#holds(found - 1, hash, key)) {
        this.#see(found - 1, flags, flows);
        return false;
      }
      place = (place + 1) & mask;
    }
    if (this.size >= this.limit) {
      this.refused += 1;
      return false;
    }
    this.#append(key, hash, flags, flows);
    this.#places[place] = this.size;
    // at most three quarters full
    if (this.size * 4 > this.#places.length * 3) this.#grow();
    return true;
  }

  flowClass(flow: number): number {
    return this.#byte(flow, CLASS_AT);
  }
  protocol(flow: number): number {
    return this.#byte(flow, PROTOCOL_AT);
  }
  isConfirmed(flow: number): boolean {
    return (this.#byte(flow, FLAGS_AT) & FLOW_FLAG.CONFIRMED) !== 0;
  }
  isTranslated(flow: number): boolean {
    return (this.#byte(flow, FLAGS_AT) & FLOW_FLAG.TRANSLATED) !== 0;
  }
  isRelated(flow: number): boolean {
    return (this.#byte(flow, FLAGS_AT) & FLOW_FLAG.UNRELATED) === 0;
  }
  hasPorts(flow: number): boolean {
    return (this.#byte(flow, FLAGS_AT) & FLOW_FLAG.PORTS) !== 0;
  }
  /** 1024 for every port from there on; of ICMP, the type. */
  sourcePort(flow: number): number {
    return this.#data(flow).getUint16(offsetOf(flow) + SOURCE_PORT_AT);
  }
  /** Of ICMP, the code. */
  destinationPort(flow: number): number {
    return this.#data(flow).getUint16(offsetOf(flow) + DESTINATION_PORT_AT);
  }
  /** How many flows of the key were seen, at least. */
  flows(flow: number): number {
    return Math.max(1, this.#data(flow).getUint32(offsetOf(flow) + FLOWS_AT));
  }
  /** One of the four words of an address; that of an IPv4 address is the first. */
  sourceWord(flow: number, word: number): number {
    return this.#data(flow).getUint32(offsetOf(flow) + SOURCE_AT + 4 * word);
  }
  destinationWord(flow: number, word: number): number {
    return this.#data(flow).getUint32(offsetOf(flow) + DESTINATION_AT + 4 * word);
  }
  sourceText(flow: number): string {
    return this.#addressText(flow, SOURCE_AT);
  }
  destinationText(flow: number): string {
    return this.#addressText(flow, DESTINATION_AT);
  }

  /** Below, at or above 0, as the first is before the second in the report. */
  compare(one: number, other: number): number {
    const order = this.flowClass(one) - this.flowClass(other);
    if (order !== 0) return order;
    const [a, b] = [this.#data(one), this.#data(other)];
    const [atA, atB] = [offsetOf(one), offsetOf(other)];
    for (let at = SOURCE_AT; at < KEY_BYTES; at += 4) {
      const difference = a.getUint32(atA + at) - b.getUint32(atB + at);
      if (difference !== 0) return difference;
    }
    return this.protocol(one) - this.protocol(other);
  }

  #data(flow: number): DataView {
    return this.#pieces[flow >>> PIECE_SHIFT]!.data;
  }

  #byte(flow: number, at: number): number {
    return this.#pieces[flow >>> PIECE_SHIFT]!.bytes[offsetOf(flow) + at]!;
  }

  #addressText(flow: number, at: number): string {
    const { bytes } = this.#pieces[flow >>> PIECE_SHIFT]!;
    const format = isIpv6Class(this.flowClass(flow)) ? formatIpv6 : formatIpv4;
    return format(bytes, offsetOf(flow) + at);
  }

  #holds(flow: number, hash: number, key: Uint8Array): boolean {
    const { bytes, data } = this.#pieces[flow >>> PIECE_SHIFT]!;
    const start = offsetOf(flow);
    if (data.getInt32(start + HASH_AT) !== hash) return false;
    if (bytes[start + CLASS_AT] !== key[CLASS_AT] || bytes[start + PROTOCOL_AT] !== key[PROTOCOL_AT])
      return false;
    for (let i = SOURCE_AT; i < KEY_BYTES; i++) if (bytes[start + i] !== key[i]) return false;
    return true;
  }

  #see(flow: number, flags: number, flows: number): void {
    const { bytes, data } = this.#pieces[flow >>> PIECE_SHIFT]!;
    const start = offsetOf(flow);
    bytes[start + FLAGS_AT]! |= flags;
    const known = data.getUint32(start + FLOWS_AT);
    data.setUint32(start + FLOWS_AT, Math.min(MOST_FLOWS, known + flows));
  }

  #append(key: Uint8Array, hash: number, flags: number, flows: number): void {
    const flow = this.size++;
    if (flow >>> PIECE_SHIFT === this.#pieces.length) {
      const bytes = new Uint8Array(PIECE_RECORDS * RECORD_BYTES);
      this.#pieces.push({ bytes, data: new DataView(bytes.buffer) });
    }
    const { bytes, data } = this.#pieces[flow >>> PIECE_SHIFT]!;
    const start = offsetOf(flow);
    bytes.set(key.subarray(0, KEY_BYTES), start);
    bytes[start + FLAGS_AT] = flags;
    data.setUint32(start + FLOWS_AT, Math.min(MOST_FLOWS, flows));
    data.setInt32(start + HASH_AT, hash);
  }

  #grow(): void {
    const places = new Uint32Array(this.#places.length * 2);
    const mask = places.length - 1;
    for (let flow = 0; flow < this.size; flow++) {
      let place = this.#data(flow).getInt32(offsetOf(flow) + HASH_AT) & mask;
      while (places[place] !== 0) place = (place + 1) & mask;
      places[place] = flow + 1;
    }
    this.#places = places;
  }
}

function offsetOf(flow: number): number {
  return (flow & (PIECE_RECORDS - 1)) * RECORD_BYTES;
}

/** Every four bytes of the key, mixed as MurmurHash3 mixes them. */
function hashOf(key: Uint8Array, seed: number): number {
  let hash = seed;
  for (let i = 0; i < KEY_BYTES; i += 4) {
    let word = key[i]! | (key[i + 1]! << 8) | (key[i + 2]! << 16) | (key[i + 3]! << 24);
    word = Math.imul(word, 0xcc9e2d51);
    word = Math.imul((word << 15) | (word >>> 17), 0x1b873593);
    hash ^= word;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) | 0;
}

/** Some of the flows of a table, in the report's order. */
export interface FlowSelection {
  readonly table: FlowTable;
  /** Numbers of flows. */
  readonly flows: Uint32Array;
}

/** The flows that are in the table now, or those of them that are confirmed, sorted. */
export function selectFlows(table: FlowTable, onlyConfirmed: boolean): FlowSelection {
  let flows = Uint32Array.from({ length: table.size }, (_, flow) => flow);
  if (onlyConfirmed) flows = flows.filter((flow) => table.isConfirmed(flow));
  return { table, flows: flows.sort((one, other) => table.compare(one, other)) };
}
