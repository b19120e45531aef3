import { CircuitBreaker } from './breaker.ts';
import { ResetBudget } from './budget.ts';
import { Cooldowns } from './cooldown.ts';
import type { Limits } from './plan.ts';
import type { SuppressReason } from './tell.ts';

/** What the guard says to a reset: go, or not now, and for how long where that is known. */
export type GuardAnswer =
  | { readonly go: true }
  | { readonly go: false; readonly reason: SuppressReason; readonly forMs?: number };

/** Who pauses resets. mwan3's return ends no pause of the operator's, whose resume ends every one. */
export type Pauser = 'operator' | 'mwan3';

const GO: GuardAnswer = { go: true };

/**
 * Stands between a misplaced flow and its reset, against loops and floods: nothing while paused or while
 * the circuit breaker is open, nothing for a flow that came back, and no more than the budgets allow.
 * Milliseconds everywhere.
 */
export class ResetGuard {
  readonly #cooldowns: Cooldowns;
  readonly #budget: ResetBudget;
  readonly #breaker = new CircuitBreaker();
  readonly #pausedBy: Set<Pauser>;

  /** @param previous the guard of the plan before, whose flows rest on */
  constructor(limits: Limits, now: number, previous?: ResetGuard) {
    this.#cooldowns = new Cooldowns(limits.cooldownMs, undefined, previous ? previous.#cooldowns : undefined);
    this.#pausedBy = new Set(previous ? previous.#pausedBy : []);
    this.#budget = new ResetBudget(limits.resetsPerSecond, limits.resetsPerClientPerSecond, now);
  }

  get isPaused(): boolean {
    return this.#pausedBy.size > 0;
  }
  get isOpen(): boolean {
    return this.#breaker.isOpen;
  }
  get resting(): number {
    return this.#cooldowns.size;
  }
  get record(): CircuitBreaker['record'] {
    return this.#breaker.record;
  }

  pause(by: Pauser = 'operator'): void {
    this.#pausedBy.add(by);
  }
  /** Lets resets through again, also where the breaker had stopped them. */
  resume(by: Pauser = 'operator'): void {
    if (by === 'operator') this.#pausedBy.clear();
    else this.#pausedBy.delete(by);
    this.#breaker.close();
  }

  /** Why nothing at all may be reset now, or undefined. */
  get hold(): 'paused' | 'breaker' | undefined {
    return this.isPaused ? 'paused' : this.#breaker.isOpen ? 'breaker' : undefined;
  }

  /** How long flows of the key still rest, 0 where they do not. */
  restMs(flowKey: string, now: number): number {
    return this.#cooldowns.remaining(flowKey, now);
  }

  /** Asks for one reset; 'go' takes it from the budgets. */
  ask(flowKey: string, client: string, now: number): GuardAnswer {
    const { hold } = this;
    if (hold) return { go: false, reason: hold };
    const rest = this.#cooldowns.remaining(flowKey, now);
    if (rest > 0) return { go: false, reason: 'cooldown', forMs: rest };
    const answer = this.#budget.take(client, now);
    return answer === 'granted' ? GO : { go: false, reason: answer };
  }

  /** Notes that a flow came out right; true where this opened the breaker: it may be the last of the fifty. */
  moved(): boolean {
    return this.#breaker.verified(false);
  }

  /** Notes that a flow returned: how long it rests now, and whether this opened the breaker. */
  returned(flowKey: string, now: number): { readonly restMs: number; readonly opened: boolean } {
    const restMs = this.#cooldowns.returned(flowKey, now);
    return { restMs, opened: this.#breaker.verified(true) };
  }
}
