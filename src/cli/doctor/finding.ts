export type Status = 'ok' | 'warn' | 'fail';

/** What one check has to say. */
export interface Finding {
  /** What was looked at, in a word or two; the same on every machine. */
  readonly name: string;
  readonly status: Status;
  /** What is the case here. */
  readonly found: string;
  /** Why it matters. */
  readonly why: string;
  /** The command, or the step, that mends it. */
  readonly mend?: string;
}

/** Looks at gathered facts and judges one thing. Undefined where there is nothing to judge. */
export type Check<Facts> = (facts: Facts) => Finding | undefined;
