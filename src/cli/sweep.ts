import { eventText } from '../daemon/eventText.ts';
import { mwan3Readiness } from '../daemon/mwan3/readiness.ts';
import { type SingleSweep, sweepOnce } from '../daemon/singleSweep.ts';
import { systemSockets } from '../daemon/sockets.ts';
import { systemStateFiles } from '../daemon/stateFiles.ts';
import { withSurvey } from '../daemon/survey.ts';
import type { DaemonEvent } from '../daemon/tell.ts';
import { systemClock } from '../nfnetlink/clock.ts';
import { addSourceOptions, loadSource, type PlanSource } from './configuration.ts';
import { CliError } from './errors.ts';
import { EXIT, type Io, write } from './io.ts';
import type { AddCommand } from './run.ts';

interface SweepOptions extends PlanSource {
  readonly dryRun?: true;
  readonly json?: true;
}

const examples = `
Works by itself, within the configured budget, and knows nothing of what a running daemon remembers of flows
that came back: where one runs, ask it with resteer control sweep. With --mwan3 it waits until mwan3 is at rest, and
refuses to work where that is stopped; a state of an interface counts as it is, without any hold-down.

Examples:
  resteer sweep --dry-run
  resteer sweep --config ./resteer.json
  resteer sweep --mwan3 --dry-run
  resteer sweep --dry-run --json | jq '.actions[].flow'`;

/** `resteer sweep`: one pass over the table now. */
export const addSweep: AddCommand = (program, io, exit) => {
  const command = program
    .command('sweep')
    .summary('one pass over the table now')
    .description(
      'Judges the flows of the table that could be misplaced, once, prints the verdicts, and resets the misplaced ones.',
    );
  addSourceOptions(command)
    .option('-n, --dry-run', 'say what would be reset, reset nothing')
    .option('-j, --json', 'one JSON object')
    .addHelpText('after', examples)
    .action(async (options: SweepOptions) => exit(await sweep(options, io)));
};

type Action = Extract<DaemonEvent, { event: 'reset' | 'warning' }>;

async function sweep(options: SweepOptions, io: Io): Promise<number> {
  const { plan, warnings, settings } = await loadSource(options);
  if (settings) await waitForMwan3(options.root ?? '/', settings.settleMs);
  const actions: Action[] = [];
  const tell = (event: DaemonEvent) => {
    // what a budget holds back now is reset a moment later
    if (event.event !== 'reset' && event.event !== 'warning') return;
    actions.push(event);
    if (!options.json) io.stdout.write(`${eventText(event)}\n`);
  };
  for (const why of warnings)
    tell({ event: 'warning', what: 'mwan3', why, todo: 'resteer check --mwan3 prints the plan' });
  const machine = { sockets: systemSockets, files: systemStateFiles, clock: systemClock };
  const done = await withSurvey({ plan, ...machine }, (survey) => {
    for (const why of survey.warnings) {
      tell({ event: 'warning', what: 'interface state', why, todo: 'correct the file' });
    }
    const effective = options.dryRun ? { ...plan, dryRun: true } : plan;
    return sweepOnce({ plan: effective, survey, clock: systemClock, wallNow: Date.now, tell });
  });
  await write(io.stdout, options.json ? `${JSON.stringify({ ...done, actions })}\n` : summaryText(done));
  return done.resets.refused + done.resets.offloaded > 0 ? EXIT.FAILED : EXIT.DONE;
}

/** While its files are half written, an interface that is online may look offline, and its flows misplaced. */
async function waitForMwan3(root: string, settleMs: number): Promise<void> {
  const files = systemStateFiles;
  const ready = await mwan3Readiness({ files, clock: systemClock, wallNow: Date.now, root, settleMs });
  if (ready === 'ready') return;
  throw ready === 'stopped'
    ? new CliError('mwan3', 'it is stopped', 'mwan3 start, or wait until it has started', EXIT.FAILED)
    : new CliError('mwan3', 'it does not come to rest', 'try again when it has set its rules', EXIT.FAILED);
}

function summaryText({ flows, ms, verdicts, ignored, resets }: SingleSweep): string {
  const counts = [
    `${flows} flows read in ${ms} ms: ${countsText(verdicts)}`,
    ...(verdicts.ignored > 0 ? [`ignored as: ${countsText(ignored)}`] : []),
    ...(verdicts.misplaced > 0 ? [`resets: ${countsText(resets)}`] : []),
  ];
  return `${counts.join('\n')}\n`;
}

function countsText(counts: Readonly<Record<string, number>>): string {
  const said = Object.entries(counts).filter(([, count]) => count > 0);
  return said.map(([name, count]) => `${count} ${name}`).join(', ') || 'nothing to judge';
}
