/** `resteer ipset`: restoring and listing a set of 65,536 addresses, against ipset(8). */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark, Row } from './benchmark.ts';
import { inLaboratory, type Laboratory } from './laboratory.ts';
import { interleave } from './samples.ts';

const ROUNDS = 3;
const ELEMENTS = 65536;

const milliseconds = (lab: Laboratory, line: string): number => {
  const start = performance.now();
  lab.sh('sh', '-c', line);
  return performance.now() - start;
};

export const ipsetCli: Benchmark = {
  name: 'ipset-cli',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      const file = join(tools.scratch, 'sets');
      const lines = Array.from({ length: ELEMENTS }, (_, i) => `add bench 10.1.${i >> 8}.${i & 255}\n`);
      writeFileSync(file, `create bench hash:ip hashsize 32768 initval 1\n${lines.join('')}`);
      const restore = async (program: string) => {
        lab.sh('ipset', 'destroy');
        return milliseconds(lab, `${program} restore < ${file}`);
      };
      const list = async (program: string) => milliseconds(lab, `${program} list bench > /dev/null`);
      const rows: Row[] = [];
      for (const { node, label } of tools.runtimes) {
        const program = `${node} ${tools.executable} ipset`;
        for (const [what, run] of [
          ['restore', restore],
          ['list', list],
        ] as const) {
          const { ours, theirs } = await interleave(ROUNDS, {
            ours: () => run(program),
            theirs: () => run('ipset'),
          });
          rows.push({
            what: `ipset ${what} of 65,536 elements (${label})`,
            unit: 'ms',
            ours,
            peer: { name: `ipset ${what}`, samples: theirs },
            note: 'with the start of the process',
          });
        }
      }
      return rows;
    }),
};
