/** Library: reading a table of 200,000 flows. */
import type { Benchmark, Row, Skipped } from './benchmark.ts';
import { inLaboratory, type Laboratory } from './laboratory.ts';
import { interleave } from './samples.ts';
import type { Runtime } from './toolchain.ts';

const ROUNDS = 3;
const FLOWS = 200_000;
const FEW = 20_000;
const PEER = 'conntrack -L';

const pyroute2 = `
from pyroute2.netlink.nfnetlink.nfctsocket import NFCTSocket
with NFCTSocket() as ct:
    for _ in ct.dump(): pass
`;

function time(lab: Laboratory, command: string): number {
  const start = performance.now();
  lab.sh('sh', '-c', `${command} > /dev/null 2>&1`);
  return performance.now() - start;
}

async function peakGrowth(lab: Laboratory, runtime: Runtime, command: string): Promise<number> {
  const program = lab.program('dump', runtime);
  const { peakMb } = await program.ask<{ peakMb: number }>(command);
  program.close();
  return peakMb;
}

async function compare(lab: Laboratory, runtime: Runtime): Promise<Row[]> {
  const program = lab.program('dump', runtime);
  const measure = (command: string) => async () => (await program.ask<{ ms: number }>(command)).ms;
  await measure('objects')();
  await measure('views')();
  const samples = await interleave(ROUNDS, {
    objects: measure('objects'),
    views: measure('views'),
    conntrack: async () => time(lab, 'conntrack -L'),
  });
  program.close();
  const row = (name: 'objects' | 'views', most: number): Row => ({
    what: `library: list of 200,000 flows as ${name} (${runtime.label})`,
    unit: 'ms',
    ours: samples[name],
    peer: { name: PEER, samples: samples.conntrack },
    target: { kind: 'ratio', most },
  });
  return [row('objects', 1), row('views', 0.5)];
}

export const dump: Benchmark = {
  name: 'dump',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      const first = tools.runtimes[0]!;
      await lab.createFlows({ count: FEW });
      const few = await peakGrowth(lab, first, 'objects');
      const rows: (Row | Skipped)[] = [];
      const hasPyroute2 = lab.sh('sh', '-c', 'python3 -c "import pyroute2" 2>&1 || echo missing') === '';
      const slow = hasPyroute2 ? time(lab, `python3 -c '${pyroute2}'`) : undefined;
      const quick = slow === undefined ? undefined : await compareFew(lab, first);
      await lab.createFlows({ first: FEW, count: FLOWS - FEW });
      for (const runtime of tools.runtimes) rows.push(...(await compare(lab, runtime)));
      rows.push({
        what: `library: memory that listing 200,000 flows takes (${first.label})`,
        unit: 'MB',
        ours: [await peakGrowth(lab, first, 'objects')],
        peer: { name: 'listing 20,000', samples: [few] },
      });
      const what = `library: list of 20,000 flows as objects (${first.label})`;
      if (slow === undefined) rows.push({ what, skipped: 'python3-pyroute2 is not installed' });
      else rows.push({ what, unit: 'ms', ours: [quick!], peer: { name: 'pyroute2', samples: [slow] } });
      return rows;
    }),
};

async function compareFew(lab: Laboratory, runtime: Runtime): Promise<number> {
  const program = lab.program('dump', runtime);
  const { ms } = await program.ask<{ ms: number }>('objects');
  program.close();
  return ms;
}
