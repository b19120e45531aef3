/** Library: what it costs to receive NEW events and to read each in place. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Benchmark, Row, Skipped } from './benchmark.ts';
import { cpuMs } from './cpu.ts';
import { inLaboratory, type Laboratory, settled } from './laboratory.ts';
import { interleave } from './samples.ts';
import type { Runtime } from './toolchain.ts';

const ROUNDS = 3;
const RATE = 40_000;
const STEADY = 40_000;
const WARM_UP = 20_000;
/** What the kernel charges a receive buffer for a NEW event, with its records of it. */
const EVENT_BYTES = 1280;

interface Totals {
  readonly messages: number;
  readonly overruns: number;
}

/** CPU of the listener alone for events that come at a steady rate, in microseconds an event. */
async function steady(lab: Laboratory, pid: number): Promise<number> {
  const before = cpuMs(pid);
  await lab.createFlows({ count: STEADY, rate: RATE });
  await settled(pid);
  const us = ((cpuMs(pid) - before) * 1000) / STEADY;
  await lab.flush();
  return us;
}

/** The same for a backlog that gathered while the listener stood still. */
async function backlog(lab: Laboratory, pid: number, events: number): Promise<number> {
  process.kill(pid, 'SIGSTOP');
  await lab.createFlows({ count: events });
  const before = cpuMs(pid);
  process.kill(pid, 'SIGCONT');
  await settled(pid);
  const us = ((cpuMs(pid) - before) * 1000) / events;
  await lab.flush();
  return us;
}

/** What a listener of ours needs for the events that `measure` makes. */
async function listen(
  lab: Laboratory,
  runtime: Runtime,
  measure: (pid: number) => Promise<number>,
): Promise<number> {
  const listener = lab.program('listen', runtime);
  await listener.ask('start', {});
  await lab.createFlows({ count: WARM_UP, rate: RATE });
  await settled(listener.pid);
  await lab.flush();
  const us = await measure(listener.pid);
  const { overruns } = await listener.ask<Totals>('totals');
  if (overruns > 0) throw new Error(`${runtime.label} lost events: the figure says nothing`);
  listener.close();
  return us;
}

async function largestBacklog(lab: Laboratory, runtime: Runtime): Promise<number> {
  const listener = lab.program('listen', runtime);
  const buffer = await listener.ask<number>('start', {});
  listener.close();
  await delay(50);
  return Math.min(20_000, Math.floor(buffer / 2 / EVENT_BYTES));
}

export const events: Benchmark = {
  name: 'events',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      const rows: (Row | Skipped)[] = [];
      for (const runtime of tools.runtimes) {
        const { ours, theirs } = await interleave(ROUNDS, {
          ours: () => listen(lab, runtime, (pid) => steady(lab, pid)),
          theirs: () => lab.conntrackEvents({ count: STEADY, rate: RATE }),
        });
        rows.push({
          what: `library: CPU per NEW event at 40,000/s (${runtime.label})`,
          unit: 'us/event',
          ours,
          peer: { name: 'conntrack -E -e NEW', samples: theirs },
          target: { kind: 'ratio', most: 0.9 },
        });
        const size = await largestBacklog(lab, runtime);
        const what = `library: CPU per NEW event of a backlog (${runtime.label})`;
        if (size < 2000) {
          const skipped = `net.core.rmem_max lets this transport hold ${size} events only`;
          rows.push({ what, skipped });
          continue;
        }
        const drained = () => listen(lab, runtime, (pid) => backlog(lab, pid, size));
        const { us } = await interleave(ROUNDS, { us: drained });
        const note = `${size.toLocaleString('en-US')} events; conntrack -E loses a backlog`;
        rows.push({ what, unit: 'us/event', ours: us, note });
      }
      return rows;
    }),
};
