import type { Clock, Timer } from '../nfnetlink/clock.ts';
import type { FlowStore } from './flowStore.ts';
import { SlotQueue } from './slotQueue.ts';

/** How often flows that a budget held back are looked at again. */
const DEFERRED_MS = 100;
/** Most of them looked at together: without a budget for the whole, most may be one client's. */
const MOST_DEFERRED = 1024;

export interface DeferralParts {
  readonly store: FlowStore;
  readonly clock: Clock;
  /** The budget of the whole machine; Infinity for none. */
  readonly resetsPerSecond: number;
  /** Receives, one after the other, the flows that are to be judged anew. */
  readonly onDue: (slot: number) => void;
  /** Called when all that were due together were handed over. */
  readonly onRound: () => void;
}

/** Keeps flows that a budget held back; a few at a time are judged anew, as many as could be granted. */
export class Deferral {
  readonly #parts: DeferralParts;
  readonly #queue: SlotQueue;
  #timer: Timer | undefined;

  constructor(parts: DeferralParts) {
    this.#parts = parts;
    this.#queue = new SlotQueue(parts.store);
  }

  get length(): number {
    return this.#queue.length;
  }

  add(slot: number): void {
    this.#queue.push(slot);
    this.#arm();
  }

  /** Looks at none again and frees them all. */
  stop(): void {
    this.#timer?.cancel();
    while (this.#queue.length > 0) this.#parts.store.free(this.#queue.shift());
  }

  #arm(): void {
    if (this.#timer || this.#queue.length === 0) return;
    const { clock, resetsPerSecond, onDue, onRound } = this.#parts;
    this.#timer = clock.after(DEFERRED_MS, () => {
      this.#timer = undefined;
      const grantable = Math.ceil((resetsPerSecond * DEFERRED_MS) / 1000) + 1;
      for (let i = Math.min(grantable, MOST_DEFERRED, this.#queue.length); i > 0; i--)
        onDue(this.#queue.shift());
      onRound();
      this.#arm();
    });
  }
}
