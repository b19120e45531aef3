/** Daemon: CPU for a NEW event, each flow asked about in a set, against conntrack's mere printing. */
import type { Benchmark, Row } from './benchmark.ts';
import { cpuMs } from './cpu.ts';
import { BenchDaemon, createSet, WRONG_MARK } from './daemon.ts';
import { inLaboratory, type Laboratory, settled } from './laboratory.ts';
import { interleave } from './samples.ts';
import type { Runtime, Toolchain } from './toolchain.ts';

const ROUNDS = 3;
const WARM_UP = 40_000;
const TARGETS = { ffi: 0.6, handle: 1.2 } as const;

async function heard(lab: Laboratory, pid: number, rate: number, count: number): Promise<number> {
  const before = cpuMs(pid);
  await lab.createFlows({ count, rate, mark: WRONG_MARK });
  await settled(pid);
  const us = ((cpuMs(pid) - before) * 1000) / count;
  await lab.flush();
  return us;
}

async function compare(lab: Laboratory, tools: Toolchain, runtime: Runtime, rate: number): Promise<Row> {
  const count = rate; // a second's events
  const ours = async () => {
    const daemon = await BenchDaemon.start(lab, tools, runtime);
    await heard(lab, daemon.pid, 40_000, WARM_UP);
    const us = await heard(lab, daemon.pid, rate, count);
    const { overruns, judged, tested } = await daemon.status();
    if (overruns > 0) throw new Error(`${runtime.label}: the daemon lost events: the figure says nothing`);
    if (judged < WARM_UP + count || tested < WARM_UP + count)
      throw new Error(`only ${judged} flows were judged, ${tested} of them asked about`);
    await daemon.stop();
    return us;
  };
  const theirs = () => lab.conntrackEvents({ count, rate, mark: WRONG_MARK });
  const samples = await interleave(ROUNDS, { ours, theirs });
  return {
    what: `daemon: CPU per NEW event at ${rate.toLocaleString('en-US')}/s, judged (${runtime.label})`,
    unit: 'us/event',
    ours: samples.ours,
    peer: { name: 'conntrack -E -e NEW', samples: samples.theirs },
    target: { kind: 'ratio', most: TARGETS[runtime.transport] },
  };
}

export const daemonEvents: Benchmark = {
  name: 'daemon-events',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      createSet(lab, ['203.0.113.0/24']);
      const rows: Row[] = [];
      for (const runtime of tools.runtimes)
        for (const rate of [40_000, 10_000]) rows.push(await compare(lab, tools, runtime, rate));
      return rows;
    }),
};
