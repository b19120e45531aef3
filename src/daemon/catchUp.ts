import type { Clock } from '../nfnetlink/clock.ts';
import type { EventLag } from './eventLag.ts';

/**
 * So many looks at the reading of events, so far apart, show that none wait: longer than moderation pauses
 * it, and in the turn of an overrun few are read although many wait.
 */
const LOOKS = 3;
const LOOK_MS = 10;

/**
 * Waits until the events that are in the socket have been read. After an overrun the kernel drops every event
 * until then, so a table that is read earlier may lack flows of which nobody hears.
 * Source: netlink_rcv_wake() in net/netlink/af_netlink.c.
 */
export class CatchUp {
  readonly #lag: EventLag;
  readonly #clock: Clock;
  /** Who waits, and how many quiet looks that takes yet. */
  readonly #waiting = new Map<() => void, number>();
  #isLooking = false;

  constructor(lag: EventLag, clock: Clock) {
    this.#lag = lag;
    this.#clock = clock;
  }

  /** Calls back once the events that wait now have been read. */
  once(callback: () => void): void {
    this.#waiting.set(callback, LOOKS);
    this.#look();
  }

  /** Calls nobody back any more. */
  stop(): void {
    this.#waiting.clear();
  }

  /** Looks again and again whether the reading of events is behind, as long as someone waits. */
  #look(): void {
    if (this.#isLooking || this.#waiting.size === 0) return;
    this.#isLooking = true;
    // what is readable by then is read between the timer and the next turn
    const timer = this.#clock.after(LOOK_MS, () =>
      this.#clock.nextTurn(() => {
        this.#isLooking = false;
        const isBehind = this.#lag.takeFullTurn();
        for (const [callback, looks] of this.#waiting) {
          if (isBehind) this.#waiting.set(callback, LOOKS);
          else if (looks > 1) this.#waiting.set(callback, looks - 1);
          else if (this.#waiting.delete(callback)) callback();
        }
        this.#look();
      }),
    );
    timer.unref();
  }
}
