/**
 * npm run bench [-- [--json] [NAME...]]: measures against the tools that people use today, in namespaces
 * of its own. A missed target is told, it is no failure: machines differ, and only ratios count.
 */
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { hasCommand } from '../support/namespace.ts';
import { type Benchmark, isSkipped, type Row, type Skipped } from './benchmark.ts';
import { capture } from './capture.ts';
import { conntrackCli } from './conntrackCli.ts';
import { daemonEvents } from './daemonEvents.ts';
import { daemonLatency } from './daemonLatency.ts';
import { daemonMemory } from './daemonMemory.ts';
import { daemonStart } from './daemonStart.ts';
import { daemonSweep } from './daemonSweep.ts';
import { deletes } from './deletes.ts';
import { dump } from './dump.ts';
import { events } from './events.ts';
import { ipsetCli } from './ipsetCli.ts';
import { moderation } from './moderation.ts';
import { formatTable } from './report.ts';
import { reportMemory } from './reportMemory.ts';
import { median, passes, ratioOf } from './samples.ts';
import { sets } from './sets.ts';
import { shellPipeline } from './shellPipeline.ts';
import { prepare, type Toolchain } from './toolchain.ts';
import { view } from './view.ts';

const benchmarks: readonly Benchmark[] = [
  events,
  view,
  capture,
  moderation,
  dump,
  sets,
  ipsetCli,
  deletes,
  daemonEvents,
  daemonLatency,
  daemonSweep,
  daemonMemory,
  daemonStart,
  reportMemory,
  shellPipeline,
  conntrackCli,
];

function readOptions() {
  try {
    return parseArgs({ allowPositionals: true, options: { json: { type: 'boolean', default: false } } });
  } catch (error) {
    console.error(`${(error as Error).message}\nusage: npm run bench -- [--json] [NAME...]`);
    process.exit(2);
  }
}

/** Why nothing can be measured here, or undefined. */
function obstacle(): string | undefined {
  if (process.platform !== 'linux') return 'netlink exists on Linux only';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const missing = ['ip', 'conntrack', 'ipset'].filter((command) => !hasCommand(command));
  if (missing.length > 0)
    return `missing: ${missing.join(', ')} (Debian packages iproute2, conntrack, ipset)`;
  return undefined;
}

function machine(tools: Toolchain) {
  return {
    kernel: release(),
    cpus: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
    runtimes: tools.runtimes.map(({ label }) => label),
  };
}

const forMachines = (row: Row | Skipped) =>
  isSkipped(row) ? row : { ...row, median: median(row.ours), ratio: ratioOf(row), pass: passes(row) };

const { values, positionals } = readOptions();
const chosen = benchmarks.filter(
  ({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)),
);
if (chosen.length === 0) {
  console.error(`no such benchmark; there are ${benchmarks.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
const reason = obstacle();
if (reason) {
  console.error(`bench: ${reason}`);
  process.exit(process.env.CI ? 1 : 0);
}
// so that namespaces, which go away with this process, do so also when it is interrupted
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

// each namespace is removed at the exit
process.setMaxListeners(0);
const tools = await prepare();
process.on('exit', () => tools.dispose());
const rows: (Row | Skipped)[] = [];
for (const benchmark of chosen) {
  const started = performance.now();
  try {
    rows.push(...(await benchmark.run(tools)));
  } catch (error) {
    process.exitCode = 1;
    console.error(`${benchmark.name}: ${(error as Error).stack}`);
  }
  console.error(`${benchmark.name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
}
const about = machine(tools);
if (values.json) {
  console.log(JSON.stringify({ ...about, rows: rows.map(forMachines) }, undefined, 2));
} else {
  console.log(`kernel ${about.kernel}, ${about.cpus}; ${about.runtimes.join('; ')}`);
  console.log('median (least..most) of interleaved repetitions; ratio: resteer to its peer\n');
  console.log(formatTable(rows));
}
