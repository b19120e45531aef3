import { flowAttributes } from '../../ctnetlink/attributes.ts';
import { CTA, IPCTNL_MSG_CT, IPPROTO } from '../../ctnetlink/constants.ts';
import type { FlowAttributes } from '../../ctnetlink/flow.ts';
import type { FlowView } from '../../ctnetlink/flowView.ts';
import { tupleCodec } from '../../ctnetlink/tuple.ts';
import { NFNL_SUBSYS } from '../../nfnetlink/constants.ts';
import { encodeRequest, messageTypeOf } from '../../nfnetlink/message.ts';
import { labelsOf, stateOf } from './flowFacts.ts';

/** The slot that is none. */
export const NONE = -1;
const CHUNK_BITS = 10;
const CHUNK = 1 << CHUNK_BITS;

/** A tuple's attributes at most: two IPv6 addresses, what ICMPv6 has, and a zone. */
export const TUPLE_BYTES = 88;
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

/** How a flow differs from the record of its zone and original tuple, which may be another flow's. */
export type Difference = 'none' | 'changed' | 'another';

/**
 * Flows as records of 204 bytes in typed arrays, each in a slot: its original tuple and zone, and what an
 * event may change. The arrays are taken in pieces as needed, and kept.
 */
export class FlowRecords {
  /** Slots that are taken. */
  used = 0;
  private readonly chunks: Chunk[] = [];
  private free = NONE;

  /** A slot to write to. */
  allocate(): number {
    if (this.free === NONE) this.grow();
    const slot = this.free;
    this.free = this.next(slot);
    this.used++;
    return slot;
  }

  release(slot: number): void {
    this.link(slot, this.free);
    this.free = slot;
    this.used--;
  }

  private grow(): void {
    const bytes = new Uint8Array(CHUNK * RECORD);
    const first = this.chunks.length << CHUNK_BITS;
    this.chunks.push({ bytes, words: new Int32Array(bytes.buffer) });
    for (let slot = first + CHUNK - 1; slot >= first; slot--) {
      this.link(slot, this.free);
      this.free = slot;
    }
  }

  private chunkOf(slot: number): Chunk {
    return this.chunks[slot >> CHUNK_BITS]!;
  }

  /** The slot that this one is linked to: of a free slot, the next free one. */
  next(slot: number): number {
    return this.chunkOf(slot).words[wordOf(slot) + WORD.NEXT]!;
  }

  link(slot: number, next: number): void {
    this.chunkOf(slot).words[wordOf(slot) + WORD.NEXT] = next;
  }

  /** The round that the record was stamped with last. */
  round(slot: number): number {
    return this.chunkOf(slot).words[wordOf(slot) + WORD.ROUND_ZONE]! & 0xffff;
  }

  stamp(slot: number, round: number): void {
    const { words } = this.chunkOf(slot);
    const at = wordOf(slot) + WORD.ROUND_ZONE;
    words[at] = (words[at]! & ~0xffff) | round;
  }

  /** Whether the flow was told of by the comparison that is under way; what is written ends that. */
  isJustTold(slot: number): boolean {
    return (this.chunkOf(slot).bytes[byteOf(slot) + BYTE.FAMILY]! & JUST_TOLD) !== 0;
  }

  setJustTold(slot: number): void {
    this.chunkOf(slot).bytes[byteOf(slot) + BYTE.FAMILY]! |= JUST_TOLD;
  }

  clearJustTold(slot: number): void {
    this.chunkOf(slot).bytes[byteOf(slot) + BYTE.FAMILY]! &= ~JUST_TOLD;
  }

  /** Whether the record is of a flow with this zone, and this original tuple: its attributes, in a buffer. */
  isOf(slot: number, zone: number, buffer: Uint8Array, start: number, length: number): boolean {
    const { bytes, words } = this.chunkOf(slot);
    const at = byteOf(slot);
    return (
      words[wordOf(slot) + WORD.ROUND_ZONE]! >>> 16 === zone &&
      bytes[at + BYTE.ORIGINAL_LENGTH] === length &&
      isSame(bytes, at + TUPLES_AT, buffer, start, length)
    );
  }

  /**
   * Writes what a message says of its flow. What an update leaves out has not changed; what a listing or the
   * event of a new flow leaves out is not there.
   */
  write(slot: number, view: FlowView, isWhole: boolean, round: number): void {
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
    words[word + WORD.ROUND_ZONE] = (view.zone << 16) | round;
    bytes[at + BYTE.ORIGINAL_LENGTH] = copyTuple(view, CTA.TUPLE_ORIG, bytes, at + TUPLES_AT);
    const replyAt = at + TUPLES_AT + TUPLE_BYTES;
    bytes[at + BYTE.REPLY_LENGTH] = copyTuple(view, CTA.TUPLE_REPLY, bytes, replyAt);
  }

  compare(slot: number, view: FlowView): Difference {
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
  endOf(slot: number): Uint8Array {
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

/** How long a tuple's attributes are in a message. */
export function tupleLength(view: FlowView, type: number): number {
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
