/** Daemon: how soon a misplaced flow is deleted, from its NEW event and from its address's set entry. */
import type { Benchmark, Row } from './benchmark.ts';
import { BenchDaemon, createSet, SET, WRONG_MARK } from './daemon.ts';
import { inLaboratory, type Laboratory } from './laboratory.ts';
import type { Runtime, Toolchain } from './toolchain.ts';

const FLOWS = 2000;
const RATE = 1000;
const LATE_FLOWS = 20;
const RECHECK_MS = 1000;

async function fromNew(lab: Laboratory, tools: Toolchain, runtime: Runtime): Promise<Row[]> {
  const daemon = await BenchDaemon.start(lab, tools, runtime);
  const misplaced = { count: FLOWS, rate: RATE, mark: WRONG_MARK, destination: '203.0.113.0', spread: 256 };
  await lab.createFlows(misplaced);
  await daemon.untilStatus('all flows reset', ({ resets }) => resets.deleted === FLOWS);
  const { latencyMs } = await daemon.status();
  await daemon.stop();
  const row = (name: 'p50' | 'p99', most: number): Row => ({
    what: `daemon: NEW to DELETE, ${name} (${runtime.label})`,
    unit: 'ms',
    ours: [latencyMs![name]],
    target: { kind: 'value', most },
    note: `${FLOWS} flows, ${RATE}/s`,
  });
  return [row('p50', 2), row('p99', 10)];
}

/** The address comes late, as it does where an application must be recognised first. */
async function fromEntry(lab: Laboratory, tools: Toolchain, runtime: Runtime): Promise<Row> {
  const daemon = await BenchDaemon.start(lab, tools, runtime, { recheck: [`${RECHECK_MS}ms`, '10s'] });
  await lab.createFlows({
    count: LATE_FLOWS,
    rate: 100,
    mark: WRONG_MARK,
    destination: '192.0.2.0',
    spread: 256,
  });
  lab.sh('ipset', 'add', SET, '192.0.2.0/24');
  await daemon.untilStatus('all flows reset', ({ resets }) => resets.deleted === LATE_FLOWS);
  const late = daemon.lines().filter(({ event }) => event === 'reset');
  await daemon.stop();
  lab.sh('ipset', 'del', SET, '192.0.2.0/24');
  return {
    what: `daemon: from the recheck after the set entry to DELETE (${runtime.label})`,
    unit: 'ms',
    ours: [Math.max(...late.map(({ sinceNewMs }) => (sinceNewMs as number) - RECHECK_MS))],
    target: { kind: 'value', most: 20 },
    note: `the latest of ${LATE_FLOWS}`,
  };
}

export const daemonLatency: Benchmark = {
  name: 'daemon-latency',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      createSet(lab, ['203.0.113.0/24']);
      const rows: Row[] = [];
      for (const runtime of tools.runtimes) {
        rows.push(...(await fromNew(lab, tools, runtime)));
        rows.push(await fromEntry(lab, tools, runtime));
      }
      return rows;
    }),
};
