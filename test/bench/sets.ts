/** Library: asking a set about many addresses. */
import type { Benchmark, Row } from './benchmark.ts';
import { inLaboratory, type Laboratory } from './laboratory.ts';
import { interleave } from './samples.ts';

const ROUNDS = 3;
const SPAWNS = 100;

/** Tests a second by what people do today: a process each. */
async function spawned(lab: Laboratory): Promise<number> {
  const loop = `i=0; while [ $i -lt ${SPAWNS} ]; do ipset -q test bench 203.0.113.$i; i=$((i+1)); done; true`;
  const start = performance.now();
  lab.sh('sh', '-c', loop);
  return ((performance.now() - start) * 1000) / SPAWNS;
}

export const sets: Benchmark = {
  name: 'sets',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      lab.sh('ipset', 'create', 'bench', 'hash:ip');
      for (let i = 0; i < 20; i++) lab.sh('ipset', 'add', 'bench', `203.0.113.${i}`);
      const rows: Row[] = [];
      for (const runtime of tools.runtimes) {
        const program = lab.program('sets', runtime);
        await program.ask('test');
        const { ours, theirs } = await interleave(ROUNDS, {
          ours: () => program.ask<number>('test'),
          theirs: () => spawned(lab),
        });
        program.close();
        rows.push({
          what: `library: one of many set tests (${runtime.label})`,
          unit: 'us',
          ours,
          peer: { name: 'a process for each', samples: theirs },
        });
      }
      return rows;
    }),
};
