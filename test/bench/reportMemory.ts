/** Report: what a million flows take, most of which it has seen before. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark, Row } from './benchmark.ts';
import { cpuMs, peakRssMb, rssMb } from './cpu.ts';
import { end, inLaboratory, type Laboratory, settled } from './laboratory.ts';
import type { Runtime, Toolchain } from './toolchain.ts';

const DISTINCT = 50_000;
const ROUNDS = 20;
const RATE = 40_000;

/** The same flows over and over, through the kernel's events; then the whole report is written. */
async function measure(lab: Laboratory, tools: Toolchain, runtime: Runtime): Promise<Row[]> {
  const output = join(tools.scratch, 'report.json');
  const args = [tools.executable, 'report', '--format', 'json', '--output', output];
  const child = lab.spawn(runtime.node, args, {
    // flows that are made by messages need no rule: that there is none is said, and not of interest
    stdio: 'ignore',
    env: { ...process.env, RESTEER_TRANSPORT: runtime.transport },
  });
  const pid = child.pid!;
  await settled(pid);
  const idle = rssMb(pid);
  const before = cpuMs(pid);
  // the peak of the start is not that of the work
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  for (let round = 0; round < ROUNDS; round++) {
    await lab.createFlows({ count: DISTINCT, rate: RATE });
    await lab.flush();
  }
  await settled(pid);
  const cpu = cpuMs(pid) - before;
  // SIGTERM writes the report, and the process has no peak any more when it is gone
  child.kill('SIGUSR1');
  await settled(pid);
  const peak = peakRssMb(pid);
  await end(child);
  const records = readFileSync(output, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  rmSync(output);
  const heard = records.reduce((sum, { flows }) => sum + flows, 0);
  const note = `${records.length} distinct of ${heard} flows heard`;
  return [
    {
      what: `report: 1,000,000 flows, 50,000 distinct, and written: peak over idle (${runtime.label})`,
      unit: 'MB',
      ours: [peak - idle],
      target: { kind: 'value', most: 40 },
      note,
    },
    {
      what: `report: CPU per flow (${runtime.label})`,
      unit: 'us',
      ours: [(cpu * 1000) / heard],
    },
  ];
}

export const reportMemory: Benchmark = {
  name: 'report-memory',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      const rows: Row[] = [];
      for (const runtime of tools.runtimes) rows.push(...(await measure(lab, tools, runtime)));
      return rows;
    }),
};
