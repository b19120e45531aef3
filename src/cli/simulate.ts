import { Option } from 'commander';
import { decodeConfig } from '../daemon/config/config.ts';
import { decodeNetwork } from '../daemon/config/networks.ts';
import { Refusal } from '../daemon/config/refusal.ts';
import { readJsonFile } from '../daemon/config/text.ts';
import { LOG_LEVELS, type LogLevel, openLog } from '../daemon/log.ts';
import type { Network, Plan } from '../daemon/plan.ts';
import { addSourceOptions, loadSource, type PlanSource } from './configuration.ts';
import { usageError } from './errors.ts';
import { type Io, write } from './io.ts';
import type { AddCommand } from './run.ts';
import { changed } from './simulate/changes.ts';
import { Decisions, differenceJson, differencesOf, differenceText } from './simulate/decisions.ts';
import { type RecordingFacts, scanRecording } from './simulate/recording.ts';
import { type SimulationParts, simulateCapture } from './simulate/simulation.ts';
import { type Fill, readFill, readTurn, type Turn } from './simulate/timetable.ts';
import { totalsOf, totalsText } from './simulate/totals.ts';

/** Output is gathered into writes of so many characters. */
const GATHER = 1 << 16;

interface SimulateOptions extends PlanSource {
  readonly capture: string;
  readonly fill?: readonly Fill[];
  readonly interface?: readonly Turn[];
  readonly connected?: readonly Network[];
  readonly change?: readonly string[];
  readonly logLevel: LogLevel;
  readonly json?: true;
}

const examples = `
Plays what resteer capture recorded through the daemon's own code, on a clock of its own, and prints what it decides,
at the times of the capture. Nothing is asked of this machine's kernel, and no privileges are needed.

TIME counts from the capture's first datagram: 500ms, 30s, 2m. A set is what the capture holds of it (capture
--with-sets), and gets the elements of --fill besides. Interfaces are online unless --interface says otherwise.
--change PATH=VALUE changes one value of the configuration, rules and interfaces by their names; VALUE is JSON, or a
text as it is, and null takes it away. Then both are played, and the flows printed about which they decide otherwise.

A flow that is reset is made again on the interface that its rule wants, 10 ms later: the model's firewall is never
wrong. What else the capture tells of the flow goes on being true of it.

Examples:
  resteer capture --with-dump --with-sets app_1.v4 --duration 10m flows.pcapng
  resteer simulate --capture flows.pcapng --config ./resteer.json
  resteer simulate --capture flows.pcapng --mwan3 --root ./backup
  resteer simulate --capture flows.pcapng --fill 'app_1.v4=203.0.113.10@30s' --interface wanb=offline@2m
  resteer simulate --capture flows.pcapng --change 'rules.app_1.v4.interfaces=["wanb"]' --change recheck='["1s"]'
  resteer simulate --capture flows.pcapng --json | jq 'select(.event == "reset")'`;

/** `resteer simulate`: what the daemon would do about a capture. */
export const addSimulate: AddCommand = (program, io) => {
  const command = program
    .command('simulate')
    .summary('what the daemon would decide about a capture')
    .description('Plays a capture through the daemon, and prints what it decides, why, and the totals.')
    .requiredOption('--capture <file>', 'a file of resteer capture');
  addSourceOptions(command)
    .addOption(listOption('--fill <set=element@time>', 'an element that comes into a set then', readFill))
    .addOption(listOption('--interface <name=offline@time>', 'an interface that goes offline then', readTurn))
    .addOption(listOption('--connected <network>', 'a network on a link of the router', readNetwork))
    .addOption(listOption('--change <path=value>', 'compare with this configuration', (text) => text))
    .addOption(
      new Option('--log-level <level>', 'the least that is said').choices([...LOG_LEVELS]).default('info'),
    )
    .option('-j, --json', 'one JSON object a line')
    .addHelpText('after', examples)
    .action((options: SimulateOptions) => simulate(options, io));
};

/** An option that may be given several times. */
function listOption<T>(flags: string, description: string, read: (text: string) => T): Option {
  return new Option(flags, `${description} (repeatable)`).argParser((text, list: T[] = []) => [
    ...list,
    read(text),
  ]);
}

function readNetwork(text: string): Network {
  try {
    return decodeNetwork(text);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw usageError('simulate: --connected', `'${text}' ${error.message}`);
  }
}

async function simulate(options: SimulateOptions, io: Io): Promise<void> {
  const { capture, change = [], mwan3, config } = options;
  if (change.length > 0 && mwan3)
    throw usageError(
      'simulate: --change',
      'changes a configuration file, and mwan3 has its own',
      'use --config',
    );
  const { plan, warnings } = await loadSource(options);
  // before the capture is read, which may take a while
  const other = change.length > 0 ? changedPlan(config, change) : undefined;
  const facts = await scanRecording(capture);
  for (const text of [...warnings, ...doubtsOf(facts)]) io.stderr.write(`resteer: simulate: ${text}\n`);
  if (other) await compare(plan, other, facts, options, io);
  else await play(plan, facts, options, io);
}

function changedPlan(file: string, changes: readonly string[]): Plan {
  const config = changes.reduce(changed, readJsonFile(file));
  return decodeConfig(`${file} with ${changes.join(', ')}`, config);
}

/** What makes the outcome less certain. */
function doubtsOf({ file, lost, cut, hasTable }: RecordingFacts): string[] {
  return [
    ...(lost > 0
      ? [`${file}: ${lost} datagrams are missing: what happened to their flows is not played`]
      : []),
    ...(cut === undefined ? [] : [`${file}: ${cut}: what comes before is played`]),
    ...(hasTable
      ? []
      : [
          `${file}: holds no listing of the table (--with-dump): older flows are not known until they change`,
        ]),
  ];
}

const partsOf = (
  plan: Plan,
  facts: RecordingFacts,
  options: SimulateOptions,
  tell: SimulationParts['tell'],
) => ({
  ...{ plan, facts, tell },
  fills: options.fill ?? [],
  turns: options.interface ?? [],
  connected: options.connected ?? [],
});

async function play(plan: Plan, facts: RecordingFacts, options: SimulateOptions, io: Io): Promise<void> {
  let wallNow = facts.startMs;
  let pending = '';
  const sink = {
    write: (line: string) => {
      pending += line;
      return true;
    },
  };
  const flush = () => {
    const text = pending;
    pending = '';
    return write(io.stdout, text);
  };
  const log = openLog(options.json ? 'json' : 'text', options.logLevel, sink, () => wallNow);
  const tell: SimulationParts['tell'] = (event, wallMs) => {
    wallNow = wallMs;
    // the totals stand at the end
    if (event.event !== 'stopped') log(event);
  };
  const parts = partsOf(plan, facts, options, tell);
  const status = await simulateCapture({
    ...parts,
    breathe: () => (pending.length < GATHER ? undefined : flush()),
  });
  const totals = totalsOf(status);
  sink.write(
    options.json ? `${JSON.stringify({ event: 'totals', ...totals })}\n` : `\n${totalsText([totals])}`,
  );
  await flush();
}

async function compare(
  plan: Plan,
  other: Plan,
  facts: RecordingFacts,
  options: SimulateOptions,
  io: Io,
): Promise<void> {
  const run = async (each: Plan) => {
    const decisions = new Decisions();
    const tell: SimulationParts['tell'] = (event, wallMs) => decisions.take(event, wallMs);
    const status = await simulateCapture(partsOf(each, facts, options, tell));
    return { decisions, totals: totalsOf(status) };
  };
  const before = await run(plan);
  const after = await run(other);
  const differences = differencesOf(before.decisions, after.decisions);
  for (const difference of differences)
    await write(io.stdout, options.json ? differenceJson(difference) : differenceText(difference));
  if (options.json) {
    const totals = { event: 'totals', before: before.totals, after: after.totals };
    await write(io.stdout, `${JSON.stringify({ ...totals, differences: differences.length })}\n`);
    return;
  }
  const count = `${differences.length} ${differences.length === 1 ? 'flow is' : 'flows are'} decided otherwise`;
  const table = totalsText([before.totals, after.totals], ['before', 'after']);
  await write(io.stdout, `${differences.length > 0 ? '\n' : ''}${count}\n\n${table}`);
}
