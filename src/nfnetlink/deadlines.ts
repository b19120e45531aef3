import type { Clock, Timer } from './clock.ts';

/**
 * One timer for many deadlines. It is never moved to a later time, so that a request which is answered in
 * time costs no timer call: when it fires, the owner looks at everything that still waits.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #look: (now: number) => number;
  #timer: Timer | undefined;
  #at = Number.POSITIVE_INFINITY;

  /** @param look deals with what is due and returns the earliest deadline that is left, or Infinity */
  constructor(clock: Clock, look: (now: number) => number) {
    this.#clock = clock;
    this.#look = look;
  }

  /** Makes sure that the owner looks at the given time at the latest. */
  add(at: number): void {
    if (at >= this.#at) return;
    this.#timer?.cancel();
    this.#at = at;
    this.#timer = this.#clock.after(Math.max(0, at - this.#clock.now()), () => this.#fire());
    this.#timer.unref();
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#at = Number.POSITIVE_INFINITY;
  }

  #fire(): void {
    // after a blocked event loop the answer is there but not read: reading comes first
    this.#clock.nextTurn(() => {
      this.cancel();
      this.add(this.#look(this.#clock.now()));
    });
  }
}
