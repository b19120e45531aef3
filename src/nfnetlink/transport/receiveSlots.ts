import type { FfiLibrary } from './ffiLibrary.ts';
import { MSG } from './socketConstants.ts';

/** How many datagrams one recvmmsg reads at most. */
export const slotCount = 64;

const mmsghdrSize = 64; // struct mmsghdr: msghdr (56 bytes), u32 msg_len, padding
const iovecSize = 16;
const atIov = 16; // msghdr.msg_iov
const atIovCount = 24;
const atFlags = 48;
const atLength = 56; // mmsghdr.msg_len

/** Those that some socket uses, by the size of a slot. */
const shared = new Map<number, WeakRef<ReceiveSlots>>();

/**
 * One block of memory for recvmmsg: the slots for datagrams, then an iovec and a mmsghdr for each. The
 * kernel writes to it by its address, so it must stay referenced as long as a receive can happen.
 */
export class ReceiveSlots {
  /** The slots alone; bounds count from its start. */
  readonly buffer: Uint8Array;
  readonly bounds = new Uint32Array(2 * slotCount);
  /** Address of the first mmsghdr. */
  readonly headers: bigint;
  readonly slotSize: number;
  /** Datagrams of the last `accept` that were longer than their slot, and bytes of those that fitted. */
  truncated = 0;
  bytes = 0;
  /** The u32 words of the headers. */
  readonly #words: Uint32Array;

  /**
   * The slots that all sockets of this thread with slots of that size read into: a batch is valid in its callback
   * only, and until that has returned no other socket is read.
   */
  static of(ffi: FfiLibrary['ffi'], wishedSlotSize: number): ReceiveSlots {
    const slotSize = Math.ceil(wishedSlotSize / 16) * 16;
    const known = shared.get(slotSize)?.deref();
    if (known) return known;
    const slots = new ReceiveSlots(ffi, slotSize);
    shared.set(slotSize, new WeakRef(slots));
    return slots;
  }

  private constructor(ffi: FfiLibrary['ffi'], slotSize: number) {
    this.slotSize = slotSize;
    const slots = slotCount * this.slotSize;
    const atHeaders = slots + slotCount * iovecSize;
    const memory = new ArrayBuffer(atHeaders + slotCount * mmsghdrSize);
    const address = ffi.getRawPointer(memory);
    const view = new DataView(memory);
    for (let i = 0; i < slotCount; i++) {
      const iovec = slots + i * iovecSize;
      view.setBigUint64(iovec, address + BigInt(i * this.slotSize), true);
      view.setBigUint64(iovec + 8, BigInt(this.slotSize), true);
      const header = atHeaders + i * mmsghdrSize;
      view.setBigUint64(header + atIov, address + BigInt(iovec), true);
      view.setBigUint64(header + atIovCount, 1n, true);
    }
    this.buffer = new Uint8Array(memory, 0, slots);
    this.headers = address + BigInt(atHeaders);
    this.#words = new Uint32Array(memory, atHeaders);
  }

  /** Sets the bounds from the first headers, leaving out truncated datagrams; returns how many remain. */
  accept(received: number): number {
    const { bounds, slotSize } = this;
    const words = this.#words;
    let count = 0;
    this.truncated = 0;
    this.bytes = 0;
    for (let i = 0; i < received; i++) {
      const header = (i * mmsghdrSize) / 4;
      if (words[header + atFlags / 4]! & MSG.TRUNC) {
        this.truncated += 1;
        continue;
      }
      const length = words[header + atLength / 4]!;
      bounds[2 * count] = i * slotSize;
      bounds[2 * count + 1] = i * slotSize + length;
      this.bytes += length;
      count += 1;
    }
    return count;
  }
}
