/** One command line that both programs are given. */
export interface ParityCase {
  readonly args: readonly string[];
  readonly input?: string;
  /** Id of the intended difference that this line shows; the runner demands that it does differ. */
  readonly differs?: string;
  /** Steps that bring a namespace to where this case begins, in place of the tool's own. */
  readonly seed?: readonly Step[];
  /** Begins where the case before it ended, whatever that did. */
  readonly continues?: boolean;
}

/** What one program did. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command line of the real program that is run in both namespaces. */
export interface Step {
  readonly args: readonly string[];
  readonly input?: string;
}

/** A program that resteer stands for, and how to hold it to the real one. */
export interface ParityTool {
  /** The name of both: the real program, and resteer's command. */
  readonly name: string;
  /** Steps of the real program that bring a namespace to where a case begins. */
  readonly seed: readonly Step[];
  /** Steps of the real program whose output is the state that a case leaves behind. */
  readonly state: readonly Step[];
  /** Whether a case may change the state: it is compared, and the namespace seeded anew. */
  mayChange(each: ParityCase): boolean;
  /** Takes out of an output what differs between two runs of the same program: times, ids, order. */
  normalise(text: string, stream: 'stdout' | 'stderr' | 'state'): string;
  /** Everything, hand-written and generated; the same in every run. */
  cases(): ParityCase[];
}

/** Cases that are wanted, each with those that go on from it. `index` does not count these. */
export function sampleOf(
  cases: readonly ParityCase[],
  isWanted: (first: ParityCase, index: number) => boolean,
): ParityCase[] {
  let index = -1;
  let isTaken = false;
  return cases.filter((each) => {
    if (!each.continues) isTaken = isWanted(each, ++index);
    return isTaken;
  });
}
