import { readFileSync } from 'node:fs';
import { encodeListExpectationStatistics, encodeListExpectations } from '../../ctnetlink/expectation.ts';
import { encodeGetTableStatistics, encodeListCpuStatistics } from '../../ctnetlink/requests/list.ts';
import {
  type CpuStatistics,
  decodeCpuStatistics,
  decodeExpectationStatistics,
  decodeTableStatistics,
  type ExpectationStatistics,
} from '../../ctnetlink/statistics.ts';
import { messageFamily } from '../../nfnetlink/message.ts';
import { isNetlinkError } from '../errors.ts';
import type { CommandLine } from './commandLine.ts';
import { failure } from './exit.ts';
import type { Session } from './session.ts';

const COUNT_FILE = '/proc/sys/net/netfilter/nf_conntrack_count';
const STATISTICS_FILE = '/proc/net/stat/nf_conntrack';

/** -C: how many flows there are. Who may not ask the kernel reads the file that everybody may. */
export async function countFlows(line: CommandLine, { questions, output }: Session): Promise<void> {
  try {
    const [answer] = await (await questions).query(encodeGetTableStatistics(), decodeTableStatistics);
    const { entries = 0, maxEntries } = answer ?? {};
    output.line(line.output.has('json') ? JSON.stringify({ entries, maxEntries }) : String(entries | 0));
  } catch (error) {
    if (!isNetlinkError(error)) throw error;
    const entries = Number(readOrFail(COUNT_FILE, `Can't open ${COUNT_FILE}`));
    output.line(line.output.has('json') ? JSON.stringify({ entries }) : String(entries));
  }
}

/** -C expect: of IPv4, as conntrack(8) counts them. */
export async function countExpectations(line: CommandLine, { questions, output }: Session): Promise<void> {
  let entries = 0;
  await (await questions).visit(encodeListExpectations(), (bytes, start) => {
    if (messageFamily(bytes, start) === line.family) entries++;
  });
  output.line(line.output.has('json') ? JSON.stringify({ entries }) : String(entries));
}

/** Names of the kernel's counters, in the order in which they are printed. */
const flowNames: readonly (readonly [keyof CpuStatistics, string])[] = [
  ['searched', 'searched'],
  ['found', 'found'],
  ['new', 'new'],
  ['invalid', 'invalid'],
  ['ignore', 'ignore'],
  ['delete', 'delete'],
  ['deleteList', 'delete_list'],
  ['insert', 'insert'],
  ['insertFailed', 'insert_failed'],
  ['drop', 'drop'],
  ['earlyDrop', 'early_drop'],
  ['error', 'error'],
  ['searchRestart', 'search_restart'],
  ['clashResolve', 'clash_resolve'],
  ['chainTooLong', 'chaintoolong'],
];

const expectationNames: readonly (readonly [keyof ExpectationStatistics, string])[] = [
  ['new', 'expect_new'],
  ['create', 'expect_create'],
  ['delete', 'expect_delete'],
];

/** -S: what each CPU has counted. */
export async function printStatistics(line: CommandLine, session: Session): Promise<void> {
  await statistics(line, session, encodeListCpuStatistics(), decodeCpuStatistics, flowNames);
}

/** -S expect. */
export async function printExpectationStatistics(line: CommandLine, session: Session): Promise<void> {
  const request = encodeListExpectationStatistics();
  await statistics(line, session, request, decodeExpectationStatistics, expectationNames);
}

async function statistics<T extends { readonly cpu: number }>(
  line: CommandLine,
  { questions, output }: Session,
  request: Uint8Array,
  decode: (bytes: Uint8Array, start: number, end: number) => T,
  names: readonly (readonly [keyof T, string])[],
): Promise<void> {
  try {
    for await (const counted of (await questions).dump(request, decode)) {
      const known = names.filter(([field]) => counted[field] !== undefined);
      if (line.output.has('json')) {
        const values = Object.fromEntries(known.map(([field, name]) => [name, counted[field]]));
        output.line(JSON.stringify({ cpu: counted.cpu, ...values }));
        continue;
      }
      const values = known.map(([field, name]) => `${name}=${counted[field]} `);
      output.line(`cpu=${String(counted.cpu).padEnd(4)}\t${values.join('')}`);
    }
  } catch (error) {
    if (!isNetlinkError(error)) throw error;
    printStatisticsFile(line, output);
  }
}

/** The same from /proc: names in the first line, and hexadecimal numbers in one line for each CPU. */
function printStatisticsFile(line: CommandLine, output: Session['output']): void {
  const [header, ...rows] = readOrFail(STATISTICS_FILE, "Can't open /proc interface").trim().split('\n');
  const names = (header ?? '').trim().split(/\s+/);
  for (const [cpu, row] of rows.entries()) {
    const numbers = row
      .trim()
      .split(/\s+/)
      .map((digits) => Number.parseInt(digits, 16));
    const values = names.map((name, i) => [name, numbers[i] ?? 0] as const);
    if (line.output.has('json')) output.line(JSON.stringify({ cpu, ...Object.fromEntries(values) }));
    else {
      const text = values.map(([name, value]) => `${name}=${value} `).join('');
      output.line(`cpu=${String(cpu).padEnd(4)}\t${text}`);
    }
  }
}

function readOrFail(path: string, message: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw failure(message);
  }
}
