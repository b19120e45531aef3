/**
 * Runs the real ipset(8) and ours side by side, each in a network namespace of its own, over the table of
 * command lines, and compares the exit code, both outputs and the sets that the kernel has afterwards.
 *
 *     ip netns exec NAME node --import tsx test/parity/ipset.ts TWIN [words of a scenario's name]
 *
 * Ours runs in this process, in the namespace of the process; the real one in the namespace TWIN.
 */
import { spawnSync } from 'node:child_process';
import { runCli } from '../support/captureIo.ts';
import { type Scenario, type Step, scenarios } from './ipsetTable.ts';

/** What a program did. */
interface Outcome {
  readonly exitCode: number | null;
  readonly out: string;
  readonly err: string;
}

/** Command lines that are meant to differ: docs/differences-ipset.md says why. */
const intended: readonly ((args: readonly string[]) => boolean)[] = [
  // numbers are checked: skbmark, skbprio and negative counters
  (args) =>
    args.some((word, i) =>
      word === 'skbmark' || word === 'skbprio'
        ? !/^(?:0x[0-9a-f]{1,8}(?:\/0x[0-9a-f]{1,8})?|[0-9a-f]{1,4}:[0-9a-f]{1,4})$/i.test(args[i + 1] ?? '')
        : (word === 'packets' || word === 'bytes') && args[i + 1]?.startsWith('-') === true,
    ),
  // one more form of output
  (args) => args.includes('json'),
  // help of a type ends with examples
  (args) => args[0] === 'help' && args.length > 1,
];

/** Where the two programs parted. */
export interface Difference {
  readonly scenario: string;
  readonly line: string;
  readonly what: 'exit code' | 'standard output' | 'standard error' | 'sets';
  readonly real: string;
  readonly ours: string;
}

function runReal(namespace: string | undefined, { args, input = '' }: Step): Outcome {
  const command =
    namespace === undefined ? ['ipset', ...args] : ['ip', 'netns', 'exec', namespace, 'ipset', ...args];
  const done = spawnSync(command[0]!, command.slice(1), { input, encoding: 'utf8', maxBuffer: 1 << 28 });
  return { exitCode: done.status, out: done.stdout, err: done.stderr };
}

async function runOurs({ args, input = '' }: Step): Promise<Outcome> {
  return runCli(['ipset', ...args], { input: input === '' ? [] : [input] });
}

/** The order of a hash, and time that has passed, are no difference. */
function normal(text: string): string {
  return text
    .replace(/initval(>| )0x[0-9a-f]{8}/g, 'initval$1RANDOM')
    .replace(
      /timeout(>| )(\d{3,})/g,
      (_, mark, seconds) => `timeout${mark}${Math.round(Number(seconds) / 50)}`,
    )
    .replace(/(memsize>|Size in memory: )\d+/g, '$1N')
    .split('\n')
    .sort()
    .join('\n');
}

function same(real: string, ours: string): boolean {
  return real === ours || normal(real) === normal(ours);
}

/** Runs one scenario in both namespaces. */
export async function compare(scenario: Scenario, twin: string): Promise<Difference[]> {
  const differences: Difference[] = [];
  const note = (line: string, what: Difference['what'], real: string, ours: string) =>
    differences.push({ scenario: scenario.name, line, what, real, ours });
  for (const step of scenario.steps) {
    if (intended.some((matches) => matches(step.args))) continue;
    const real = runReal(twin, step);
    const ours = await runOurs(step);
    // it was ended by a signal: a fault of its own, in place of which ours says what is wrong
    if (real.exitCode === null) {
      if (ours.exitCode !== 1) note(step.args.join(' '), 'exit code', 'crash', String(ours.exitCode));
      // the sets of a restore file part here
      if (step.input !== undefined) break;
      continue;
    }
    const line = ['ipset', ...step.args.map((word) => JSON.stringify(word))].join(' ');
    if (real.exitCode !== ours.exitCode)
      note(line, 'exit code', String(real.exitCode), String(ours.exitCode));
    if (!same(real.out, ours.out)) note(line, 'standard output', real.out, ours.out);
    if (real.err !== ours.err) note(line, 'standard error', real.err, ours.err);
    if (!changes(step)) continue;
    const save = { args: ['save'] };
    const [theirs, mine] = [runReal(twin, save).out, runReal(undefined, save).out];
    if (!same(theirs, mine)) note(line, 'sets', theirs, mine);
  }
  for (const namespace of [twin, undefined]) {
    // a list keeps its members
    runReal(namespace, { args: ['flush'] });
    runReal(namespace, { args: ['destroy'] });
  }
  return differences;
}

function changes({ args }: Step): boolean {
  return !args.some((word) => /^-?-?(?:li?s?t?|L|save|S|test|T|help|version)$/.test(word));
}

async function main(twin: string, words: readonly string[]): Promise<void> {
  const chosen = scenarios.filter(({ name }) => words.every((word) => name.includes(word)));
  let steps = 0;
  let differing = 0;
  for (const scenario of chosen) {
    const differences = await compare(scenario, twin);
    steps += scenario.steps.length;
    differing += differences.length;
    for (const { line, what, real, ours } of differences) {
      console.log(
        `${scenario.name}: ${line}\n  ${what}\n  real: ${JSON.stringify(real)}\n  ours: ${JSON.stringify(ours)}`,
      );
    }
  }
  console.log(`${chosen.length} scenarios, ${steps} command lines, ${differing} differences`);
  process.exitCode = differing === 0 ? 0 : 1;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [twin, ...words] = process.argv.slice(2);
  if (twin === undefined) throw new Error('name the namespace of the real program');
  await main(twin, words);
}
