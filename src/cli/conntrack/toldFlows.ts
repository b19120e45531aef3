import { flowAttributes } from '../../ctnetlink/attributes.ts';
import { CTA, IPCTNL_MSG_CT, IPPROTO } from '../../ctnetlink/constants.ts';
import type { FlowAttributes } from '../../ctnetlink/flow.ts';
import type { FlowView } from '../../ctnetlink/flowView.ts';
import { tupleCodec } from '../../ctnetlink/tuple.ts';
import { hostIsLittleEndian } from '../../nfnetlink/bytes.ts';
import { NFNL_SUBSYS } from '../../nfnetlink/constants.ts';
import { encodeRequest, messageTypeOf } from '../../nfnetlink/message.ts';
import { labelsOf, stateOf } from './flowFacts.ts';

/** How a listed flow differs from what was told of it. */
export type Difference = 'none' | 'new' | 'changed' | 'another';

/** Flows that are remembered at most: the kernel's own default for its table. */
const LIMIT = 1 << 18;
const CHUNK_BITS = 10;
const CHUNK = 1 << CHUNK_BITS;
const BUCKETS = 1 << 16;
const NONE = -1;

/** A tuple's attributes at most: two IPv6 addresses, what ICMPv6 has, and a zone. */
const TUPLE_BYTES = 88;
const TUPLES_AT = 28;
const RECORD = TUPLES_AT + 2 * TUPLE_BYTES;
const RECORD_WORDS = RECORD / 4;
const WORD = { NEXT: 0, ID: 1, STATUS: 2, MARK: 3, LABELS: 4, ROUND_ZONE: 5 } as const;
const BYTE = { FAMILY: 24, STATE: 25, ORIGINAL_LENGTH: 26, REPLY_LENGTH: 27 } as const;
/** In the byte of the family: the flow was told of by the comparison that is under way. */
const JUST_TOLD = 0x80;
const NO_STATE = 0xff;

interface Chunk {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
}

/**
 * What the reader of events knows: each flow that it was told of, by its original tuple and zone, with what
 * an event may change. 204 bytes a flow in typed arrays, taken in pieces as needed and kept; no object and no
 * garbage for an event. What is over the limit is not remembered.
 */
export class ToldFlows {
  /** Flows that found no room here: since the last comparison began, those of the table. */
  unremembered = 0;
  private readonly limit: number;
  private chunks: Chunk[] = [];
  private readonly buckets = new Int32Array(BUCKETS).fill(NONE);
  private free = NONE;
  private used = 0;
  private round = 0;
  /** Of the view that was looked up last. */
  private bucket = 0;
  private data: DataView = new DataView(new ArrayBuffer(0));

  constructor(limit: number = LIMIT) {
    this.limit = limit;
  }

  get size(): number {
    return this.used;
  }
  get isFull(): boolean {
    return this.used >= this.limit;
  }

  /** Takes over what an event says; false where a comparison has just told the same. */
  take(view: FlowView): boolean {
    const slot = this.find(view);
    if (view.kind === 'destroy') {
      if (slot !== NONE) this.forget(slot);
      return true;
    }
    if (slot === NONE) {
      this.add(view);
      return true;
    }
    const chunk = this.chunkOf(slot);
    const at = byteOf(slot);
    const isTold =
      view.kind === 'new' &&
      (chunk.bytes[at + BYTE.FAMILY]! & JUST_TOLD) !== 0 &&
      this.compareWith(view, slot) === 'none';
    this.write(view, slot, view.kind === 'new');
    return !isTold;
  }

  /** Forgets everything. */
  clear(): void {
    this.chunks = [];
    this.buckets.fill(NONE);
    this.free = NONE;
    this.used = 0;
  }

  /** Begins a comparison with the kernel's table: every flow of it has to be looked at or passed. */
  beginRound(): void {
    this.round = (this.round + 1) & 0xffff;
    this.unremembered = 0;
  }

  /** Remembers a flow of the table that is there already, as one that the reader knows of. */
  adopt(view: FlowView): void {
    if (this.find(view) === NONE) this.add(view);
  }

  /**
   * How a flow of the table differs from what was told; from now on it is told. `onEnd` hears of the end of the
   * one that had its name before, as an event.
   */
  look(view: FlowView, onEnd: (message: Uint8Array) => void): Difference {
    const slot = this.find(view);
    if (slot === NONE) {
      const added = this.add(view);
      if (added !== NONE) this.markTold(added);
      return 'new';
    }
    const difference = this.compareWith(view, slot);
    if (difference === 'another') onEnd(this.destroyMessage(slot));
    this.write(view, slot, true);
    if (difference === 'another') this.markTold(slot);
    return difference;
  }

  /** A flow of the table that is none of the reader's concern: if it was told of, it is still there. */
  pass(view: FlowView): void {
    const slot = this.find(view);
    if (slot !== NONE) this.stamp(slot);
  }

  /** Forgets the flows that the round has not met, each handed over as the event of its end. */
  endRound(visit: (message: Uint8Array) => void): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      for (let slot = this.buckets[bucket]!; slot !== NONE; ) {
        const { words } = this.chunkOf(slot);
        const next = words[wordOf(slot) + WORD.NEXT]!;
        if ((words[wordOf(slot) + WORD.ROUND_ZONE]! & 0xffff) !== this.round) {
          visit(this.destroyMessage(slot));
          this.bucket = bucket;
          this.forget(slot);
        } else this.chunkOf(slot).bytes[byteOf(slot) + BYTE.FAMILY]! &= ~JUST_TOLD;
        slot = next;
      }
    }
  }

  private chunkOf(slot: number): Chunk {
    return this.chunks[slot >> CHUNK_BITS]!;
  }

  /** The slot of the view's flow, or NONE; leaves its bucket behind. */
  private find(view: FlowView): number {
    const { buffer } = view;
    if (this.data.buffer !== buffer.buffer || this.data.byteOffset !== buffer.byteOffset) {
      this.data = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    }
    const start = view.payloadStart(CTA.TUPLE_ORIG);
    const length = view.payloadEnd(start) - start;
    let hash = view.zone;
    for (let at = start; at + 4 <= start + length; at += 4) {
      hash = Math.imul(hash ^ this.data.getInt32(at, hostIsLittleEndian), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    this.bucket = hash & (BUCKETS - 1);
    for (let slot = this.buckets[this.bucket]!; slot !== NONE; ) {
      const { bytes, words } = this.chunkOf(slot);
      const at = byteOf(slot);
      const word = wordOf(slot);
      if (
        words[word + WORD.ROUND_ZONE]! >>> 16 === view.zone &&
        bytes[at + BYTE.ORIGINAL_LENGTH] === length &&
        isSame(bytes, at + TUPLES_AT, buffer, start, length)
      ) {
        return slot;
      }
      slot = words[word + WORD.NEXT]!;
    }
    return NONE;
  }

  /** Puts the view's flow, which `find` has just not found, into a slot of its own; NONE where there is none. */
  private add(view: FlowView): number {
    if (this.isFull || tupleLength(view, CTA.TUPLE_ORIG) > TUPLE_BYTES) {
      this.unremembered++;
      return NONE;
    }
    if (this.free === NONE) this.grow();
    const slot = this.free;
    const { words } = this.chunkOf(slot);
    this.free = words[wordOf(slot) + WORD.NEXT]!;
    words[wordOf(slot) + WORD.NEXT] = this.buckets[this.bucket]!;
    this.buckets[this.bucket] = slot;
    this.used++;
    this.write(view, slot, true);
    return slot;
  }

  private grow(): void {
    const bytes = new Uint8Array(CHUNK * RECORD);
    const words = new Int32Array(bytes.buffer);
    const first = this.chunks.length << CHUNK_BITS;
    this.chunks.push({ bytes, words });
    for (let slot = first + CHUNK - 1; slot >= first; slot--) {
      words[wordOf(slot) + WORD.NEXT] = this.free;
      this.free = slot;
    }
  }

  /** Takes a slot out of the bucket that was looked into last. */
  private forget(slot: number): void {
    const { words } = this.chunkOf(slot);
    const next = words[wordOf(slot) + WORD.NEXT]!;
    let before = this.buckets[this.bucket]!;
    if (before === slot) this.buckets[this.bucket] = next;
    else {
      const nextOf = (each: number) => this.chunkOf(each).words[wordOf(each) + WORD.NEXT]!;
      while (nextOf(before) !== slot) before = nextOf(before);
      this.chunkOf(before).words[wordOf(before) + WORD.NEXT] = next;
    }
    words[wordOf(slot) + WORD.NEXT] = this.free;
    this.free = slot;
    this.used--;
  }

  /**
   * Writes what a message says of its flow. What an update leaves out has not changed; what a listing or the
   * event of a new flow leaves out is not there.
   */
  private write(view: FlowView, slot: number, isWhole: boolean): void {
    const { bytes, words } = this.chunkOf(slot);
    const at = byteOf(slot);
    const word = wordOf(slot);
    words[word + WORD.ID] = view.id;
    words[word + WORD.STATUS] = view.status;
    // events leave out a mark of 0 unless it was changed to that
    words[word + WORD.MARK] = view.mark;
    if (isWhole || view.has(CTA.LABELS)) words[word + WORD.LABELS] = labelsHash(view);
    const state = stateNumber(view);
    if (isWhole || state !== NO_STATE) bytes[at + BYTE.STATE] = state;
    bytes[at + BYTE.FAMILY] = view.family;
    this.stamp(slot, view.zone);
    bytes[at + BYTE.ORIGINAL_LENGTH] = copyTuple(view, CTA.TUPLE_ORIG, bytes, at + TUPLES_AT);
    const replyAt = at + TUPLES_AT + TUPLE_BYTES;
    bytes[at + BYTE.REPLY_LENGTH] = copyTuple(view, CTA.TUPLE_REPLY, bytes, replyAt);
  }

  private stamp(slot: number, zone?: number): void {
    const { words } = this.chunkOf(slot);
    const at = wordOf(slot) + WORD.ROUND_ZONE;
    words[at] = ((zone ?? words[at]! >>> 16) << 16) | this.round;
  }

  private markTold(slot: number): void {
    this.chunkOf(slot).bytes[byteOf(slot) + BYTE.FAMILY]! |= JUST_TOLD;
  }

  private compareWith(view: FlowView, slot: number): Exclude<Difference, 'new'> {
    const { bytes, words } = this.chunkOf(slot);
    const at = byteOf(slot);
    const word = wordOf(slot);
    const start = view.payloadStart(CTA.TUPLE_REPLY);
    const length = tupleLength(view, CTA.TUPLE_REPLY);
    const isOne =
      words[word + WORD.ID] === (view.id | 0) &&
      bytes[at + BYTE.REPLY_LENGTH] === length &&
      isSame(bytes, at + TUPLES_AT + TUPLE_BYTES, view.buffer, start, length);
    if (!isOne) return 'another';
    const isUnchanged =
      words[word + WORD.STATUS] === (view.status | 0) &&
      words[word + WORD.MARK] === (view.mark | 0) &&
      words[word + WORD.LABELS] === labelsHash(view) &&
      bytes[at + BYTE.STATE] === stateNumber(view);
    return isUnchanged ? 'none' : 'changed';
  }

  /** The event that the kernel sends of a flow's end, of what is known of the flow. */
  private destroyMessage(slot: number): Uint8Array {
    const { bytes, words } = this.chunkOf(slot);
    const at = byteOf(slot);
    const word = wordOf(slot);
    const tuple = (start: number, length: number) =>
      tupleCodec.decode(bytes, start, start + length) as FlowAttributes['originalTuple'];
    const originalTuple = tuple(at + TUPLES_AT, bytes[at + BYTE.ORIGINAL_LENGTH]!);
    const replyAt = at + TUPLES_AT + TUPLE_BYTES;
    const mark = words[word + WORD.MARK]! >>> 0;
    const zone = words[word + WORD.ROUND_ZONE]! >>> 16;
    const type = messageTypeOf(NFNL_SUBSYS.CTNETLINK, IPCTNL_MSG_CT.DELETE);
    const family = bytes[at + BYTE.FAMILY]! & ~JUST_TOLD;
    return encodeRequest({ type, flags: 0, family }, flowAttributes, {
      originalTuple,
      replyTuple: tuple(replyAt, bytes[at + BYTE.REPLY_LENGTH]!),
      status: words[word + WORD.STATUS]! >>> 0,
      id: words[word + WORD.ID]! >>> 0,
      mark: mark === 0 ? undefined : mark,
      zone: zone === 0 ? undefined : zone,
      protocolInfo: protocolInfo(originalTuple?.protocol, bytes[at + BYTE.STATE]!),
    });
  }
}

const byteOf = (slot: number) => (slot & (CHUNK - 1)) * RECORD;
const wordOf = (slot: number) => (slot & (CHUNK - 1)) * RECORD_WORDS;

function tupleLength(view: FlowView, type: number): number {
  const start = view.payloadStart(type);
  return view.payloadEnd(start) - start;
}

/** Copies a tuple's attributes and returns their length; 0 where they are longer than any that is known. */
function copyTuple(view: FlowView, type: number, target: Uint8Array, offset: number): number {
  const start = view.payloadStart(type);
  const length = tupleLength(view, type);
  if (length > TUPLE_BYTES) return 0;
  for (let i = 0; i < length; i++) target[offset + i] = view.buffer[start + i]!;
  return length;
}

function isSame(left: Uint8Array, at: number, right: Uint8Array, start: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (left[at + i] !== right[start + i]) return false;
  return true;
}

function stateNumber(view: FlowView): number {
  if (!view.has(CTA.PROTOINFO)) return NO_STATE;
  return view.tcpState ?? stateOf(view)?.state ?? NO_STATE;
}

/** 0 where there are none. */
function labelsHash(view: FlowView): number {
  if (!view.has(CTA.LABELS)) return 0;
  let hash = 1;
  for (const byte of labelsOf(view)!) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash | 1;
}

function protocolInfo(protocol: number | undefined, state: number): FlowAttributes['protocolInfo'] {
  if (state === NO_STATE) return undefined;
  if (protocol === IPPROTO.SCTP) return { sctp: { state } };
  return protocol === IPPROTO.DCCP ? { dccp: { state } } : { tcp: { state } };
}
