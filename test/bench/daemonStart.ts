/** Daemon: from the start of the process to `ready`, with an empty table. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Benchmark, Row } from './benchmark.ts';
import { createSet, floorArguments, runArguments } from './daemon.ts';
import { end, inLaboratory, type Laboratory } from './laboratory.ts';
import { interleave } from './samples.ts';
import type { Runtime, Toolchain } from './toolchain.ts';

const ROUNDS = 7;
const LIMIT_MS = 10_000;

async function bare(lab: Laboratory, { node }: Runtime): Promise<number> {
  const start = performance.now();
  await once(lab.spawn(node, ['-e', '0']), 'exit');
  return performance.now() - start;
}

const daemonArguments = (tools: Toolchain) => runArguments(tools, 'start').args;

async function ready(
  lab: Laboratory,
  args: readonly string[],
  { node, transport }: Runtime,
): Promise<number> {
  const start = performance.now();
  const child = lab.spawn(node, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, RESTEER_TRANSPORT: transport },
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  for await (const line of createInterface({ input: child.stdout! })) {
    if ((JSON.parse(line) as { event: string }).event !== 'ready') continue;
    const ms = performance.now() - start;
    await end(child);
    return ms;
  }
  throw new Error('the daemon ended before it was ready');
}

export const daemonStart: Benchmark = {
  name: 'daemon-start',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      createSet(lab);
      const rows: Row[] = [];
      for (const runtime of tools.runtimes) {
        await ready(lab, daemonArguments(tools), runtime);
        const samples = await interleave(ROUNDS, {
          ours: () => ready(lab, daemonArguments(tools), runtime),
          theirs: () => bare(lab, runtime),
          floor: () => ready(lab, floorArguments(tools), runtime),
        });
        const peer = { name: 'node -e 0', samples: samples.theirs };
        rows.push(
          {
            what: `daemon: start to ready (${runtime.label})`,
            unit: 'ms',
            ours: samples.ours,
            peer,
            target: { kind: 'ratio', most: 1.5 },
          },
          { what: `of that, its sockets alone (${runtime.label})`, unit: 'ms', ours: samples.floor, peer },
        );
      }
      return rows;
    }),
};
