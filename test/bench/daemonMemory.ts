/** Daemon: what stays resident, beside what Node takes by itself. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Benchmark, Row } from './benchmark.ts';
import { rssMb } from './cpu.ts';
import { BenchDaemon, createSet, floorArguments, WRONG_MARK } from './daemon.ts';
import { end, inLaboratory, type Laboratory, settled } from './laboratory.ts';
import type { Runtime, Toolchain } from './toolchain.ts';

const ROUNDS = 3;
const PENDING = 262_144;
const RATE = 60_000;
const REST_MS = 500;

async function bare(lab: Laboratory, { node }: Runtime): Promise<number> {
  const child = lab.spawn(node, ['-e', 'setInterval(() => 1, 1e9)']);
  await delay(REST_MS);
  await settled(child.pid!);
  const mb = rssMb(child.pid!);
  await end(child);
  return mb;
}

async function sockets(lab: Laboratory, tools: Toolchain, { node, transport }: Runtime): Promise<number> {
  const child = lab.spawn(node, floorArguments(tools), {
    env: { ...process.env, RESTEER_TRANSPORT: transport },
  });
  await delay(REST_MS);
  await settled(child.pid!);
  const mb = rssMb(child.pid!);
  await end(child);
  return mb;
}

async function measure(lab: Laboratory, tools: Toolchain, runtime: Runtime): Promise<Row[]> {
  const idle: number[] = [];
  const node: number[] = [];
  const floor: number[] = [];
  const full: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    node.push(await bare(lab, runtime));
    floor.push(await sockets(lab, tools, runtime));
    const daemon = await BenchDaemon.start(lab, tools, runtime);
    await delay(REST_MS);
    const atRest = rssMb(daemon.pid);
    idle.push(atRest);
    if (round === 0) {
      await lab.createFlows({ count: PENDING, rate: RATE, mark: WRONG_MARK });
      await daemon.untilStatus('all flows pending', ({ queues }) => queues.pending === PENDING);
      await settled(daemon.pid);
      full.push(rssMb(daemon.pid) - atRest);
    }
    await daemon.stop();
    await lab.flush();
  }
  return [
    {
      what: `daemon: idle, over bare Node (${runtime.label})`,
      unit: 'MB',
      ours: idle.map((mb, round) => mb - node[round]!),
      target: { kind: 'value', most: 4 },
      note: `bare Node: ${node[0]!.toFixed(1)} MB`,
    },
    {
      what: `of that, its sockets alone (${runtime.label})`,
      unit: 'MB',
      ours: floor.map((mb, round) => mb - node[round]!),
    },
    {
      what: `daemon: with 262,144 pending flows, over idle (${runtime.label})`,
      unit: 'MB',
      ours: full,
      target: { kind: 'value', most: 45 },
    },
  ];
}

export const daemonMemory: Benchmark = {
  name: 'daemon-memory',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      createSet(lab);
      const rows: Row[] = [];
      for (const runtime of tools.runtimes) rows.push(...(await measure(lab, tools, runtime)));
      return rows;
    }),
};
