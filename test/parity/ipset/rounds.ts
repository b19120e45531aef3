import type { ParityCase, Step } from '../tool.ts';

/** Command lines that follow each other, from a state on. */
export interface Round {
  /** Lines of a restore file that make the state; there are no sets before it. */
  readonly seed?: string;
  readonly steps: readonly ParityCase[];
}

/** A line as it would be typed; quotes keep white space together. */
export function step(line: string, input?: string): Step {
  const args = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
  return { args, ...(input !== undefined && { input }) };
}

const seeds = new Map<string, readonly Step[]>();

/** The step that makes a state; one object for each, so that a state that is there is not made again. */
export function seedSteps(lines: string): readonly Step[] {
  let steps = seeds.get(lines);
  if (steps === undefined) {
    // a list keeps its members alive
    steps = [{ args: ['restore'], input: `flush\ndestroy\n${lines}` }];
    seeds.set(lines, steps);
  }
  return steps;
}

/** The lines of a round, of which each but the first goes on where the one before it ended. */
export function casesOf({ seed = '', steps }: Round): ParityCase[] {
  return steps.map((each, i) =>
    i === 0 ? { ...each, seed: seedSteps(seed) } : { ...each, continues: true },
  );
}
