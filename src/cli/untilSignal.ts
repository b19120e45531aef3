import { systemClock } from '../nfnetlink/clock.ts';

export interface EndOptions {
  /** Signals beside those of Ctrl-C and of service managers. */
  readonly more?: readonly NodeJS.Signals[];
  /** The time after which it ends without a signal, in milliseconds; a process that ends before does not wait for it. */
  readonly duration?: number | undefined;
}

/** Resolves at the first of the signals, or when the time is over; the next signal ends the process, as if nobody listened. */
export function untilSignal({ more = [], duration }: EndOptions = {}): Promise<void> {
  const signals = ['SIGINT', 'SIGTERM', ...more] as const;
  return new Promise((resolve) => {
    const end = () => {
      for (const signal of signals) process.off(signal, end);
      resolve();
    };
    if (duration !== undefined) systemClock.after(duration, end).unref();
    for (const signal of signals) process.on(signal, end);
  });
}
