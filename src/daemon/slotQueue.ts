import type { FlowStore } from './flowStore.ts';

/**
 * A first-in-first-out queue of slots, linked through the store itself: it costs nothing per slot. A slot
 * can be in one queue at a time.
 */
export class SlotQueue {
  readonly #store: FlowStore;
  #head = -1;
  #tail = -1;
  #length = 0;

  constructor(store: FlowStore) {
    this.#store = store;
  }

  get length(): number {
    return this.#length;
  }

  /** The slot that has waited longest, or -1. */
  get head(): number {
    return this.#head;
  }

  push(slot: number): void {
    this.#store.setNext(slot, -1);
    if (this.#tail === -1) this.#head = slot;
    else this.#store.setNext(this.#tail, slot);
    this.#tail = slot;
    this.#length++;
  }

  /** Takes the slot that has waited longest, or returns -1. */
  shift(): number {
    const slot = this.#head;
    if (slot === -1) return -1;
    this.#head = this.#store.next(slot);
    if (this.#head === -1) this.#tail = -1;
    this.#length--;
    return slot;
  }
}
