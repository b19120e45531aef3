import { CTA } from '../../ctnetlink/constants.ts';
import type { FlowView } from '../../ctnetlink/flowView.ts';
import { hostIsLittleEndian } from '../../nfnetlink/bytes.ts';
import { type Difference, FlowRecords, NONE, TUPLE_BYTES, tupleLength } from './flowRecords.ts';

/** Flows that are remembered at most: the kernel's own default for its table. */
const LIMIT = 1 << 18;
const BUCKETS = 1 << 16;
/** Stands for the round where a flow was adopted and has not been told of since. */
const ADOPTED = 0;

/**
 * What the reader of events knows: each flow that it was told of, by its original tuple and zone, with what
 * an event may change. No object and no garbage for an event. What is over the limit is not remembered.
 */
export class ToldFlows {
  /** Flows that found no room here: since the last comparison began, those of the table. */
  unremembered = 0;
  private readonly limit: number;
  private readonly records = new FlowRecords();
  private readonly buckets = new Int32Array(BUCKETS).fill(NONE);
  private round = ADOPTED + 1;
  /** Of the view that was looked up last. */
  private bucket = 0;
  private data: DataView = new DataView(new ArrayBuffer(0));

  constructor(limit: number = LIMIT) {
    this.limit = limit;
  }

  get size(): number {
    return this.records.used;
  }
  get isFull(): boolean {
    return this.size >= this.limit;
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
    const { records } = this;
    const isNew = view.kind === 'new';
    const isTold = isNew && records.isJustTold(slot) && records.compare(slot, view) === 'none';
    records.write(slot, view, isNew, this.round);
    return !isTold;
  }

  /** Begins a comparison with the kernel's table: every flow of it has to be looked at or passed. */
  beginRound(): void {
    this.round = (this.round + 1) & 0xffff;
    this.unremembered = 0;
  }

  /** Remembers a flow of the table that is there already, as one that the reader knows of. */
  adopt(view: FlowView): void {
    if (this.find(view) !== NONE) return;
    const slot = this.add(view);
    if (slot !== NONE) this.records.stamp(slot, ADOPTED);
  }

  /** Forgets the flows that were adopted and have not been told of since. */
  forgetAdopted(): void {
    this.forgetWhere((slot) => this.records.round(slot) === ADOPTED);
  }

  /**
   * How a flow of the table differs from what was told; from now on it is told. `onEnd` hears of the end of the
   * one that had its name before, as an event.
   */
  look(view: FlowView, onEnd: (message: Uint8Array) => void): 'new' | Difference {
    const { records } = this;
    const slot = this.find(view);
    if (slot === NONE) {
      const added = this.add(view);
      if (added !== NONE) records.setJustTold(added);
      return 'new';
    }
    const difference = records.compare(slot, view);
    if (difference === 'another') onEnd(records.endOf(slot));
    records.write(slot, view, true, this.round);
    if (difference === 'another') records.setJustTold(slot);
    return difference;
  }

  /** A flow of the table that is none of the reader's concern: if it was told of, it is still there. */
  pass(view: FlowView): void {
    const slot = this.find(view);
    if (slot !== NONE) this.records.stamp(slot, this.round);
  }

  /** Forgets the flows that the round has not met, each handed over as the event of its end. */
  endRound(visit: (message: Uint8Array) => void): void {
    const { records } = this;
    this.forgetWhere((slot) => {
      const isMet = records.round(slot) === this.round;
      if (isMet) records.clearJustTold(slot);
      else visit(records.endOf(slot));
      return !isMet;
    });
  }

  /** The slot of the view's flow, or NONE; leaves its bucket behind. */
  private find(view: FlowView): number {
    const { buffer } = view;
    if (this.data.buffer !== buffer.buffer || this.data.byteOffset !== buffer.byteOffset) {
      this.data = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    }
    const start = view.payloadStart(CTA.TUPLE_ORIG);
    const length = tupleLength(view, CTA.TUPLE_ORIG);
    let hash = view.zone;
    for (let at = start; at + 4 <= start + length; at += 4) {
      hash = Math.imul(hash ^ this.data.getInt32(at, hostIsLittleEndian), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    this.bucket = hash & (BUCKETS - 1);
    const { records } = this;
    let slot = this.buckets[this.bucket]!;
    while (slot !== NONE && !records.isOf(slot, view.zone, buffer, start, length)) slot = records.next(slot);
    return slot;
  }

  /** Puts the view's flow, which `find` has just not found, into a slot of its own; NONE where there is none. */
  private add(view: FlowView): number {
    if (this.isFull || tupleLength(view, CTA.TUPLE_ORIG) > TUPLE_BYTES) {
      this.unremembered++;
      return NONE;
    }
    const slot = this.records.allocate();
    this.records.link(slot, this.buckets[this.bucket]!);
    this.buckets[this.bucket] = slot;
    this.records.write(slot, view, true, this.round);
    return slot;
  }

  /** Takes a slot out of the bucket that was looked into last. */
  private forget(slot: number): void {
    const { records } = this;
    const next = records.next(slot);
    let before = this.buckets[this.bucket]!;
    if (before === slot) this.buckets[this.bucket] = next;
    else {
      while (records.next(before) !== slot) before = records.next(before);
      records.link(before, next);
    }
    records.release(slot);
  }

  private forgetWhere(isOver: (slot: number) => boolean): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      for (let slot = this.buckets[bucket]!; slot !== NONE; ) {
        const next = this.records.next(slot);
        if (isOver(slot)) {
          this.bucket = bucket;
          this.forget(slot);
        }
        slot = next;
      }
    }
  }
}
