/** Daemon: one sweep of a large table, a quarter of it misplaced. */
import type { Benchmark, Row } from './benchmark.ts';
import { cpuMs } from './cpu.ts';
import { BenchDaemon, createSet, WRONG_MARK } from './daemon.ts';
import { inLaboratory, type Laboratory } from './laboratory.ts';
import type { Runtime, Toolchain } from './toolchain.ts';

const ROUNDS = 2;
const FLOWS = 200_000;
const MISPLACED = 50_000;

interface Cost {
  /** Milliseconds from the start of the sweep to the last reset. */
  readonly wall: number;
  /** Milliseconds of CPU from the start of the process on. */
  readonly cpu: number;
}

async function sweep(lab: Laboratory, tools: Toolchain, runtime: Runtime): Promise<Cost> {
  await lab.flush();
  await lab.createFlows({ count: FLOWS - MISPLACED, mark: WRONG_MARK });
  const misplaced = { count: MISPLACED, mark: WRONG_MARK, destination: '203.0.113.0', spread: 256 };
  await lab.createFlows({ first: FLOWS, ...misplaced });
  const daemon = await BenchDaemon.start(lab, tools, runtime);
  await daemon.untilStatus('all flows reset', ({ resets }) => resets.deleted === MISPLACED);
  const cpu = cpuMs(daemon.pid);
  const lines = daemon.lines();
  await daemon.stop();
  const done = lines.find(({ event }) => event === 'sweep')!;
  if (done.flows !== FLOWS) throw new Error(`the sweep saw ${done.flows} flows`);
  const began = Date.parse(done.time) - (done.ms as number);
  return { wall: Date.parse(lines.findLast(({ event }) => event === 'reset')!.time) - began, cpu };
}

export const daemonSweep: Benchmark = {
  name: 'daemon-sweep',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      createSet(lab, ['203.0.113.0/24']);
      const rows: Row[] = [];
      for (const runtime of tools.runtimes) {
        const costs: Cost[] = [];
        for (let round = 0; round < ROUNDS; round++) costs.push(await sweep(lab, tools, runtime));
        rows.push({
          what: `daemon: sweep of 200,000 flows, 50,000 of them reset (${runtime.label})`,
          unit: 'ms',
          ours: costs.map(({ wall }) => wall),
          target: { kind: 'value', most: 2000 },
        });
        rows.push({
          what: `daemon: CPU of that sweep, start included (${runtime.label})`,
          unit: 'ms',
          ours: costs.map(({ cpu }) => cpu),
        });
      }
      return rows;
    }),
};
