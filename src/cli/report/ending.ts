import type { Clock, Timer } from '../../nfnetlink/clock.ts';

/** When a report is over: whichever of its ends comes first. */
export class Ending {
  /** Resolves when it is over; rejects when it cannot go on. */
  readonly over: Promise<void>;
  readonly #clock: Clock;
  #settle: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;
  readonly #timers: Timer[] = [];
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.over = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // a failure that nobody waits for any more is none
    this.over.catch(() => {});
  }

  readonly end = (): void => this.#settle?.resolve();
  readonly fail = (error: unknown): void => this.#settle?.reject(error);

  endAfter(milliseconds: number): void {
    this.#timers.push(this.#clock.after(milliseconds, this.end));
  }

  /** Ends it when nothing new has come for so long. */
  endAtRest(milliseconds: number, lastNew: () => number): void {
    const look = (): void => {
      const left = lastNew() + milliseconds - this.#clock.now();
      if (left <= 0) this.end();
      else this.#timers[place] = this.#clock.after(left, look);
    };
    const place = this.#timers.length;
    look();
  }

  /** Does something again and again, with pauses; where it fails, that is the end. */
  every(milliseconds: number, work: () => Promise<void>): void {
    const place = this.#timers.length;
    const next = (): void => {
      if (this.#isClosed) return;
      this.#timers[place] = this.#clock.after(milliseconds, () => void work().then(next, this.fail));
    };
    next();
  }

  /** Waits for something, but no longer than until it is over; what fails then is nobody's. */
  async orOver(work: Promise<void>): Promise<void> {
    work.catch(() => {});
    await Promise.race([work, this.over]);
  }

  /** No timer runs any more. */
  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) timer.cancel();
  }
}
