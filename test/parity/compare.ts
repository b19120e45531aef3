import type { Outcome, ParityCase, ParityTool, Step } from './tool.ts';
import { excerpt, Twin } from './twins.ts';

/** What a run over the table found. */
export interface ParityReport {
  readonly cases: number;
  readonly same: number;
  /** Cases that differ as intended, by the id of the difference. */
  readonly intended: ReadonlyMap<string, number>;
  /** Lines about cases that differ and should not, or should and do not. */
  readonly failures: readonly string[];
}

/** Seeds count down: after so many milliseconds they are made anew, so that timeouts round alike. */
const SEED_LIFE = 15_000;

/** Gives every case to both programs, each in a namespace of its own, and compares what they did. */
export async function compare(tool: ParityTool, cases: readonly ParityCase[]): Promise<ParityReport> {
  // namespaces last as long as the process, which may compare several tools
  const real = new Twin(`${tool.name}-real`);
  const ours = new Twin(`${tool.name}-ours`);
  const failures: string[] = [];
  const intended = new Map<string, number>();
  let same = 0;
  /** What both namespaces hold; undefined once a case may have changed it. */
  let seeded: readonly Step[] | undefined;
  let seededAt = 0;
  try {
    for (const each of cases) {
      const wanted = each.seed ?? tool.seed;
      if (!each.continues && (seeded !== wanted || Date.now() - seededAt > SEED_LIFE)) {
        await Promise.all([seed(tool, wanted, real), seed(tool, wanted, ours)]);
        seeded = wanted;
        seededAt = Date.now();
      }
      const mayChange = tool.mayChange(each);
      const [theirs, mine] = await Promise.all([
        observe(tool, each, real, 'real', mayChange),
        observe(tool, each, ours, 'ours', mayChange),
      ]);
      if (mayChange) seeded = undefined;
      const difference = differenceOf(theirs, mine);
      if (difference === undefined) {
        same++;
        if (each.differs) failures.push(`${title(tool, each)}\n  is no different: ${each.differs}`);
      } else if (each.differs) intended.set(each.differs, (intended.get(each.differs) ?? 0) + 1);
      else failures.push(`${title(tool, each)}\n${difference}`);
    }
  } finally {
    real.end();
    ours.end();
  }
  return { cases: cases.length, same, intended, failures };
}

async function seed({ name }: ParityTool, steps: readonly Step[], twin: Twin): Promise<void> {
  for (const step of steps) {
    const { status, stderr } = await twin.run('real', name, step);
    if (status !== 0) throw new Error(`seed ${step.args.join(' ')}: exit ${status}: ${stderr}`);
  }
}

interface Observation {
  readonly outcome: Outcome;
  readonly state: string;
}

async function observe(
  tool: ParityTool,
  each: ParityCase,
  twin: Twin,
  program: 'real' | 'ours',
  mayChange: boolean,
): Promise<Observation> {
  const { status, stdout, stderr } = await twin.run(program, tool.name, each);
  const outcome = {
    status,
    stdout: tool.normalise(stdout, 'stdout'),
    stderr: tool.normalise(stderr, 'stderr'),
  };
  if (!mayChange) return { outcome, state: '' };
  const states: string[] = [];
  for (const step of tool.state) states.push((await twin.run('real', tool.name, step)).stdout);
  return { outcome, state: tool.normalise(states.join(''), 'state') };
}

function differenceOf(real: Observation, ours: Observation): string | undefined {
  const parts: (readonly [string, unknown, unknown])[] = [
    ['exit code', real.outcome.status, ours.outcome.status],
    ['stdout', real.outcome.stdout, ours.outcome.stdout],
    ['stderr', real.outcome.stderr, ours.outcome.stderr],
    ['state', real.state, ours.state],
  ];
  const differing = parts.filter(([, theirs, mine]) => theirs !== mine);
  if (differing.length === 0) return undefined;
  const side = (value: unknown) => excerpt(String(value)).replace(/^/gm, '    ');
  return differing
    .map(([what, theirs, mine]) => `  ${what}\n   real:\n${side(theirs)}\n   ours:\n${side(mine)}`)
    .join('\n');
}

/** The command line as it would be typed. */
export function title({ name }: ParityTool, { args, input }: ParityCase): string {
  const words = args.map((word) => (/^[\w./:,=@%+-]+$/.test(word) ? word : `'${word}'`));
  return `${[name, ...words].join(' ')}${input === undefined ? '' : ` <<< ${JSON.stringify(input.slice(0, 200))}`}`;
}
