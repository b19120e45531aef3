/** A call that is to come. */
export interface Timer {
  cancel(): void;
  /** Lets the process end before the call. */
  unref(): void;
}

/** Where time comes from, so that a test can move it. */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number;
  /** Calls back once, no earlier than after so many milliseconds. */
  after(milliseconds: number, callback: () => void): Timer;
  /** Calls back in the next turn of the event loop, after what is readable now has been read. */
  nextTurn(callback: () => void): void;
}

/** setTimeout's limit, about 25 days; more would fire at once. */
const longestDelay = 0x7fffffff;

/** The clock of this process. */
export const systemClock: Clock = {
  now() {
    // the same clock as performance.now(), for which Node loads perf_hooks: a millisecond, and as many megabytes
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1000 + nanoseconds / 1e6;
  },
  after(milliseconds, callback) {
    const timer = setTimeout(callback, Math.min(milliseconds, longestDelay));
    return { cancel: () => clearTimeout(timer), unref: () => void timer.unref() };
  },
  nextTurn: (callback) => void setImmediate(callback),
};
