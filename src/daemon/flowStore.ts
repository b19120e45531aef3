/**
 * Flows between their event and their verdict, 64 bytes each in slots of typed arrays: no object and no
 * garbage for an event. A slot belongs to whoever took it until it is freed.
 *
 * A record: family, protocol, flags (u8 each), source and destination port (u16; for ICMP its id, and
 * type << 8 | code), mark, id, zone, interface, the rule that it is misplaced by (10 bits), its age when it was
 * first seen (22 bits, seconds) and when that was (milliseconds of the daemon's clock), source and destination
 * address (16 bytes each, IPv4 in the first four).
 * Memory: 64 bytes a slot plus 4 for the queue that it is in, taken in chunks of 4,096 as needed and kept, never
 * copied; the store refuses what is over its limit, it never grows past it.
 */
const WORDS = 16;
const BYTES = 64;
const CHUNK_BITS = 12;
const CHUNK = 1 << CHUNK_BITS;
const NONE = 0xffffffff;
const AGE_BITS = 22;
/** Also the mask of the age's bits; what is as old as that, 48 days, is as old as can be. */
const UNKNOWN_AGE = 2 ** AGE_BITS - 1;

/** Where in a record each field stands. */
const AT = { FAMILY: 0, PROTOCOL: 1, FLAGS: 2, SOURCE: 32, DESTINATION: 48 } as const;
const WORD = { PORTS: 1, MARK: 2, ID: 3, ZONE_INTERFACE: 4, RULE_AGE: 5, FIRST_SEEN: 3 } as const;

/** Record flags. */
export const FLOW_FLAG = {
  /** The zone is that of the original tuple alone (CTA_TUPLE_ZONE), not of both directions (CTA_ZONE). */
  TUPLE_ZONE: 1,
  /** Asked again on the schedule when no set holds it. */
  RECHECK: 2,
  /** Seen in its NEW event, so that its age is known. */
  NEW: 4,
  /** Read by the sweep that is under way. */
  SWEPT: 8,
  /** Held back by a budget, and told so. */
  DEFERRED: 16,
  /** Kept up by both ends when it was seen. */
  ESTABLISHED: 32,
} as const;

/** What a record holds; addresses are read from `source` at the given offsets. */
export interface FlowFields {
  readonly family: number;
  readonly protocol: number;
  readonly flags: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly mark: number;
  readonly id: number;
  readonly zone: number;
  readonly interface: number;
  readonly firstSeen: number;
  /** Whole seconds; infinite where it is not known. */
  readonly age: number;
}

interface Chunk {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly times: Float64Array;
  /** The slot behind each in its queue, or in the list of free ones. */
  readonly next: Uint32Array;
}

export class FlowStore {
  readonly limit: number;
  #chunks: Chunk[] = [];
  #free = NONE;
  #used = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Slots taken. */
  get size(): number {
    return this.#used;
  }

  /** Bytes held, free slots included. */
  get byteLength(): number {
    return this.#chunks.length * CHUNK * (BYTES + 4);
  }

  /** Takes a slot, or returns -1 at the limit. Its contents are undefined until written. */
  take(): number {
    if (this.#used >= this.limit) return -1;
    if (this.#free === NONE) this.#grow();
    const slot = this.#free;
    this.#free = this.next(slot) >>> 0;
    this.#used++;
    return slot;
  }

  free(slot: number): void {
    this.setNext(slot, this.#free);
    this.#free = slot;
    this.#used--;
  }

  /**
   * Writes a whole record. Addresses are copied from `bytes`: 4 or 16 of them, by family, at each offset.
   */
  write(slot: number, fields: FlowFields, bytes: Uint8Array, sourceAt: number, destinationAt: number): void {
    const chunk = this.#chunks[slot >>> CHUNK_BITS]!;
    const at = slot & (CHUNK - 1);
    const byte = at * BYTES;
    const word = at * WORDS;
    chunk.bytes[byte + AT.FAMILY] = fields.family;
    chunk.bytes[byte + AT.PROTOCOL] = fields.protocol;
    chunk.bytes[byte + AT.FLAGS] = fields.flags;
    chunk.words[word + WORD.PORTS] = (fields.sourcePort << 16) | fields.destinationPort;
    chunk.words[word + WORD.MARK] = fields.mark;
    chunk.words[word + WORD.ID] = fields.id;
    chunk.words[word + WORD.ZONE_INTERFACE] = (fields.zone << 16) | fields.interface;
    chunk.words[word + WORD.RULE_AGE] = Math.min(fields.age, UNKNOWN_AGE);
    chunk.times[at * (BYTES / 8) + WORD.FIRST_SEEN] = fields.firstSeen;
    const length = addressLength(fields.family);
    for (let i = 0; i < length; i++) {
      chunk.bytes[byte + AT.SOURCE + i] = bytes[sourceAt + i]!;
      chunk.bytes[byte + AT.DESTINATION + i] = bytes[destinationAt + i]!;
    }
  }

  family(slot: number): number {
    return this.#byte(slot, AT.FAMILY);
  }
  protocol(slot: number): number {
    return this.#byte(slot, AT.PROTOCOL);
  }
  flags(slot: number): number {
    return this.#byte(slot, AT.FLAGS);
  }
  setFlag(slot: number, flag: number): void {
    this.#chunks[slot >>> CHUNK_BITS]!.bytes[(slot & (CHUNK - 1)) * BYTES + AT.FLAGS]! |= flag;
  }
  clearFlag(slot: number, flag: number): void {
    this.#chunks[slot >>> CHUNK_BITS]!.bytes[(slot & (CHUNK - 1)) * BYTES + AT.FLAGS]! &= ~flag;
  }
  sourcePort(slot: number): number {
    return this.#word(slot, WORD.PORTS) >>> 16;
  }
  destinationPort(slot: number): number {
    return this.#word(slot, WORD.PORTS) & 0xffff;
  }
  mark(slot: number): number {
    return this.#word(slot, WORD.MARK);
  }
  id(slot: number): number {
    return this.#word(slot, WORD.ID);
  }
  zone(slot: number): number {
    return this.#word(slot, WORD.ZONE_INTERFACE) >>> 16;
  }
  interface(slot: number): number {
    return this.#word(slot, WORD.ZONE_INTERFACE) & 0xffff;
  }
  /** The rule that called the flow misplaced; 0 until setRule(). */
  rule(slot: number): number {
    return this.#word(slot, WORD.RULE_AGE) >>> AGE_BITS;
  }
  setRule(slot: number, rule: number): void {
    const { words } = this.#chunks[slot >>> CHUNK_BITS]!;
    const at = (slot & (CHUNK - 1)) * WORDS + WORD.RULE_AGE;
    words[at] = (rule << AGE_BITS) | (words[at]! & UNKNOWN_AGE);
  }
  /** The slot behind this one in the queue that holds it, or -1. A queue's owner sets it. */
  next(slot: number): number {
    return this.#chunks[slot >>> CHUNK_BITS]!.next[slot & (CHUNK - 1)]! | 0;
  }
  setNext(slot: number, next: number): void {
    this.#chunks[slot >>> CHUNK_BITS]!.next[slot & (CHUNK - 1)] = next;
  }
  /** Milliseconds of the daemon's clock. */
  firstSeen(slot: number): number {
    return this.#chunks[slot >>> CHUNK_BITS]!.times[(slot & (CHUNK - 1)) * (BYTES / 8) + WORD.FIRST_SEEN]!;
  }

  /** How old it was then, in seconds; infinite where that is not known. */
  age(slot: number): number {
    const age = this.#word(slot, WORD.RULE_AGE) & UNKNOWN_AGE;
    return age === UNKNOWN_AGE ? Number.POSITIVE_INFINITY : age;
  }

  /** The chunk that holds the slot's addresses; the offsets below are into it. */
  bytesOf(slot: number): Uint8Array {
    return this.#chunks[slot >>> CHUNK_BITS]!.bytes;
  }
  sourceAt(slot: number): number {
    return (slot & (CHUNK - 1)) * BYTES + AT.SOURCE;
  }
  destinationAt(slot: number): number {
    return (slot & (CHUNK - 1)) * BYTES + AT.DESTINATION;
  }

  #byte(slot: number, at: number): number {
    return this.#chunks[slot >>> CHUNK_BITS]!.bytes[(slot & (CHUNK - 1)) * BYTES + at]!;
  }
  #word(slot: number, at: number): number {
    return this.#chunks[slot >>> CHUNK_BITS]!.words[(slot & (CHUNK - 1)) * WORDS + at]!;
  }

  #grow(): void {
    const buffer = new ArrayBuffer(CHUNK * (BYTES + 4));
    const first = this.#chunks.length << CHUNK_BITS;
    const next = new Uint32Array(buffer, CHUNK * BYTES);
    for (let i = 0; i < CHUNK - 1; i++) next[i] = first + i + 1;
    next[CHUNK - 1] = this.#free;
    this.#free = first;
    this.#chunks.push({
      bytes: new Uint8Array(buffer, 0, CHUNK * BYTES),
      words: new Uint32Array(buffer, 0, CHUNK * WORDS),
      times: new Float64Array(buffer, 0, (CHUNK * BYTES) / 8),
      next,
    });
  }
}

/** Bytes of an address of an nfgenmsg family. */
export function addressLength(family: number): number {
  return family === 10 ? 16 : 4;
}
