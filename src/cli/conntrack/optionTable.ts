import type { LongOption } from '../getopt.ts';
import { wrongParameter } from './exit.ts';

/** What can be done. The order is that of the columns of conntrack(8)'s own table. */
export type CommandName =
  | 'list'
  | 'create'
  | 'update'
  | 'delete'
  | 'get'
  | 'flush'
  | 'event'
  | 'version'
  | 'help'
  | 'expect-list'
  | 'expect-create'
  | 'expect-delete'
  | 'expect-get'
  | 'expect-flush'
  | 'expect-event'
  | 'count'
  | 'expect-count'
  | 'stats'
  | 'expect-stats'
  | 'add';

export const TABLES = ['conntrack', 'expect', 'dying', 'unconfirmed'] as const;
export type TableName = (typeof TABLES)[number];

/** Commands by the letter of their option, for the flow table and for the expectations. */
export const COMMANDS: Readonly<Record<string, readonly [CommandName, CommandName | undefined]>> = {
  L: ['list', 'expect-list'],
  I: ['create', 'expect-create'],
  A: ['add', undefined],
  D: ['delete', 'expect-delete'],
  U: ['update', undefined],
  G: ['get', 'expect-get'],
  F: ['flush', 'expect-flush'],
  E: ['event', 'expect-event'],
  V: ['version', 'version'],
  h: ['help', 'help'],
  C: ['count', 'expect-count'],
  S: ['stats', 'expect-stats'],
};

export const SHORT_OPTIONS =
  ':L::I::U::D::G::E::F::A::hVs:d:r:q:p:t:u:e:a:z[:]:{:}:m:i:f:o:n::g::c:b:C::Sj::w:l:<:>::(:):';

const long = (argument: LongOption['argument'], value: string, ...names: string[]): LongOption[] =>
  names.map((name) => ({ name, argument, value }));

/** The long options, in the order in which an error looks up an option's name. */
export const LONG_OPTIONS: readonly LongOption[] = [
  ...long('optional', 'L', 'dump'),
  ...long('optional', 'I', 'create'),
  ...long('optional', 'A', 'add'),
  ...long('optional', 'D', 'delete'),
  ...long('optional', 'U', 'update'),
  ...long('optional', 'G', 'get'),
  ...long('optional', 'F', 'flush'),
  ...long('optional', 'E', 'event'),
  ...long('optional', 'C', 'counter'),
  ...long('no', 'S', 'stats'),
  ...long('no', 'V', 'version'),
  ...long('no', 'h', 'help'),
  ...long('required', 's', 'orig-src', 'src'),
  ...long('required', 'd', 'orig-dst', 'dst'),
  ...long('required', 'r', 'reply-src'),
  ...long('required', 'q', 'reply-dst'),
  ...long('required', 'p', 'protonum'),
  ...long('required', 't', 'timeout'),
  ...long('required', 'u', 'status'),
  ...long('no', 'z', 'zero'),
  ...long('required', 'e', 'event-mask'),
  ...long('required', '[', 'tuple-src'),
  ...long('required', ']', 'tuple-dst'),
  ...long('required', '{', 'mask-src'),
  ...long('required', '}', 'mask-dst'),
  ...long('required', 'a', 'nat-range'),
  ...long('required', 'm', 'mark'),
  ...long('required', 'c', 'secmark'),
  ...long('optional', 'i', 'id'),
  ...long('required', 'f', 'family'),
  ...long('optional', 'n', 'src-nat'),
  ...long('optional', 'g', 'dst-nat'),
  ...long('required', 'o', 'output'),
  ...long('required', 'b', 'buffer-size'),
  ...long('optional', 'j', 'any-nat'),
  ...long('required', 'w', 'zone'),
  ...long('required', 'l', 'label'),
  ...long('required', '<', 'label-add'),
  ...long('optional', '>', 'label-del'),
  ...long('required', '(', 'orig-zone'),
  ...long('required', ')', 'reply-zone'),
];

/** Options by the letter that getopt returns, with the name that an error calls them by; in table order. */
const OPTION_NAMES = {
  s: 'src',
  d: 'dst',
  r: 'reply-src',
  q: 'reply-dst',
  p: 'protonum',
  t: 'timeout',
  u: 'status',
  z: 'zero',
  e: 'event-mask',
  '[': 'tuple-src',
  ']': 'tuple-dst',
  '{': 'mask-src',
  '}': 'mask-dst',
  a: 'nat-range',
  m: 'mark',
  i: 'id',
  f: 'family',
  n: 'src-nat',
  g: 'dst-nat',
  o: 'output',
  c: 'secmark',
  b: 'buffer-size',
  j: 'any-nat',
  w: 'zone',
  l: 'label',
  '<': 'label-add',
  '>': 'label-del',
  '(': 'orig-zone',
  ')': 'reply-zone',
} as const;

const OPTION_ENTRIES = Object.entries(OPTION_NAMES);

/**
 * Which options go with which command: a character for each option in the order of OPTION_NAMES.
 * 0 is refused, 1 needed, 2 allowed; 3 is one of a pair: both of one of the pairs are needed.
 */
const LEGAL: Readonly<Record<CommandName, string>> = {
  //               sdrqptuze[]{}amifngocbjwl<>()
  list: /*       */ '22222022000220202222202220022',
  create: /*     */ '33331120000002200220000202022',
  update: /*     */ '22222220000220222222000022200',
  delete: /*     */ '22222220000220222222000220022',
  get: /*        */ '33331000000000020002000020000',
  flush: /*      */ '00000000000000002000000000000',
  event: /*      */ '22222000200220202222222220022',
  version: /*    */ '00000000000000000000000000000',
  help: /*       */ '00002000000000000000000000000',
  'expect-list': '00000000000000002002000000000',
  'expect-create': '11221120011110000000000000000',
  'expect-delete': '11221000000000000000000000000',
  'expect-get': '11221000000000000000000000000',
  'expect-flush': '00000000000000000000000000000',
  'expect-event': '00000000000000000002000000000',
  count: /*      */ '00000000000000000000000000000',
  'expect-count': '00000000000000000000000000000',
  stats: /*      */ '00000000000000000000000000000',
  'expect-stats': '00000000000000000000000000000',
  add: /*        */ '33331120000002200220000202022',
};

/** A pair of options that go together, and what an error says where neither pair is whole. */
export interface OptionPair {
  readonly options: readonly [string, string];
  readonly message: string;
}

const ADDRESS_PAIRS: readonly OptionPair[] = [
  { options: ['s', 'd'], message: "you have to specify `--src' and `--dst'" },
  { options: ['r', 'q'], message: "you have to specify `--reply-src' and `--reply-dst'" },
];

/** @throws ConntrackExit where the options do not go with the command; without a command none does */
export function checkOptions(command: CommandName | undefined, given: ReadonlySet<string>): void {
  checkLegal(command === undefined ? '' : LEGAL[command], OPTION_ENTRIES, given, ADDRESS_PAIRS);
}

/**
 * Checks a set of options against one row of a table.
 * @throws ConntrackExit for the first option, in table order, that is missing or refused
 */
export function checkLegal(
  legal: string,
  names: readonly (readonly [option: string, name: string])[],
  given: ReadonlySet<string>,
  pairs: readonly OptionPair[],
): void {
  let needsPair = false;
  for (let column = 0; column < names.length; column++) {
    const [option, name] = names[column]!;
    const rule = legal[column] ?? '0';
    if (!given.has(option)) {
      if (rule === '1') {
        throw wrongParameter(`You need to supply the \`--${name}' option for this command`);
      }
    } else if (rule === '0') {
      throw wrongParameter(`Illegal option \`--${name}' with this command`);
    }
    needsPair ||= rule === '3';
  }
  const isWhole = ({ options }: OptionPair) => options.every((option) => given.has(option));
  if (!needsPair || pairs.length === 0 || pairs.some(isWhole)) return;
  const begun = pairs.find(({ options }) => options.some((option) => given.has(option)));
  throw wrongParameter((begun ?? pairs[0]!).message);
}

/** The name by which conntrack(8) calls an option in an error about its value. */
export function longNameOf(option: string): string {
  return LONG_OPTIONS.find(({ value }) => value === option)?.name ?? 'unknown';
}
