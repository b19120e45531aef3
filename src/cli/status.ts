import { askDaemon, DEFAULT_CONTROL_PATH } from '../daemon/controlClient.ts';
import type { DaemonStatus } from '../daemon/status.ts';
import { statusText } from '../daemon/statusText.ts';
import { type Io, write } from './io.ts';
import type { AddCommand } from './run.ts';

interface StatusOptions {
  readonly control: string;
  readonly json?: true;
}

const examples = `
Counters begin with the daemon's start. Times are milliseconds, sizes bytes in JSON.

Examples:
  resteer status
  resteer status --json | jq '{state, resets, moved, returned}'
  watch -n 1 resteer status --control ./resteer.sock`;

/** `resteer status`: totals and state of the running daemon. */
export const addStatus: AddCommand = (program, io) => {
  program
    .command('status')
    .summary('totals and state of the running daemon')
    .description('Asks the running daemon for its state and for what it has done since it started.')
    .option('--control <path>', 'control socket', DEFAULT_CONTROL_PATH)
    .option('-j, --json', 'one JSON object')
    .addHelpText('after', examples)
    .action((options: StatusOptions) => printStatus(options, io));
};

async function printStatus({ control, json }: StatusOptions, io: Io): Promise<void> {
  const status = (await askDaemon(control, { command: 'status' })) as DaemonStatus;
  await write(io.stdout, json ? `${JSON.stringify(status)}\n` : statusText(status));
}
