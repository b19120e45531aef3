import { Argument } from 'commander';
import { askDaemon, DEFAULT_CONTROL_PATH } from '../daemon/controlClient.ts';
import type { SweepResult } from '../daemon/sweeper.ts';
import { CliError, usageError } from './errors.ts';
import { EXIT, type Io, write } from './io.ts';
import type { AddCommand } from './run.ts';

const orders = ['pause', 'resume', 'reload', 'sweep'] as const;
type Order = (typeof orders)[number];

const examples = `
  pause   goes on judging and watching, resets nothing
  resume  resets again, also after the circuit breaker had opened
  reload  reads the configuration again, as SIGHUP does; a bad one is refused and the old one kept
  sweep   looks through the whole table now

Examples:
  resteer control pause
  resteer control reload && resteer status
  resteer control sweep --control ./resteer.sock`;

/** `resteer control`: orders for the running daemon. */
export const addControl: AddCommand = (program, io) => {
  program
    .command('control')
    .summary('pause, resume, reload or sweep: orders for the running daemon')
    .description('Gives the running daemon an order, through its control socket.')
    .addArgument(new Argument('<order>', 'what to do').choices(orders))
    .option('--control <path>', 'control socket', DEFAULT_CONTROL_PATH)
    .addHelpText('after', examples)
    .action((order: Order, { control }: { readonly control: string }) => giveOrder(order, control, io));
};

async function giveOrder(order: Order, control: string, io: Io): Promise<void> {
  const result = await askDaemon(control, { command: order });
  await write(io.stdout, `${outcomeOf(order, result)}\n`);
}

function outcomeOf(order: Order, result: unknown): string {
  switch (order) {
    case 'pause':
      return 'paused: nothing is reset until resteer control resume';
    case 'resume':
      return 'running; the table is looked through now';
    case 'reload': {
      const { ok, problems = [] } = result as { ok: boolean; problems?: readonly string[] };
      if (!ok) {
        const lines = ['the old configuration stays in force', ...problems.map((problem) => `  ${problem}`)];
        throw usageError('reload', lines.join('\n'));
      }
      return 'the new configuration is in force';
    }
    case 'sweep': {
      const { flows, misplaced, ms } = result as Partial<SweepResult>;
      if (flows === undefined) {
        throw new CliError('sweep', 'it failed', 'the log of the daemon says why', EXIT.FAILED);
      }
      return `${flows} flows read, ${misplaced} misplaced, in ${ms} ms`;
    }
  }
}
