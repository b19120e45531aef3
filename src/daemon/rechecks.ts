import type { Clock, Timer } from '../nfnetlink/clock.ts';
import type { FlowStore } from './flowStore.ts';
import { PendingFlows } from './pending.ts';

export interface RecheckParts {
  readonly store: FlowStore;
  readonly clock: Clock;
  /** Milliseconds after a flow was first seen at which it is judged again, ascending. */
  readonly delaysMs: readonly number[];
  /** Flows that wait at most; then the one that has waited longest is forgotten. */
  readonly limit: number;
  /** Receives, one after the other, the flows that are to be judged anew. */
  readonly onDue: (slot: number) => void;
  /** Called when all that were due together were handed over. */
  readonly onRound: () => void;
  /** Hears of each flow that was forgotten early, for want of room. */
  readonly onEvicted: () => void;
}

/** Keeps flows that no set holds yet and has them judged again on the schedule, by one timer for all. */
export class Rechecks {
  readonly #parts: RecheckParts;
  readonly #pending: PendingFlows;
  #armed: { readonly timer: Timer; readonly at: number } | undefined;
  #stopped = false;

  constructor(parts: RecheckParts) {
    this.#parts = parts;
    this.#pending = new PendingFlows(parts.store, parts.delaysMs);
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Takes a flow until it is due; frees it where it has been judged for the last time. arm() is to follow. */
  add(slot: number): void {
    const { store, clock, limit } = this.#parts;
    while (this.#pending.size >= limit && this.evict());
    if (!this.#pending.add(slot, clock.now())) store.free(slot);
  }

  /** Forgets the flow that has waited longest; false where none waits. */
  evict(): boolean {
    const { store, onEvicted } = this.#parts;
    const oldest = this.#pending.takeOldest();
    if (oldest === -1) return false;
    store.free(oldest);
    onEvicted();
    return true;
  }

  /** Sets the timer to the first flow that is due. */
  arm(): void {
    const due = this.#pending.nextDue();
    if (due === undefined || this.#stopped) return;
    if (this.#armed && this.#armed.at <= due) return;
    this.#armed?.timer.cancel();
    const { clock, onDue, onRound } = this.#parts;
    const timer = clock.after(Math.max(0, due - clock.now()), () => {
      this.#armed = undefined;
      this.#pending.takeDue(clock.now(), onDue);
      onRound();
      this.arm();
    });
    this.#armed = { timer, at: due };
  }

  /** Has none judged again and frees them all. */
  stop(): void {
    this.#stopped = true;
    this.#armed?.timer.cancel();
    this.#pending.takeDue(Number.POSITIVE_INFINITY, (slot) => this.#parts.store.free(slot));
  }
}
