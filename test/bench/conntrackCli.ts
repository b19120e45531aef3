/** `resteer conntrack` against conntrack(8): listing, counting, deleting and loading large tables. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark, Row, Skipped } from './benchmark.ts';
import { inLaboratory, type Laboratory } from './laboratory.ts';
import { interleave } from './samples.ts';
import type { Runtime, Toolchain } from './toolchain.ts';

const ROUNDS = 3;
const FLOWS = 200_000;
const MANY = 1_000_000;
const LINES = 100_000;
const MAX_FILE = '/proc/sys/net/netfilter/nf_conntrack_max';
const PEER = 'conntrack';

interface Job {
  readonly what: string;
  /** The arguments of both programs, or ours where the real one has no such form. */
  readonly args: string;
  readonly peerArgs?: string;
  /** Ratio at most, on the newest runtime. */
  readonly most?: number | undefined;
  /** Brings the table to where the job begins. */
  before?(lab: Laboratory): Promise<void>;
}

function milliseconds(lab: Laboratory, line: string): number {
  const start = performance.now();
  lab.sh('sh', '-c', `${line} > /dev/null 2>&1`);
  return performance.now() - start;
}

const fill = (count: number) => async (lab: Laboratory) => {
  const there = await lab.flowCount();
  if (there > count) await lab.flush();
  const first = there > count ? 0 : there;
  if (first < count) await lab.createFlows({ first, count: count - first });
};

/** Each marks a thousandth of the table. */
const fillWithMarked = async (lab: Laboratory) => {
  await fill(FLOWS - FLOWS / 1000)(lab);
  await lab.createFlows({ first: FLOWS, count: FLOWS / 1000, mark: 0x200 });
};

const lists = (count: number): readonly Job[] => {
  const flows = `of ${count.toLocaleString('en-US')} flows`;
  return [
    { what: `-L ${flows}`, args: '-L', most: 1, before: fill(count) },
    { what: `-L -o json ${flows}`, args: '-L -o json', peerArgs: '-L', most: 1, before: fill(count) },
  ];
};

const jobs = (file: string): readonly Job[] => [
  ...lists(FLOWS),
  { what: '-L -p udp, none of 200,000', args: '-L -p udp', most: 1, before: fill(FLOWS) },
  { what: '-L -m, few of 200,000', args: '-L -m 0x200/0xf00', most: 1, before: fillWithMarked },
  { what: '-D of 200,000 flows', args: '-D', most: 1, before: fill(FLOWS) },
  { what: '-R of 100,000 lines', args: `-R ${file}`, most: 1, before: (lab) => lab.flush() },
  { what: '-C', args: '-C' },
  { what: '-S', args: '-S' },
];

async function measure(lab: Laboratory, tools: Toolchain, runtime: Runtime, job: Job): Promise<Row> {
  const { what, args, peerArgs = args, most, before } = job;
  const program = `${runtime.node} ${tools.executable} conntrack`;
  const timed = (line: string) => async () => {
    await before?.(lab);
    return milliseconds(lab, line);
  };
  const { ours, theirs } = await interleave(ROUNDS, {
    ours: timed(`RESTEER_TRANSPORT=${runtime.transport} ${program} ${args}`),
    theirs: timed(`conntrack ${peerArgs}`),
  });
  return {
    ...{ what: `conntrack ${what} (${runtime.label})`, unit: 'ms', ours },
    peer: { name: `${PEER} ${peerArgs.split(' ')[0]}`, samples: theirs },
    ...(most !== undefined && { target: { kind: 'ratio' as const, most } }),
  };
}

export const conntrackCli: Benchmark = {
  name: 'conntrack-cli',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      const file = join(tools.scratch, 'flows');
      const line = (n: number) =>
        `-A -t 600 -u SEEN_REPLY,ASSURED -s 10.${n >> 16}.${(n >> 8) & 255}.${n & 255} -d 198.18.0.1 -p tcp ` +
        '--sport 40000 --dport 443 --state ESTABLISHED -m 1\n';
      writeFileSync(file, Array.from({ length: LINES }, (_, n) => line(n)).join(''));
      const rows: (Row | Skipped)[] = [];
      const [first, ...others] = tools.runtimes as [Runtime, ...Runtime[]];
      for (const job of jobs(file)) rows.push(await measure(lab, tools, first, job));
      for (const runtime of others) {
        for (const job of lists(FLOWS))
          rows.push(await measure(lab, tools, runtime, { ...job, most: undefined }));
      }
      const max = Number(readFileSync(MAX_FILE, 'utf8'));
      for (const job of lists(MANY)) {
        const what = `conntrack ${job.what} (${first.label})`;
        if (max < MANY) rows.push({ what, skipped: `net.netfilter.nf_conntrack_max is ${max}` });
        else rows.push(await measure(lab, tools, first, job));
      }
      return rows;
    }),
};
