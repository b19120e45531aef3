import { DEFAULT_CONFIG_FILE } from '../daemon/config/config.ts';
import { eventText } from '../daemon/eventText.ts';
import { type SingleSweep, sweepOnce } from '../daemon/singleSweep.ts';
import { systemSockets } from '../daemon/sockets.ts';
import { systemStateFiles } from '../daemon/stateFiles.ts';
import { withSurvey } from '../daemon/survey.ts';
import type { DaemonEvent } from '../daemon/tell.ts';
import { systemClock } from '../nfnetlink/clock.ts';
import { loadConfiguration } from './configuration.ts';
import { EXIT, type Io, write } from './io.ts';
import type { AddCommand } from './run.ts';

interface SweepOptions {
  readonly config: string;
  readonly dryRun?: true;
  readonly json?: true;
}

const examples = `
Works by itself, within the configured budget, and knows nothing of what a running daemon remembers of flows
that came back: where one runs, ask it with resteer control sweep.

Examples:
  resteer sweep --dry-run
  resteer sweep --config ./resteer.json
  resteer sweep --dry-run --json | jq '.actions[].flow'`;

/** `resteer sweep`: one pass over the table now. */
export const addSweep: AddCommand = (program, io, exit) => {
  program
    .command('sweep')
    .summary('one pass over the table now')
    .description(
      'Judges the flows of the table that could be misplaced, once, prints the verdicts, and resets the misplaced ones.',
    )
    .option('-c, --config <file>', 'configuration', DEFAULT_CONFIG_FILE)
    .option('-n, --dry-run', 'say what would be reset, reset nothing')
    .option('-j, --json', 'one JSON object')
    .addHelpText('after', examples)
    .action(async (options: SweepOptions) => exit(await sweep(options, io)));
};

type Action = Extract<DaemonEvent, { event: 'reset' | 'warning' }>;

async function sweep(options: SweepOptions, io: Io): Promise<number> {
  const plan = loadConfiguration(options.config);
  const actions: Action[] = [];
  const tell = (event: DaemonEvent) => {
    // what a budget holds back now is reset a moment later
    if (event.event !== 'reset' && event.event !== 'warning') return;
    actions.push(event);
    if (!options.json) io.stdout.write(`${eventText(event)}\n`);
  };
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
