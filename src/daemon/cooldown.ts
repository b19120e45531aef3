const LONGEST_MS = 3_600_000;

interface Rest {
  readonly until: number;
  readonly lengthMs: number;
}

/**
 * Flow keys that came back to the wrong interface after a reset: not to be reset again for a while, twice
 * as long after each return, up to an hour. A key that has kept quiet for as long again as its last rest
 * starts anew. At the limit the key that was added first goes.
 */
export class Cooldowns {
  readonly #firstMs: number;
  readonly #limit: number;
  readonly #rests: Map<string, Rest>;

  /** @param previous whose keys rest on as they did */
  constructor(firstMs: number, limit = 65_536, previous?: Cooldowns) {
    this.#firstMs = firstMs;
    this.#limit = limit;
    this.#rests = previous ? previous.#rests : new Map();
  }

  get size(): number {
    return this.#rests.size;
  }

  /** Notes a return; gives the length of the rest that begins now, in milliseconds. */
  returned(key: string, now: number): number {
    const last = this.#rests.get(key);
    const again = last !== undefined && now < last.until + last.lengthMs;
    const lengthMs = again ? Math.min(last.lengthMs * 2, LONGEST_MS) : Math.min(this.#firstMs, LONGEST_MS);
    this.#rests.delete(key);
    if (this.#rests.size >= this.#limit) this.#rests.delete(this.#rests.keys().next().value!);
    this.#rests.set(key, { until: now + lengthMs, lengthMs });
    return lengthMs;
  }

  /** Milliseconds that the key still rests, 0 where it does not. */
  remaining(key: string, now: number): number {
    const rest = this.#rests.get(key);
    if (!rest) return 0;
    if (now < rest.until) return rest.until - now;
    if (now >= rest.until + rest.lengthMs) this.#rests.delete(key);
    return 0;
  }
}
