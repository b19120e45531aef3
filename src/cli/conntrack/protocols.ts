import { IPPROTO } from '../../ctnetlink/constants.ts';
import type { LongOption } from '../getopt.ts';
import type { CommandName, OptionPair } from './optionTable.ts';

/** What an option of a protocol sets. */
export type ProtocolField =
  | 'original.sourcePort'
  | 'original.destinationPort'
  | 'reply.sourcePort'
  | 'reply.destinationPort'
  | 'mask.sourcePort'
  | 'mask.destinationPort'
  | 'expected.sourcePort'
  | 'expected.destinationPort'
  | 'state'
  | 'originalVtag'
  | 'replyVtag'
  | 'role'
  | 'icmpType'
  | 'icmpCode'
  | 'icmpId';

interface ProtocolOption {
  readonly field: ProtocolField;
  /** The name in errors; the first of the names on the command line, too. */
  readonly name: string;
  readonly aliases: readonly string[];
}

/** A protocol whose flows have more than addresses. */
export interface Protocol {
  readonly name: string;
  readonly number: number;
  /** In the order of the protocol's table. */
  readonly options: readonly ProtocolOption[];
  /** As LEGAL of the general options; commands that are not there allow none. */
  readonly legal: Readonly<Partial<Record<CommandName, string>>>;
  readonly pairs: readonly OptionPair[];
  /** Names of states by number; a state that has none is undefined. */
  readonly states?: readonly string[];
  /** What an unknown state is called in the error. */
  readonly stateError?: string;
  /** The lines of `-h -p` for it. */
  readonly help: string;
}

const TUPLE_FIELDS = [
  'original.sourcePort',
  'original.destinationPort',
  'reply.sourcePort',
  'reply.destinationPort',
  'mask.sourcePort',
  'mask.destinationPort',
] as const satisfies readonly ProtocolField[];

const EXPECTED_FIELDS = ['expected.sourcePort', 'expected.destinationPort'] as const;

/** Ports, or the keys of GRE: `what` is 'port' or 'key', `short` the names in errors. */
function pairOptions(
  fields: readonly ProtocolField[],
  what: string,
  [source, destination]: readonly [string, string],
): ProtocolOption[] {
  return fields.map((field) => {
    const [tuple, end] = field.split('.') as [string, string];
    const side = end === 'sourcePort' ? 'src' : 'dst';
    const short = side === 'src' ? source : destination;
    if (tuple === 'original') return option(field, short, [`orig-${what}-${side}`]);
    const prefix = tuple === 'expected' ? 'tuple' : tuple;
    return option(field, `${prefix}-${what}-${side}`);
  });
}

function option(field: ProtocolField, name: string, aliases: readonly string[] = []): ProtocolOption {
  return { field, name, aliases };
}

function pairs(what: readonly [string, string], reply: readonly [string, string]): readonly OptionPair[] {
  return [
    {
      options: ['original.sourcePort', 'original.destinationPort'],
      message: `you have to specify \`--${what[0]}' and \`--${what[1]}'`,
    },
    {
      options: ['reply.sourcePort', 'reply.destinationPort'],
      message: `you have to specify \`--${reply[0]}' and \`--${reply[1]}'`,
    },
  ];
}

const PORTS = ['sport', 'dport'] as const;
const portPairs = pairs(PORTS, ['reply-src-port', 'reply-dst-port']);

/** Rows of one shape for the commands about single flows, many flows and expectations. */
function legal(many: string, one: string, get: string, expect: string, found: string): Protocol['legal'] {
  return {
    ...{ list: many, update: many, delete: many, event: many },
    ...{ create: one, add: one, get },
    ...{ 'expect-create': expect, 'expect-delete': found, 'expect-get': found },
  };
}

const portHelp = (extra = '') =>
  '  --orig-port-src\t\toriginal source port\n' +
  '  --orig-port-dst\t\toriginal destination port\n' +
  '  --reply-port-src\t\treply source port\n' +
  '  --reply-port-dst\t\treply destination port\n' +
  '  --mask-port-src\t\tmask source port\n' +
  '  --mask-port-dst\t\tmask destination port\n' +
  '  --tuple-port-src\t\texpectation tuple src port\n' +
  `  --tuple-port-src\t\texpectation tuple dst port\n${extra}`;

const tcpStates = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2',
] as const;

export const sctpStates = [
  'NONE',
  'CLOSED',
  'COOKIE_WAIT',
  'COOKIE_ECHOED',
  'ESTABLISHED',
  'SHUTDOWN_SENT',
  'SHUTDOWN_RECD',
  'SHUTDOWN_ACK_SENT',
] as const;

const dccpStates = [
  'NONE',
  'REQUEST',
  'RESPOND',
  'PARTOPEN',
  'OPEN',
  'CLOSEREQ',
  'CLOSING',
  'TIMEWAIT',
  'IGNORE',
  'INVALID',
] as const;

const tcp: Protocol = {
  name: 'tcp',
  number: IPPROTO.TCP,
  options: [
    ...pairOptions(TUPLE_FIELDS, 'port', PORTS),
    option('state', 'state'),
    ...pairOptions(EXPECTED_FIELDS, 'port', PORTS),
  ],
  legal: legal('222200200', '333300100', '333300200', '110011011', '111100000'),
  pairs: portPairs,
  states: tcpStates,
  stateError: 'unknown TCP state',
  help: portHelp('  --state\t\t\tTCP state, fe. ESTABLISHED\n'),
};

const udpRows = legal('22220000', '33330000', '33330000', '11001111', '11110000');
const udp: Protocol = {
  name: 'udp',
  number: IPPROTO.UDP,
  options: [...pairOptions(TUPLE_FIELDS, 'port', PORTS), ...pairOptions(EXPECTED_FIELDS, 'port', PORTS)],
  legal: udpRows,
  pairs: portPairs,
  help: portHelp(),
};

const sctp: Protocol = {
  name: 'sctp',
  number: IPPROTO.SCTP,
  options: [...tcp.options, option('originalVtag', 'orig-vtag'), option('replyVtag', 'reply-vtag')],
  legal: {
    ...legal('22220020000', '33330010011', '33330020022', '11001101111', '11110000000'),
    update: '22220020022',
  },
  pairs: portPairs,
  states: sctpStates,
  stateError: 'unknown SCTP state',
  help: portHelp(
    '  --state\t\t\tSCTP state, fe. ESTABLISHED\n' +
      '  --orig-vtag\t\toriginal verification tag\n' +
      '  --reply-vtag\t\treply verification tag\n',
  ),
};

const dccp: Protocol = {
  name: 'dccp',
  number: IPPROTO.DCCP,
  options: [...tcp.options, option('role', 'role')],
  legal: legal('2222002000', '3333001001', '3333002000', '1100110111', '1111000000'),
  // the second name is conntrack's own slip
  pairs: pairs(PORTS, ['reply-port-src', 'report-port-dst']),
  states: dccpStates,
  stateError: 'Unknown DCCP state',
  help: portHelp('  --state\t\t\tDCCP state, fe. RESPOND\n'),
};

const GRE_KEYS = ['srckey', 'dstkey'] as const;
const gre: Protocol = {
  name: 'gre',
  number: IPPROTO.GRE,
  options: [...pairOptions(TUPLE_FIELDS, 'key', GRE_KEYS), ...pairOptions(EXPECTED_FIELDS, 'key', GRE_KEYS)],
  legal: legal('22220000', '33330000', '33330000', '11111111', '11110000'),
  pairs: pairs(GRE_KEYS, ['reply-src-key', 'reply-dst-key']),
  help:
    '  --orig-key-src\t\toriginal source key\n' +
    '  --orig-key-dst\t\toriginal destination key\n' +
    '  --reply-key-src\t\treply source key\n' +
    '  --reply-key-dst\t\treply destination key\n' +
    '  --mask-key-src\t\tmask source key\n' +
    '  --mask-key-dst\t\tmask destination key\n' +
    '  --tuple-key-src\t\texpectation tuple src key\n' +
    '  --tuple-key-src\t\texpectation tuple dst key\n',
};

function icmpLike(name: string, number: number): Protocol {
  return {
    name,
    number,
    options: [
      option('icmpType', `${name}-type`),
      option('icmpCode', `${name}-code`),
      option('icmpId', `${name}-id`),
    ],
    legal: legal('222', '112', '112', '000', '000'),
    pairs: [],
    help: `  --${name}-type\t\t\t${name} type\n  --${name}-code\t\t\t${name} code\n  --${name}-id\t\t\t${name} id\n`,
  };
}

/** The protocols with options of their own; any other is known by its number alone. */
export const PROTOCOLS: readonly Protocol[] = [
  tcp,
  udp,
  { ...udp, name: 'udplite', number: IPPROTO.UDPLITE },
  sctp,
  dccp,
  icmpLike('icmp', IPPROTO.ICMP),
  icmpLike('icmpv6', IPPROTO.ICMPV6),
  gre,
];

const longOptions = new Map(PROTOCOLS.map((protocol) => [protocol, readLongOptions(protocol)]));

/** The options of a protocol; what getopt returns for one is the field that it sets. */
export function protocolLongOptions(protocol: Protocol): readonly LongOption[] {
  return longOptions.get(protocol) ?? [];
}

function readLongOptions(protocol: Protocol): LongOption[] {
  return protocol.options.flatMap(({ field, name, aliases }) =>
    [...aliases, name].map((each) => ({ name: each, argument: 'required' as const, value: field })),
  );
}

const names = new Map(
  PROTOCOLS.map(({ options, number }) => [number, options.map(({ field, name }) => [field, name] as const)]),
);

/** The options of a protocol with the names that errors call them by, in the order of its table. */
export function protocolOptionNames({ number }: Protocol): readonly (readonly [string, string])[] {
  return names.get(number) ?? [];
}
