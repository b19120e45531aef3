/** What the kernel charges a receive buffer for an event: 232 bytes of NEW, and its own records of them. */
const eventBytes = 1280;

/** How the reading of events is slowed down where that saves work. */
export interface ModerationOptions {
  /** How long to stop reading after a drain, in milliseconds. Default 5. */
  readonly delayMs?: number;
  /** Events a second from which on that is done. Default 4000. */
  readonly fromRate?: number;
}

/** Datagrams that are counted before the clock is looked at. */
const sample = 16;

/**
 * Whether to stop reading for a moment, so that the next wake-up finds many events instead of one. Waking
 * up costs more than reading an event: at 10,000 events a second, one at a time, a pause of 5 ms after a
 * drain makes an event four times cheaper. At 1,000 a second a pause costs more than it saves, and it
 * always costs latency; so it depends on the rate, and below that rate nothing is ever delayed.
 */
export class Moderation {
  readonly #delay: number;
  readonly #fromRate: number;
  #count = 0;
  #since: number;

  constructor(options: ModerationOptions, now: number) {
    this.#delay = options.delayMs ?? 5;
    this.#fromRate = options.fromRate ?? 4000;
    this.#since = now;
  }

  /** Counts datagrams; returns whether there are enough of them to ask `pauseAfter` when they are read. */
  count(datagrams: number): boolean {
    this.#count += datagrams;
    return this.#count >= sample;
  }

  /**
   * Milliseconds to stop reading now, 0 for none: what comes meanwhile fits into a quarter of the buffer.
   * A rate is taken over the time since the last question.
   */
  pauseAfter(now: number, receiveBufferSize: number): number {
    const elapsed = Math.max(now - this.#since, 0.001);
    const perMillisecond = this.#count / elapsed;
    this.#count = 0;
    this.#since = now;
    if (perMillisecond * 1000 < this.#fromRate) return 0;
    return Math.min(this.#delay, receiveBufferSize / 4 / eventBytes / perMillisecond);
  }
}
