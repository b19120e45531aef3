/** The job as it is done today, by conntrack and ipset in a shell, against the daemon. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Benchmark, Row } from './benchmark.ts';
import { childrenCpuMs, cpuMs } from './cpu.ts';
import { BenchDaemon, createSet, SET, WRONG_MARK } from './daemon.ts';
import { end, inLaboratory, type Laboratory, settled } from './laboratory.ts';
import type { Toolchain } from './toolchain.ts';

const ROUNDS = 3;
const FLOWS = 100;
/** More at once and conntrack loses events: its socket holds some 160. */
const RATE = 1000;
const OTHERS = 20_000;
const LIMIT_MS = 20_000;

/** Standard input: the events of `conntrack -E -e NEW`. The first of each field is the original direction's. */
const loop = `
field() { value=\${line#* $1=}; value=\${value%% *}; }
while read -r line; do
  case "$line " in *" mark=${WRONG_MARK} "*) ;; *) continue ;; esac
  field dst; destination=$value
  ipset -q test ${SET} "$destination" || continue
  field src; source=$value; field sport; sport=$value; field dport
  conntrack -D -p tcp -s "$source" -d "$destination" --sport "$sport" --dport "$value" > /dev/null 2>&1
done`;

interface Cost {
  /** Milliseconds a flow, from the first NEW to the last DELETE. */
  readonly wall: number;
  /** Milliseconds of CPU a flow, of all processes. */
  readonly cpu: number;
}

const misplaced = {
  first: OTHERS,
  count: FLOWS,
  rate: RATE,
  mark: WRONG_MARK,
  destination: '203.0.113.0',
  spread: 256,
} as const;

async function untilDeleted(lab: Laboratory, start: number): Promise<number> {
  while (Number(lab.sh('conntrack', '-C')) > OTHERS) {
    if (performance.now() - start > LIMIT_MS) throw new Error('the flows are not deleted in 20 s');
    await delay(5);
  }
  return performance.now() - start;
}

async function byShell(lab: Laboratory): Promise<Cost> {
  const pipeline = lab.spawn('sh', ['-c', `conntrack -E -e NEW 2> /dev/null | { ${loop}\n}`], {
    detached: true,
  });
  try {
    await delay(300);
    const members = groupMembers(lab, pipeline.pid!);
    const cost = () => members.reduce((sum, pid) => sum + cpuMs(pid) + childrenCpuMs(pid), 0);
    const before = cost();
    const start = performance.now();
    await lab.createFlows(misplaced);
    const ms = await untilDeleted(lab, start);
    return { wall: ms / FLOWS, cpu: (cost() - before) / FLOWS };
  } finally {
    process.kill(-pipeline.pid!, 'SIGTERM');
    await end(pipeline);
  }
}

/** The processes of the pipeline's own group: the shell, conntrack, and the loop. */
function groupMembers(lab: Laboratory, group: number): number[] {
  return lab.sh('ps', '-o', 'pid=', '-g', String(group)).trim().split(/\s+/).map(Number);
}

async function byDaemon(lab: Laboratory, daemon: BenchDaemon): Promise<Cost> {
  const before = cpuMs(daemon.pid);
  const start = performance.now();
  await lab.createFlows(misplaced);
  const ms = await untilDeleted(lab, start);
  await settled(daemon.pid);
  return { wall: ms / FLOWS, cpu: (cpuMs(daemon.pid) - before) / FLOWS };
}

async function compare(lab: Laboratory, tools: Toolchain): Promise<Row[]> {
  const runtime = tools.runtimes[0]!;
  const ours: Cost[] = [];
  const theirs: Cost[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    theirs.push(await byShell(lab));
    const daemon = await BenchDaemon.start(lab, tools, runtime);
    ours.push(await byDaemon(lab, daemon));
    await daemon.stop();
  }
  const row = (what: string, field: keyof Cost): Row => ({
    what: `daemon: ${what} a misplaced flow (${runtime.label})`,
    unit: 'ms',
    ours: ours.map((cost) => cost[field]),
    peer: { name: 'shell pipeline', samples: theirs.map((cost) => cost[field]) },
  });
  return [row('time', 'wall'), row('CPU', 'cpu')];
}

export const shellPipeline: Benchmark = {
  name: 'shell-pipeline',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      createSet(lab, ['203.0.113.0/24']);
      await lab.createFlows({ count: OTHERS });
      return compare(lab, tools);
    }),
};
