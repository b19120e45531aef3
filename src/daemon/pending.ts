import type { FlowStore } from './flowStore.ts';
import { SlotQueue } from './slotQueue.ts';

/**
 * Unclassified flows that wait to be asked again. Every flow waits the same delays after its NEW, so each
 * stage is a queue in order of arrival: no heap and no timer per flow. A flow that has had its last stage
 * is forgotten.
 */
export class PendingFlows {
  readonly #store: FlowStore;
  readonly #delays: readonly number[];
  readonly #stages: readonly SlotQueue[];
  #size = 0;

  /** @param delays milliseconds after the flow was first seen, ascending */
  constructor(store: FlowStore, delays: readonly number[]) {
    this.#store = store;
    this.#delays = delays;
    this.#stages = delays.map(() => new SlotQueue(store));
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Takes a flow whose time for the first remaining stage lies after `now`; false where it has had its
   * last, and the slot stays the caller's.
   */
  add(slot: number, now: number): boolean {
    for (let stage = 0; stage < this.#delays.length; stage++) {
      // the very sum that takeDue() compares: a difference may round the other way, and the flow would be
      // due again at the moment at which it was taken
      if (this.#dueAt(slot, stage) <= now) continue;
      this.#stages[stage]!.push(slot);
      this.#size++;
      return true;
    }
    return false;
  }

  /** Hands over the flows whose time has come; each slot is the receiver's from then on. */
  takeDue(now: number, receive: (slot: number) => void): void {
    for (let s = 0; s < this.#stages.length; s++) {
      const stage = this.#stages[s]!;
      while (stage.head !== -1 && this.#dueAt(stage.head, s) <= now) receive(this.#shift(stage));
    }
  }

  /** When the next flow is due, in the store's milliseconds, or undefined. */
  nextDue(): number | undefined {
    let next: number | undefined;
    for (let s = 0; s < this.#stages.length; s++) {
      const head = this.#stages[s]!.head;
      if (head === -1) continue;
      const due = this.#dueAt(head, s);
      if (next === undefined || due < next) next = due;
    }
    return next;
  }

  /** Takes the flow that has waited longest since its NEW, or returns -1: who goes when the store is full. */
  takeOldest(): number {
    for (let s = this.#stages.length - 1; s >= 0; s--) {
      const slot = this.#shift(this.#stages[s]!);
      if (slot !== -1) return slot;
    }
    return -1;
  }

  #shift(stage: SlotQueue): number {
    const slot = stage.shift();
    if (slot !== -1) this.#size--;
    return slot;
  }

  #dueAt(slot: number, stage: number): number {
    return this.#store.firstSeen(slot) + this.#delays[stage]!;
  }
}
