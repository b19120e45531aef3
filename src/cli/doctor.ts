import { readFileSync } from 'node:fs';
import { openConnection } from '../nfnetlink/open.ts';
import { describeTransport } from '../nfnetlink/transport/select.ts';
import { findings, machineChecks } from './doctor/checks.ts';
import { gatherFacts, type Machine } from './doctor/facts.ts';
import type { Finding } from './doctor/finding.ts';
import { reportText } from './doctor/report.ts';
import { EXIT, type Io, wantsColour, write } from './io.ts';
import type { AddCommand } from './run.ts';

interface DoctorOptions {
  readonly json?: true;
  readonly strict?: true;
}

const examples = `
Examples:
  resteer doctor
  resteer doctor --strict && echo ready
  resteer doctor --json | jq '.checks[] | select(.status != "ok")'

Exit codes: 0 well (warnings included, unless --strict), 1 warnings with --strict, 2 failures.`;

/** What the doctor says with its exit code, which is not that of other commands. */
const VERDICT = { WELL: EXIT.DONE, WARNINGS: 1, FAILURES: 2 } as const;

/** `resteer doctor`: whether this machine can do the job. */
export const addDoctor: AddCommand = (program, io, exit) => {
  program
    .command('doctor')
    .summary('whether this machine can do the job, and what mends it')
    .description(
      'Looks at privileges, kernel, sysctls and runtime: what was found, why it matters, what mends it.',
    )
    .option('-j, --json', 'one JSON object')
    .option('-s, --strict', 'exit with 1 on warnings')
    .addHelpText('after', examples)
    .action(async (options: DoctorOptions) => exit(await doctor(thisMachine, options, io)));
};

const thisMachine: Machine = {
  platform: process.platform,
  nodeVersion: process.versions.node,
  readText(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  },
  describeTransport,
  openRequester: () => openConnection(),
};

/** Examines a machine, prints the report and returns the exit code. */
export async function doctor(machine: Machine, options: DoctorOptions, io: Io): Promise<number> {
  const found = findings(machineChecks, await gatherFacts(machine));
  const text = options.json
    ? `${JSON.stringify({ status: worst(found), checks: found })}\n`
    : reportText(found, wantsColour(io));
  await write(io.stdout, text);
  const status = worst(found);
  if (status === 'fail') return VERDICT.FAILURES;
  return status === 'warn' && options.strict ? VERDICT.WARNINGS : VERDICT.WELL;
}

function worst(found: readonly Finding[]): Finding['status'] {
  const has = (wanted: Finding['status']) => found.some(({ status }) => status === wanted);
  return has('fail') ? 'fail' : has('warn') ? 'warn' : 'ok';
}
