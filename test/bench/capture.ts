/** `resteer capture`: CPU for a NEW event that goes into a file, against conntrack's printing to nowhere. */
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark, Row } from './benchmark.ts';
import { cpuMs } from './cpu.ts';
import { end, inLaboratory, type Laboratory, settled } from './laboratory.ts';
import { interleave } from './samples.ts';
import type { Runtime, Toolchain } from './toolchain.ts';

const ROUNDS = 3;
const RATE = 40_000;
const WARM_UP = 40_000;

/** CPU in microseconds for each event that is in the file. */
async function record(lab: Laboratory, tools: Toolchain, { node, transport }: Runtime): Promise<number> {
  const file = join(tools.scratch, 'events.pcapng');
  const args = ['--no-warnings', tools.executable, 'capture', file, '--events', 'new'];
  const child = lab.spawn(node, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, RESTEER_TRANSPORT: transport },
  });
  let said = '';
  const closed = once(child, 'close');
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  try {
    await once(child.stderr!, 'data');
    await lab.createFlows({ count: WARM_UP, rate: RATE });
    await settled(child.pid!);
    await lab.flush();
    const before = cpuMs(child.pid!);
    await lab.createFlows({ count: RATE, rate: RATE });
    await settled(child.pid!);
    const ms = cpuMs(child.pid!) - before;
    await end(child, 'SIGINT');
    await closed;
    await lab.flush();
    if (!said.includes(`${(WARM_UP + RATE).toLocaleString('en')} events`) || !said.includes('none lost'))
      throw new Error(`the capture lost events: the figure says nothing: ${said}`);
    return (ms * 1000) / RATE;
  } finally {
    rmSync(file, { force: true });
  }
}

export const capture: Benchmark = {
  name: 'capture',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      const rows: Row[] = [];
      for (const runtime of tools.runtimes) {
        const { ours, theirs } = await interleave(ROUNDS, {
          ours: () => record(lab, tools, runtime),
          theirs: () => lab.conntrackEvents({ count: RATE, rate: RATE }),
        });
        rows.push({
          what: `capture: CPU per NEW event at 40,000/s, into a file (${runtime.label})`,
          unit: 'us/event',
          ours,
          peer: { name: 'conntrack -E -e NEW', samples: theirs },
        });
      }
      return rows;
    }),
};
