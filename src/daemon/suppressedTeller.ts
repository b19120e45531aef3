import type { SuppressReason, Tell, Why } from './tell.ts';

const PERIOD_MS = 1000;
const A_PERIOD = 10;

/**
 * Tells of flows that were left alone, at most ten a second for each reason: a sweep that finds thousands
 * while the breaker is open must not become a flood of lines. The totals count all of them.
 */
export class SuppressedTeller {
  readonly #tell: Tell;
  readonly #now: () => number;
  readonly #periods = new Map<SuppressReason, { since: number; told: number }>();

  constructor(tell: Tell, now: () => number) {
    this.#tell = tell;
    this.#now = now;
  }

  tell(reason: SuppressReason, forMs: number | undefined, why: () => Why): void {
    const now = this.#now();
    let period = this.#periods.get(reason);
    if (!period || now - period.since >= PERIOD_MS) {
      period = { since: now, told: 0 };
      this.#periods.set(reason, period);
    }
    if (++period.told > A_PERIOD) return;
    this.#tell({
      event: 'suppressed',
      reason,
      ...why(),
      ...(forMs !== undefined && { forMs: Math.round(forMs) }),
    });
  }
}
