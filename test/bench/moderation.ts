/** Library: what waiting a moment under load saves, and that it costs nothing without load. */
import type { Benchmark, Row } from './benchmark.ts';
import { cpuMs } from './cpu.ts';
import { inLaboratory, type Laboratory, settled } from './laboratory.ts';
import { interleave } from './samples.ts';
import type { Runtime } from './toolchain.ts';

const ROUNDS = 3;

async function cost(lab: Laboratory, runtime: Runtime, rate: number, moderation?: false): Promise<number> {
  const count = rate; // a second's events
  const listener = lab.program('listen', runtime);
  await listener.ask('start', { moderation });
  await lab.createFlows({ count: 5000, rate: 20_000 });
  await settled(listener.pid);
  await lab.flush();
  const before = cpuMs(listener.pid);
  await lab.createFlows({ count, rate, single: true });
  await settled(listener.pid);
  const us = ((cpuMs(listener.pid) - before) * 1000) / count;
  listener.close();
  await lab.flush();
  return us;
}

export const moderation: Benchmark = {
  name: 'moderation',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      const rows: Row[] = [];
      const runtime = tools.runtimes[0]!;
      for (const rate of [10_000, 1000]) {
        const { ours, without } = await interleave(ROUNDS, {
          ours: () => cost(lab, runtime, rate),
          without: () => cost(lab, runtime, rate, false),
        });
        rows.push({
          what: `library: CPU per event, one at a time, ${rate.toLocaleString('en-US')}/s (${runtime.label})`,
          unit: 'us/event',
          ours,
          peer: { name: 'without moderation', samples: without },
        });
      }
      return rows;
    }),
};
