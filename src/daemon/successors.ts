/** How long a successor is waited for. */
const WATCH_MS = 30_000;

/** A reset whose flow is expected to be made again. */
export interface WatchedReset<T> {
  readonly key: string;
  readonly until: number;
  readonly hash: number;
  /** What the owner keeps with it: the why of the reset. */
  readonly about: T;
}

/**
 * Flows that were reset and are expected to begin again, by flow key (the source port left out). The first
 * new flow of the key settles the reset; one whose thirty seconds pass is handed back unsettled.
 * Memory: one entry a flow key reset in the last thirty seconds, at most `limit`; beyond it the oldest goes.
 */
export class Successors<T> {
  readonly #limit: number;
  readonly #byKey = new Map<string, WatchedReset<T>>();
  /** How many of them have a hash. */
  readonly #hashes = new Map<number, number>();

  constructor(limit = 65_536) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** @param hash flowHash of the same flow */
  watch(key: string, hash: number, about: T, now: number): void {
    this.drop(key);
    if (this.#byKey.size >= this.#limit) this.drop(this.#byKey.keys().next().value!);
    this.#byKey.set(key, { key, hash, until: now + WATCH_MS, about });
    this.#hashes.set(hash, (this.#hashes.get(hash) ?? 0) + 1);
  }

  /** Whether a flow with this hash may be a successor; the cheap question asked for every new flow. */
  mayHold(hash: number): boolean {
    return this.#hashes.size > 0 && this.#hashes.has(hash);
  }

  /** What is kept of the reset of this key that waits for its successor. */
  find(key: string, now: number): T | undefined {
    const watched = this.#byKey.get(key);
    return watched && watched.until > now ? watched.about : undefined;
  }

  /** Forgets the reset of this key: it is settled, or another takes its place. */
  drop(key: string): void {
    const watched = this.#byKey.get(key);
    if (!watched) return;
    this.#byKey.delete(key);
    const { hash } = watched;
    const left = this.#hashes.get(hash)! - 1;
    if (left === 0) this.#hashes.delete(hash);
    else this.#hashes.set(hash, left);
  }

  /** Takes the resets whose time is over; nothing is known of how they went. */
  takeExpired(now: number): WatchedReset<T>[] {
    const expired: WatchedReset<T>[] = [];
    for (const watched of this.#byKey.values()) {
      if (watched.until > now) break;
      expired.push(watched);
    }
    for (const { key } of expired) this.drop(key);
    return expired;
  }
}
