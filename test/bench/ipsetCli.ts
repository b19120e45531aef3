/** `resteer ipset`: restoring and listing sets of addresses, against ipset(8). */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark, Row } from './benchmark.ts';
import { childrenCpuMs } from './cpu.ts';
import { inLaboratory, type Laboratory } from './laboratory.ts';
import { interleave } from './samples.ts';
import type { Runtime, Toolchain } from './toolchain.ts';

/** For the smaller set the start of Node is most of the time, for the larger one next to nothing. */
const SIZES = [
  { elements: 1 << 16, rounds: 5 },
  { elements: 1 << 20, rounds: 3 },
] as const;
const START_ROUNDS = 5;

interface Job {
  readonly what: string;
  /** What both programs are given; `{}` stands for the program. */
  readonly line: string;
  /** Where ipset(8) lacks a form, the nearest that it has. */
  readonly peerLine?: string;
  readonly changes?: boolean;
}

const jobs = (file: string): readonly Job[] => [
  { what: 'restore', line: `{} restore < ${file}`, changes: true },
  { what: 'list', line: '{} list bench > /dev/null' },
  { what: 'save', line: '{} save bench > /dev/null' },
  {
    what: 'list -o json',
    line: '{} list bench -o json > /dev/null',
    peerLine: '{} list bench > /dev/null',
  },
];

function writeSet(path: string, elements: number): void {
  const lines = Array.from(
    { length: elements },
    (_, i) => `add bench 10.${i >> 16}.${(i >> 8) & 255}.${i & 255}\n`,
  );
  writeFileSync(
    path,
    `create bench hash:ip hashsize ${elements / 2} maxelem ${elements} initval 1\n${lines.join('')}`,
  );
}

async function measure(lab: Laboratory, { node, label }: Runtime, tools: Toolchain): Promise<Row[]> {
  const program = `${node} ${tools.executable} ipset`;
  const rows: Row[] = [];
  for (const { elements, rounds } of SIZES) {
    const file = join(tools.scratch, `sets-${elements}`);
    writeSet(file, elements);
    for (const { what, line, peerLine = line, changes } of jobs(file)) {
      const cpu = { ours: [] as number[], theirs: [] as number[] };
      const run = (side: 'ours' | 'theirs', command: string) => async () => {
        if (changes) lab.sh('ipset', 'destroy');
        const before = childrenCpuMs(process.pid);
        const start = performance.now();
        lab.sh('sh', '-c', command);
        const elapsed = performance.now() - start;
        cpu[side].push(childrenCpuMs(process.pid) - before);
        return elapsed;
      };
      const wall = await interleave(rounds, {
        ours: run('ours', line.replace('{}', program)),
        theirs: run('theirs', peerLine.replace('{}', 'ipset')),
      });
      const name = `ipset ${what} of ${elements.toLocaleString('en-US')} elements`;
      const peer = `ipset ${peerLine.split(' ')[1]}`;
      const isLarge = elements === SIZES.at(-1)!.elements;
      rows.push({
        what: `${name} (${label})`,
        unit: 'ms',
        ours: wall.ours,
        peer: { name: peer, samples: wall.theirs },
        ...((isLarge || what === 'restore') && { target: { kind: 'ratio', most: 1 } }),
      });
      rows.push({
        what: `CPU of ${name} (${label})`,
        unit: 'ms',
        ours: cpu.ours,
        peer: { name: peer, samples: cpu.theirs },
      });
    }
    lab.sh('ipset', 'destroy');
  }
  const start = await interleave(START_ROUNDS, {
    ours: async () => elapsed(lab, `${program} list -n > /dev/null`),
    theirs: async () => elapsed(lab, `${node} -e 0`),
  });
  rows.push({
    what: `ipset list -n, no sets: the start that is in each of these (${label})`,
    unit: 'ms',
    ours: start.ours,
    peer: { name: 'node -e 0', samples: start.theirs },
  });
  return rows;
}

function elapsed(lab: Laboratory, command: string): number {
  const start = performance.now();
  lab.sh('sh', '-c', command);
  return performance.now() - start;
}

export const ipsetCli: Benchmark = {
  name: 'ipset-cli',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      const rows: Row[] = [];
      for (const runtime of tools.runtimes) rows.push(...(await measure(lab, runtime, tools)));
      return rows;
    }),
};
