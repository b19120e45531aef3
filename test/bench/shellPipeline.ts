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
const RATE = 10_000;
const OTHERS = 5000;
const IDLE_MS = 2000;

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

interface Done {
  readonly ms: number;
  readonly deleted: number;
}

/** Waits until the misplaced flows are gone, or no more of them go: conntrack loses events. */
async function untilDeleted(lab: Laboratory): Promise<Done> {
  const start = performance.now();
  let done: Done = { ms: 0, deleted: 0 };
  for (;;) {
    const deleted = OTHERS + FLOWS - (await lab.flowCount());
    const ms = performance.now() - start;
    if (deleted > done.deleted) done = { ms, deleted };
    if (done.deleted === FLOWS || ms > done.ms + IDLE_MS) break;
    await delay(5);
  }
  if (done.deleted === 0) throw new Error('no flow was deleted');
  return done;
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
    await lab.createFlows(misplaced);
    const { ms, deleted } = await untilDeleted(lab);
    return { wall: ms / deleted, cpu: (cost() - before) / deleted };
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
  await lab.createFlows(misplaced);
  const { ms, deleted } = await untilDeleted(lab);
  await settled(daemon.pid);
  return { wall: ms / deleted, cpu: (cpuMs(daemon.pid) - before) / deleted };
}

async function compare(lab: Laboratory, tools: Toolchain): Promise<Row[]> {
  const runtime = tools.runtimes[0]!;
  const ours: Cost[] = [];
  const theirs: Cost[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await lab.flush();
    await lab.createFlows({ count: OTHERS });
    theirs.push(await byShell(lab));
    await lab.flush();
    await lab.createFlows({ count: OTHERS });
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
      return compare(lab, tools);
    }),
};
