import { Option } from 'commander';
import { DEFAULT_CONFIG_FILE } from '../daemon/config/config.ts';
import { Refusal } from '../daemon/config/refusal.ts';
import { askDaemon, DEFAULT_CONTROL_PATH } from '../daemon/controlClient.ts';
import { ControlError } from '../daemon/controlServer.ts';
import { type Explanation, explain } from '../daemon/explain/gather.ts';
import { decodeExplainQuery, type ExplainRequest } from '../daemon/explain/query.ts';
import { explanationText } from '../daemon/explain/text.ts';
import { systemSockets } from '../daemon/sockets.ts';
import { systemStateFiles } from '../daemon/stateFiles.ts';
import { withSurvey } from '../daemon/survey.ts';
import { systemClock } from '../nfnetlink/clock.ts';
import { loadConfiguration } from './configuration.ts';
import { usageError } from './errors.ts';
import { type Io, write } from './io.ts';
import type { AddCommand } from './run.ts';

interface ExplainOptions {
  readonly source?: string;
  readonly protocol?: string;
  readonly sport?: string;
  readonly dport?: string;
  readonly interface?: string;
  readonly mark?: string;
  readonly config?: string;
  readonly control: string;
  readonly json?: true;
}

const examples = `
Asks the running daemon, so that its own state is used; with --config, or where none runs, it looks by itself.
Flows of the table that fit are explained, ten at most; where there is none, one that could be on each interface.

Examples:
  resteer explain 203.0.113.10
  resteer explain 203.0.113.10 --protocol udp --dport 443 --interface wan
  resteer explain 2001:db8::10 --source 2001:db8:1::7 --json | jq '.flows[] | {verdict, decidedBy, obstacles}'`;

/** `resteer explain`: why a flow would be reset or not. */
export const addExplain: AddCommand = (program, io) => {
  program
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
    .addOption(new Option('-m, --mark <mark>', 'conntrack mark that it has').conflicts('interface'))
    .option('-c, --config <file>', `configuration, without a daemon (default: "${DEFAULT_CONFIG_FILE}")`)
    .option('--control <path>', 'control socket', DEFAULT_CONTROL_PATH)
    .option('-j, --json', 'one JSON object')
    .addHelpText('after', examples)
    .action((destination: string, options: ExplainOptions) => printExplanation(destination, options, io));
};

async function printExplanation(destination: string, options: ExplainOptions, io: Io): Promise<void> {
  const request = requestOf(destination, options);
  // what is wrong without any configuration is wrong usage, whoever would answer
  const { interface: _, ...rest } = request;
  readQuery(rest, []);
  const explanation = (await isDaemonAsked(options))
    ? ((await askDaemon(options.control, { ...request, command: 'explain' })) as Explanation)
    : await lookOneself(request, options.config ?? DEFAULT_CONFIG_FILE);
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

async function isDaemonAsked({ config, control }: ExplainOptions): Promise<boolean> {
  if (config !== undefined) return false;
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

async function lookOneself(request: ExplainRequest, configFile: string): Promise<Explanation> {
  const plan = loadConfiguration(configFile);
  const query = readQuery(request, plan.interfaces);
  const parts = { plan, sockets: systemSockets, files: systemStateFiles, clock: systemClock };
  return withSurvey(parts, ({ networks, ...survey }) =>
    explain(query, {
      ...survey,
      connected: networks,
      daemon: null,
      restMs: () => 0,
      now: () => systemClock.now(),
      wallNow: Date.now,
    }),
  );
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
