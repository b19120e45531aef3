import type { Tell } from './tell.ts';

/** How long a warning that repeats is only counted. */
const QUIET_MS = 600_000;

interface Told {
  at: number;
  /** How often it came since it was told last. */
  again: number;
}

/**
 * Says a warning once, then counts it, and says it again with its count every ten minutes while it lasts.
 * Memory: one entry a distinct warning; the daemon's warnings name sets, rules and interfaces, not flows.
 */
export class Warnings {
  readonly #tell: Tell;
  readonly #now: () => number;
  readonly #told = new Map<string, Told>();

  constructor(tell: Tell, now: () => number) {
    this.#tell = tell;
    this.#now = now;
  }

  warn(what: string, why: string, todo: string): void {
    const key = `${what}\n${why}`;
    const now = this.#now();
    const told = this.#told.get(key);
    if (told && now - told.at < QUIET_MS) {
      told.again++;
      return;
    }
    this.#tell({
      event: 'warning',
      what,
      why,
      todo,
      ...(told && told.again > 0 && { times: told.again + 1 }),
    });
    this.#told.set(key, { at: now, again: 0 });
  }

  /** Forgets a warning whose cause is mended, so that its return is said at once. */
  mended(what: string): void {
    for (const key of this.#told.keys()) if (key.startsWith(`${what}\n`)) this.#told.delete(key);
  }
}
