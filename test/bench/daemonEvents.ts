/** Daemon: CPU for a NEW event, each flow asked about in a set, against conntrack's mere printing. */
import type { Benchmark, Row, Skipped } from './benchmark.ts';
import { cpuMs } from './cpu.ts';
import { BenchDaemon, createSet, WRONG_MARK } from './daemon.ts';
import { inLaboratory, type Laboratory, settled } from './laboratory.ts';
import { interleave } from './samples.ts';
import type { Runtime, Toolchain } from './toolchain.ts';

/** A sweep follows, and the figure would be the sweep's. */
class EventsLost extends Error {}

const ROUNDS = 3;
const ATTEMPTS = 3;
const WARM_UP = 40_000;
const TARGETS = { ffi: 0.6, handle: 1.2 } as const;

/** CPU in microseconds for each event that the daemon has heard. */
async function cost(lab: Laboratory, daemon: BenchDaemon, rate: number, count: number): Promise<number> {
  const { events } = await daemon.status();
  const before = cpuMs(daemon.pid);
  await lab.createFlows({ count, rate, mark: WRONG_MARK });
  await settled(daemon.pid);
  const ms = cpuMs(daemon.pid) - before;
  const after = await daemon.status();
  await lab.flush();
  if (after.tested < after.events) throw new Error('not every flow was asked about');
  if (after.overruns > 0) throw new EventsLost('events were lost: the machine is too busy to measure this');
  return (ms * 1000) / (after.events - events);
}

/** One measurement of a fresh daemon. */
async function measure(lab: Laboratory, tools: Toolchain, runtime: Runtime, rate: number): Promise<number> {
  const daemon = await BenchDaemon.start(lab, tools, runtime);
  try {
    await cost(lab, daemon, 40_000, WARM_UP);
    return await cost(lab, daemon, rate, rate); // a second's events
  } finally {
    await daemon.stop();
  }
}

async function attempt(measurement: () => Promise<number>): Promise<number> {
  for (let left = ATTEMPTS; ; left--) {
    try {
      return await measurement();
    } catch (error) {
      if (!(error instanceof EventsLost) || left === 1) throw error;
    }
  }
}

async function compare(lab: Laboratory, tools: Toolchain, runtime: Runtime, rate: number) {
  const what = `daemon: CPU per NEW event at ${rate.toLocaleString('en-US')}/s, judged (${runtime.label})`;
  const ours = () => attempt(() => measure(lab, tools, runtime, rate));
  const theirs = () => lab.conntrackEvents({ count: rate, rate, mark: WRONG_MARK });
  try {
    const samples = await interleave(ROUNDS, { ours, theirs });
    return {
      what,
      unit: 'us/event',
      ours: samples.ours,
      peer: { name: 'conntrack -E -e NEW', samples: samples.theirs },
      target: { kind: 'ratio', most: TARGETS[runtime.transport] },
    } satisfies Row;
  } catch (error) {
    if (error instanceof EventsLost) return { what, skipped: error.message } satisfies Skipped;
    throw error;
  }
}

export const daemonEvents: Benchmark = {
  name: 'daemon-events',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      createSet(lab, ['203.0.113.0/24']);
      const rows: (Row | Skipped)[] = [];
      for (const runtime of tools.runtimes)
        for (const rate of [40_000, 10_000]) rows.push(await compare(lab, tools, runtime, rate));
      return rows;
    }),
};
