import type { Clock, Timer } from '../nfnetlink/clock.ts';

interface Step {
  readonly at: number;
  /** Steps of one moment go in the order in which they were asked for. */
  readonly order: number;
  callback: (() => void) | undefined;
}

/** Steps that one turn of the real event loop makes at most. */
const STEPS_A_TURN = 64;

/**
 * Time that passes only in run(), from step to step, in an order that follows from what was asked for alone.
 * Each step is a macrotask of its own: every promise that it settled has run its course before the next, so
 * nothing depends on the machine's own event loop.
 */
export class VirtualClock implements Clock {
  readonly #mostSteps: number;
  #now: number;
  #asked = 0;
  #steps = 0;
  /** A binary heap: no step is before its parent, which is at half its index. */
  readonly #heap: Step[] = [];

  /**
   * @param start milliseconds that it shows at first
   * @param mostSteps more are taken for a loop without end, and run() rejects
   */
  constructor(start = 0, mostSteps = Number.POSITIVE_INFINITY) {
    this.#now = start;
    this.#mostSteps = mostSteps;
  }

  /** How many steps were made. */
  get steps(): number {
    return this.#steps;
  }

  /** Steps that are still to come, without those that were cancelled. */
  get waiting(): number {
    return this.#heap.reduce((count, { callback }) => count + (callback ? 1 : 0), 0);
  }

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, callback: () => void): Timer {
    const step = { at: this.#now + Math.max(0, milliseconds), order: this.#asked++, callback };
    this.#push(step);
    return {
      cancel: () => {
        (step as Step).callback = undefined;
      },
      unref: () => {},
    };
  }

  nextTurn(callback: () => void): void {
    this.#push({ at: this.#now, order: this.#asked++, callback });
  }

  /**
   * Makes every step up to `end`, which it shows then; ends earlier where `isOver` says so before a step.
   * Rejects with what a step throws.
   */
  run(end: number, isOver: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      let isDone = false;
      const settle = (error?: unknown) => {
        isDone = true;
        if (error === undefined) resolve();
        else reject(error);
      };
      const step = () => {
        if (isDone) return;
        if (isOver()) settle();
        else if (this.#isDue(end)) this.#step(settle);
        else {
          this.#now = Math.max(this.#now, end);
          settle();
        }
      };
      const turn = () => {
        if (isDone) return;
        // one more than there are now finds that nothing is left, or what they have asked for
        for (let i = Math.min(STEPS_A_TURN, this.#heap.length + 1); i > 0; i--) setImmediate(step);
        setImmediate(turn);
      };
      turn();
    });
  }

  /**
   * Moves time on where no step is due up to then; false, and nothing done, where one is. Nothing may be under way
   * beside steps.
   */
  skipTo(time: number): boolean {
    if (this.#isDue(time)) return false;
    this.#now = Math.max(this.#now, time);
    return true;
  }

  /**
   * Makes steps until the promise settles, and settles like it.
   * @throws Error where it has not within so many milliseconds.
   */
  async settle<T>(promise: Promise<T>, limit: number): Promise<T> {
    let isSettled = false;
    const note = () => {
      isSettled = true;
    };
    promise.then(note, note);
    await this.run(this.#now + limit, () => isSettled);
    if (!isSettled) throw new Error(`nothing came of it within ${limit} ms`);
    return promise;
  }

  #isDue(end: number): boolean {
    while (this.#heap.length > 0 && !this.#heap[0]!.callback) this.#pop();
    return this.#heap.length > 0 && this.#heap[0]!.at <= end;
  }

  #step(fail: (error: unknown) => void): void {
    if (++this.#steps > this.#mostSteps) {
      fail(new Error(`no end after ${this.#mostSteps} steps, at ${this.#now} ms`));
      return;
    }
    const { at, callback } = this.#pop();
    this.#now = Math.max(this.#now, at);
    try {
      callback!();
    } catch (error) {
      fail(error);
    }
  }

  #push(step: Step): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(step);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent]!, step)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = step;
  }

  #pop(): Step {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (isBefore(last, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Step, b: Step): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
