/** A difference between the clocks that is no rounding: the time of day was set. */
const STEP_MS = 5;

/**
 * The time of day to a fraction of a microsecond. It follows a clock that is set while we run, as that of a router
 * is once it has found a time server.
 */
export class WallClock {
  readonly #monotonic: () => number;
  readonly #wall: () => number;
  #origin: number;

  /** @param monotonic milliseconds with a fraction; @param wall whole milliseconds since 1970 */
  constructor(monotonic: () => number, wall: () => number) {
    this.#monotonic = monotonic;
    this.#wall = wall;
    this.#origin = wall() - monotonic();
  }

  /** Milliseconds since 1970, with a fraction. */
  now(): number {
    return this.#monotonic() + this.#origin;
  }

  /** Looks whether the time of day was set since the last look. */
  adjust(): void {
    const origin = this.#wall() - this.#monotonic();
    if (Math.abs(origin - this.#origin) > STEP_MS) this.#origin = origin;
  }
}
