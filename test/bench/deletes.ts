/** Library: deleting many flows out of a large table. */
import type { Benchmark, Row } from './benchmark.ts';
import { inLaboratory, type Laboratory } from './laboratory.ts';
import { interleave } from './samples.ts';

const ROUNDS = 3;
const TABLE = 200_000;
const DELETES = 20_000;

/** Microseconds for one `conntrack -D` of one flow: it reads the table for each. */
async function spawned(lab: Laboratory): Promise<number> {
  await lab.createFlows({ first: 500_000, count: 1 });
  const { source, destination } = { source: '10.7.161.32', destination: '198.18.0.0/15' };
  const start = performance.now();
  lab.sh(
    'conntrack',
    '-D',
    '-p',
    'tcp',
    '-s',
    source,
    '-d',
    destination,
    '--sport',
    '40000',
    '--dport',
    '443',
  );
  return (performance.now() - start) * 1000;
}

export const deletes: Benchmark = {
  name: 'deletes',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      await lab.createFlows({ count: TABLE });
      const rows: Row[] = [];
      for (const runtime of tools.runtimes) {
        const program = lab.program('deletes', runtime);
        const ours = async () => {
          const us = await program.ask<number>('remove', DELETES);
          await lab.createFlows({ count: DELETES });
          return us;
        };
        await ours();
        const samples = await interleave(ROUNDS, { ours, theirs: () => spawned(lab) });
        program.close();
        rows.push({
          what: `library: one of many deletes among 200,000 flows (${runtime.label})`,
          unit: 'us',
          ours: samples.ours,
          peer: { name: 'conntrack -D for each', samples: samples.theirs },
        });
      }
      return rows;
    }),
};
