import type { Clock, Timer } from '../nfnetlink/clock.ts';

interface Alarm {
  readonly at: number;
  readonly callback: () => void;
  isRef: boolean;
}

/** A clock that stands until it is moved, so that a test of timeouts neither sleeps nor depends on luck. */
export class ManualClock implements Clock {
  #now = 0;
  #alarms: Alarm[] = [];
  #turns: (() => void)[] = [];

  /** Timers that wait; none should be left when everything is closed. */
  get timers(): number {
    return this.#alarms.length;
  }

  /** Those of them that would keep the process alive. */
  get refTimers(): number {
    return this.#alarms.filter(({ isRef }) => isRef).length;
  }

  /** Calls that wait for the next turn of the event loop. */
  get turns(): number {
    return this.#turns.length;
  }

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, callback: () => void): Timer {
    const alarm: Alarm = { at: this.#now + milliseconds, callback, isRef: true };
    this.#alarms.push(alarm);
    return {
      cancel: () => {
        this.#alarms = this.#alarms.filter((other) => other !== alarm);
      },
      unref: () => {
        alarm.isRef = false;
      },
    };
  }

  nextTurn(callback: () => void): void {
    this.#turns.push(callback);
  }

  /** Moves time, calling what falls due in its order, each at its own time and followed by a turn. */
  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (let alarm = this.#next(end); alarm; alarm = this.#next(end)) {
      this.#now = Math.max(this.#now, alarm.at);
      this.#alarms = this.#alarms.filter((other) => other !== alarm);
      alarm.callback();
      this.turn();
    }
    this.#now = end;
  }

  /** Lets the event loop turn: what asked for the next turn is called, what asks meanwhile is not. */
  turn(times = 1): void {
    for (let i = 0; i < times; i++) {
      const turns = this.#turns;
      this.#turns = [];
      for (const callback of turns) callback();
    }
  }

  #next(end: number): Alarm | undefined {
    let first: Alarm | undefined;
    for (const alarm of this.#alarms) if (alarm.at <= end && (!first || alarm.at < first.at)) first = alarm;
    return first;
  }
}
