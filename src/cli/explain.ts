import { Option } from 'commander';
import { Refusal } from '../daemon/config/refusal.ts';
import { askDaemon, DEFAULT_CONTROL_PATH } from '../daemon/controlClient.ts';
import { ControlError } from '../daemon/controlServer.ts';
import { type Explanation, explain } from '../daemon/explain/gather.ts';
import { decodeExplainQuery, type ExplainRequest } from '../daemon/explain/query.ts';
import { explanationText } from '../daemon/explain/text.ts';
import { mwan3Paths } from '../daemon/mwan3/paths.ts';
import { systemSockets } from '../daemon/sockets.ts';
import { systemStateFiles } from '../daemon/stateFiles.ts';
import { withSurvey } from '../daemon/survey.ts';
import { systemClock } from '../nfnetlink/clock.ts';
import { addSourceOptions, loadSource, type PlanSource } from './configuration.ts';
import { usageError } from './errors.ts';
import { type Io, write } from './io.ts';
import type { AddCommand } from './run.ts';

interface ExplainOptions extends PlanSource {
  readonly source?: string;
  readonly protocol?: string;
  readonly sport?: string;
  readonly dport?: string;
  readonly interface?: string;
  readonly mark?: string;
  readonly control: string;
  readonly json?: true;
}

const examples = `
Asks the running daemon, so that its own state is used; with --config or --mwan3, or where none runs, it looks by
itself.
Flows of the table that fit are explained, ten at most; where there is none, one that could be on each interface.

Examples:
  resteer explain 203.0.113.10
  resteer explain 203.0.113.10 --protocol udp --dport 443 --interface wan
  resteer explain 203.0.113.10 --mwan3
  resteer explain 2001:db8::10 --source 2001:db8:1::7 --json | jq '.flows[] | {verdict, decidedBy, obstacles}'`;

/** `resteer explain`: why a flow would be reset or not. */
export const addExplain: AddCommand = (program, io) => {
  const command = program
    .command('explain')
    .summary('why a destination or flow would be reset or not, step by step')
    .description(
      'Walks flows to a destination through the code that the daemon runs, and prints each fact used.',
    )
    .argument('<destination>', 'address that the flow goes to')
    .option('-s, --source <address>', 'address that it comes from')
    .option('-p, --protocol <protocol>', 'name or number')
    .option('--sport <port>', 'source port')
    .option('--dport <port>', 'destination port')
    .option('-i, --interface <name>', 'interface that it is on')
    .addOption(new Option('-m, --mark <mark>', 'conntrack mark that it has').conflicts('interface'));
  addSourceOptions(command)
    .option('--control <path>', 'control socket', DEFAULT_CONTROL_PATH)
    .option('-j, --json', 'one JSON object')
    .addHelpText('after', examples)
    .action((destination: string, options: ExplainOptions) => {
      const isSourceGiven = options.mwan3 || command.getOptionValueSource('config') === 'cli';
      return printExplanation(destination, options, isSourceGiven, io);
    });
};

async function printExplanation(
  destination: string,
  options: ExplainOptions,
  isSourceGiven: boolean,
  io: Io,
): Promise<void> {
  const request = requestOf(destination, options);
  // what is wrong without any configuration is wrong usage, whoever would answer
  const { interface: _, ...rest } = request;
  readQuery(rest, []);
  const isDaemonAsked = !isSourceGiven && (await isDaemonThere(options.control));
  const explanation = isDaemonAsked
    ? ((await askDaemon(options.control, { ...request, command: 'explain' })) as Explanation)
    : await lookOneself(request, options);
  await write(io.stdout, options.json ? `${JSON.stringify(explanation)}\n` : explanationText(explanation));
}

/** Numbers as numbers, since the query tells them from names. */
function requestOf(destination: string, options: ExplainOptions): ExplainRequest {
  const number = (text: string | undefined) =>
    text !== undefined && /^\d+$/.test(text) ? Number(text) : text;
  const fields = {
    source: options.source,
    protocol: number(options.protocol),
    sourcePort: number(options.sport),
    destinationPort: number(options.dport),
    interface: options.interface,
    mark: number(options.mark),
  };
  return {
    destination,
    ...Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)),
  };
}

async function isDaemonThere(control: string): Promise<boolean> {
  // a socket that was named is meant
  if (control !== DEFAULT_CONTROL_PATH) return true;
  try {
    await askDaemon(control, { command: 'status' });
    return true;
  } catch (error) {
    if (error instanceof ControlError) return false;
    throw error;
  }
}

async function lookOneself(request: ExplainRequest, source: PlanSource): Promise<Explanation> {
  const { plan } = await loadSource(source);
  const query = readQuery(request, plan.interfaces);
  const parts = { plan, sockets: systemSockets, files: systemStateFiles, clock: systemClock };
  return withSurvey(parts, ({ networks, ...survey }) =>
    explain(query, {
      ...survey,
      connected: networks,
      daemon: null,
      restMs: () => 0,
      ...(isMwan3Stopped(source) && { hold: 'mwan3 is stopped: nothing is reset until it runs' }),
      now: () => systemClock.now(),
      wallNow: Date.now,
    }),
  );
}

function isMwan3Stopped({ mwan3, root = '/' }: PlanSource): boolean {
  return mwan3 === true && systemStateFiles.identify(mwan3Paths(root).run) === undefined;
}

function readQuery(...args: Parameters<typeof decodeExplainQuery>): ReturnType<typeof decodeExplainQuery> {
  try {
    return decodeExplainQuery(...args);
  } catch (error) {
    throw error instanceof Refusal
      ? usageError('explain', error.message, 'see resteer explain --help')
      : error;
  }
}
