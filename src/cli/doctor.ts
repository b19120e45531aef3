import { existsSync, readFileSync, statSync } from 'node:fs';
import { DEFAULT_CONFIG_FILE } from '../daemon/config/config.ts';
import { askDaemon, DEFAULT_CONTROL_PATH } from '../daemon/controlClient.ts';
import { systemStateFiles } from '../daemon/stateFiles.ts';
import { openConnection } from '../nfnetlink/open.ts';
import { describeTransport } from '../nfnetlink/transport/select.ts';
import { addSourceOptions, loadSource, type PlanSource } from './configuration.ts';
import { findings, machineChecks } from './doctor/checks.ts';
import { gatherFacts, type Machine } from './doctor/facts.ts';
import type { Finding } from './doctor/finding.ts';
import { planChecks } from './doctor/planChecks.ts';
import { gatherPlanFacts, type Site } from './doctor/planFacts.ts';
import { reportText } from './doctor/report.ts';
import { EXIT, type Io, wantsColour, write } from './io.ts';
import type { AddCommand } from './run.ts';

interface ReportOptions {
  readonly json?: true;
  readonly strict?: true;
}

interface DoctorOptions extends ReportOptions, PlanSource {
  readonly control: string;
}

const examples = `
Examples:
  resteer doctor
  resteer doctor --config ./resteer.json
  resteer doctor --strict && echo ready
  resteer doctor --json | jq '.checks[] | select(.status != "ok")'

Exit codes: 0 well (warnings included, unless --strict), 1 warnings with --strict, 2 failures.`;

/** What the doctor says with its exit code, which is not that of other commands. */
const VERDICT = { WELL: EXIT.DONE, WARNINGS: 1, FAILURES: 2 } as const;

/** `resteer doctor`: whether this machine can do the job. */
export const addDoctor: AddCommand = (program, io, exit) => {
  const command = program
    .command('doctor')
    .summary('whether this machine can do the job, and what mends it')
    .description(
      'Looks at privileges, kernel, sysctls, runtime and configuration: what was found, why it matters, what ' +
        'mends it.',
    );
  addSourceOptions(command)
    .option('--control <path>', 'control socket', DEFAULT_CONTROL_PATH)
    .option('-j, --json', 'one JSON object')
    .option('-s, --strict', 'exit with 1 on warnings')
    .addHelpText('after', examples)
    .action(async (options: DoctorOptions) => exit(await doctor(thisMachine, siteOf(options), options, io)));
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

/** What the options name. A configuration that nobody named may be missing. */
function siteOf({ control, ...source }: DoctorOptions): Site {
  const isUsual = !source.mwan3 && source.config === DEFAULT_CONFIG_FILE;
  return {
    source: source.mwan3 ? 'mwan3' : source.config,
    isMwan3: source.mwan3 === true,
    loadPlan: async () => (isUsual && !existsSync(source.config) ? undefined : loadSource(source)),
    files: systemStateFiles,
    openRequester: () => openConnection(),
    controlPath: control,
    controlMode() {
      try {
        return statSync(control).mode & 0o777;
      } catch {
        return undefined;
      }
    },
    askStatus: () => askDaemon(control, { command: 'status' }),
  };
}

/** Examines a machine and its configuration, prints the report and returns the exit code. */
export async function doctor(machine: Machine, site: Site, options: ReportOptions, io: Io): Promise<number> {
  const found = [
    ...findings(machineChecks, await gatherFacts(machine)),
    ...findings(planChecks, await gatherPlanFacts(site)),
  ];
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
