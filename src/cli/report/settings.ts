import { type CheckedFilter, checkFilter, type FlowFilter } from '../../ctnetlink/filter.ts';
import { duration } from '../../daemon/config/durations.ts';
import { decodeNetwork } from '../../daemon/config/networks.ts';
import { decodeProtocol } from '../../daemon/config/protocols.ts';
import { type Reader, Refusal, valueText } from '../../daemon/config/refusal.ts';
import { AF } from '../../nfnetlink/constants.ts';
import { EncodeError } from '../../nfnetlink/errors.ts';
import { MOST_SLACK } from '../../report/fold.ts';
import { usageError } from '../errors.ts';

export const FORMATS = ['text', 'json', 'csv', 'nft', 'iptables', 'ipset'] as const;
export type ReportFormat = (typeof FORMATS)[number];

/** The options as they are written. */
export interface ReportOptions {
  readonly duration?: string;
  readonly untilIdle?: string | true;
  readonly output?: string;
  readonly resume?: true;
  readonly format: ReportFormat;
  readonly summary?: true;
  readonly slack?: string;
  readonly from?: string;
  readonly mark?: string;
  readonly family?: 'ipv4' | 'ipv6';
  readonly protocol?: string;
  readonly source?: string;
  readonly destination?: string;
  readonly zone?: string;
  readonly confirmed?: true;
  readonly maxFlows: string;
}

/** The options as values. */
export interface ReportSettings {
  /** How long events are followed; until a signal where it is undefined. */
  readonly durationMs: number | undefined;
  /** How long no distinct flow may have come for the report to end. */
  readonly idleMs: number | undefined;
  readonly output: string | undefined;
  /** Whether it goes on from what the output file has. */
  readonly isResumed: boolean;
  readonly format: ReportFormat | 'summary';
  readonly slack: number;
  /** A report in JSON that is read instead of the kernel. */
  readonly from: string | undefined;
  readonly filter: FlowFilter;
  readonly checkedFilter: CheckedFilter;
  readonly onlyConfirmed: boolean;
  readonly maxFlows: number;
}

/** Without a value, --until-idle waits so long. */
export const USUAL_IDLE = '10s';
export const USUAL_MAX_FLOWS = 1_000_000;
/** A gigabyte of them. */
const MOST_MAX_FLOWS = 1 << 24;

const DRAFTS: readonly string[] = ['nft', 'iptables', 'ipset'];
const SEE_HELP = 'see resteer report --help';

/** @throws CliError where a value is wrong, or two options contradict each other. */
export function readSettings(options: ReportOptions): ReportSettings {
  const { untilIdle, format, slack, from } = options;
  if (options.summary && format !== 'text') refuse('--summary', 'it is text: leave out --format');
  if (slack !== undefined && !DRAFTS.includes(format))
    refuse('--slack', 'only the formats nft, iptables and ipset fold addresses');
  if (options.resume && (format !== 'json' || options.output === undefined))
    refuse('--resume', 'it reads the file of --output again, in the format json');
  if (from !== undefined) {
    for (const name of ['duration', 'untilIdle', 'resume', 'mark', 'zone'] as const) {
      const option = name === 'untilIdle' ? '--until-idle' : `--${name}`;
      if (options[name] !== undefined) refuse(option, 'it asks the kernel, and --from reads a file instead');
    }
  }
  const filter = readFilter(options);
  return {
    durationMs: read('--duration', options.duration, duration('0s', '24h')),
    idleMs: read('--until-idle', untilIdle === true ? USUAL_IDLE : untilIdle, duration('100ms', '24h')),
    output: options.output,
    isResumed: options.resume === true,
    format: options.summary ? 'summary' : format,
    slack: read('--slack', slack, integer(0, MOST_SLACK)) ?? 0,
    from,
    filter,
    checkedFilter: check(filter),
    onlyConfirmed: options.confirmed === true,
    maxFlows: read('--max-flows', options.maxFlows, integer(1, MOST_MAX_FLOWS)) ?? USUAL_MAX_FLOWS,
  };
}

function readFilter({ mark, family, protocol, source, destination, zone }: ReportOptions): FlowFilter {
  // the filter has its own reader of networks; this one says more of what is wrong
  read('--source', source, decodeNetwork);
  read('--destination', destination, decodeNetwork);
  const number = protocol !== undefined && /^\d+$/.test(protocol) ? Number(protocol) : protocol;
  return {
    ...read('--mark', mark, decodeMaskedMark),
    family: family && (family === 'ipv4' ? AF.INET : AF.INET6),
    protocol: read('--protocol', number, decodeProtocol),
    original: { source, destination },
    zone: read('--zone', zone, integer(0, 0xffff)),
  };
}

/** What remains to be wrong is wrong between two options. */
function check(filter: FlowFilter): CheckedFilter {
  try {
    return checkFilter(filter);
  } catch (error) {
    throw error instanceof EncodeError ? usageError('report', error.message, SEE_HELP) : error;
  }
}

function decodeMaskedMark(value: unknown): { mark: number; markMask?: number } {
  const number = '(0x[0-9a-f]{1,8}|\\d{1,10})';
  const parts = new RegExp(`^${number}(?:/${number})?$`, 'i').exec(String(value));
  const [mark, mask] = [Number(parts?.[1]), Number(parts?.[2] ?? 0xffffffff)];
  if (!parts || mark > 0xffffffff || mask > 0xffffffff) {
    throw new Refusal(
      'is not a mark: a number such as 0x100 or 256, and a mask behind a slash, 0x100/0x3f00',
    );
  }
  return parts[2] === undefined ? { mark } : { mark, markMask: mask };
}

function integer(least: number, most: number): Reader<number> {
  return (value) => {
    const number = /^\d{1,9}$/.test(String(value)) ? Number(value) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw new Refusal(`is out of range: a whole number from ${least} to ${most}`);
  };
}

function read<T>(option: string, value: unknown, reader: Reader<T>): T | undefined {
  if (value === undefined) return undefined;
  try {
    return reader(value);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return refuse(option, `${valueText(value)} ${error.message}`);
  }
}

function refuse(option: string, why: string): never {
  throw usageError('report', `${option}: ${why}`, SEE_HELP);
}
