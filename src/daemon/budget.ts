/**
 * How many resets may be made: a bucket of tokens that fills at `perSecond` and holds one second's worth.
 * Infinity means no limit.
 */
class Bucket {
  #tokens: number;
  #filledAt: number;
  readonly #perSecond: number;

  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#filledAt = now;
  }

  has(now: number): boolean {
    // no time times infinity is no number
    if (this.#perSecond === Number.POSITIVE_INFINITY) return true;
    this.#tokens = Math.min(
      this.#perSecond,
      this.#tokens + ((now - this.#filledAt) * this.#perSecond) / 1000,
    );
    this.#filledAt = now;
    return this.#tokens >= 1;
  }

  take(): void {
    this.#tokens -= 1;
  }
}

export type BudgetAnswer = 'granted' | 'budget' | 'client-budget';

// a bucket unused for a second is full again, so it says nothing and can go
const FULL_AFTER_MS = 1000;

/** The reset budget of the whole machine and of each client. Memory: clients seen in the last two seconds. */
export class ResetBudget {
  readonly #all: Bucket;
  readonly #perClient: number;
  #clients = new Map<string, Bucket>();
  #previous = new Map<string, Bucket>();
  #turnedAt: number;

  constructor(perSecond: number, perClientPerSecond: number, now: number) {
    this.#all = new Bucket(perSecond, now);
    this.#perClient = perClientPerSecond;
    this.#turnedAt = now;
  }

  /** Takes one reset for the client from both budgets, or from neither. `now` in milliseconds. */
  take(client: string, now: number): BudgetAnswer {
    if (!this.#all.has(now)) return 'budget';
    if (this.#perClient === Number.POSITIVE_INFINITY) {
      this.#all.take();
      return 'granted';
    }
    const bucket = this.#clientBucket(client, now);
    if (!bucket.has(now)) return 'client-budget';
    this.#all.take();
    bucket.take();
    return 'granted';
  }

  #clientBucket(client: string, now: number): Bucket {
    if (now - this.#turnedAt >= FULL_AFTER_MS) {
      this.#previous = now - this.#turnedAt >= 2 * FULL_AFTER_MS ? new Map() : this.#clients;
      this.#clients = new Map();
      this.#turnedAt = now;
    }
    const bucket =
      this.#clients.get(client) ?? this.#previous.get(client) ?? new Bucket(this.#perClient, now);
    this.#clients.set(client, bucket);
    return bucket;
  }
}
