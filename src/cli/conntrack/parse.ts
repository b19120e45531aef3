import type { EventKind } from '../../ctnetlink/flowView.ts';
import { AF } from '../../nfnetlink/constants.ts';
import { Getopt, MISSING_ARGUMENT, UNKNOWN_OPTION } from '../getopt.ts';
import type { CommandLine, OwnOptions } from './commandLine.ts';
import type { FlowDraft, TupleDraft } from './draft.ts';
import { failure, wrongParameter } from './exit.ts';
import {
  type OutputKeyword,
  parseEventMask,
  parseOutput,
  parseStatus,
  type StatusBits,
  type Warn,
} from './keywords.ts';
import { type LabelMap, loadLabelMap, parseLabels } from './labelMap.ts';
import {
  COMMANDS,
  type CommandName,
  checkLegal,
  checkOptions,
  LONG_OPTIONS,
  longNameOf,
  SHORT_OPTIONS,
  type TableName,
} from './optionTable.ts';
import { takeOwnOptions } from './ownOptions.ts';
import { findProtocol, type ProtocolChoice } from './protocolNames.ts';
import { type ProtocolField, protocolLongOptions, protocolOptionNames } from './protocols.ts';
import { applyProtocolOption } from './protocolValues.ts';
import {
  LIMIT,
  type Masked,
  netmask,
  parseAddressWithPrefix,
  parseDecimal,
  parseMasked,
  parseNumber,
  splitAddressAndPort,
} from './values.ts';

/** What reading a command line needs of its surroundings. */
export interface ParseContext {
  readonly warn: Warn;
  /** The default reads this machine's file. */
  readonly loadLabels?: () => LabelMap;
}

/** Reads one command line, without the program's name. @throws ConntrackExit */
export function parseCommandLine(args: readonly string[], context: ParseContext): CommandLine {
  return new Parser(args, context).parse();
}

const PROTOCOL_FIELD = /^[a-z]/i;

/** Commands that take flows of any family where none is named; the others then mean IPv4. */
const anyFamily: readonly (CommandName | undefined)[] = ['list', 'update', 'delete', 'get', 'flush', 'event'];

class Parser {
  private readonly getopt: Getopt;
  private readonly own: OwnOptions;
  private readonly context: ParseContext;
  private command: CommandName | undefined;
  private table: TableName = 'conntrack';
  private family: number = AF.UNSPEC;
  private protocol: ProtocolChoice | undefined;
  private readonly options = new Set<string>();
  private readonly protocolOptions = new Set<string>();
  private readonly draft: FlowDraft = { original: {}, reply: {}, sourceNat: {}, destinationNat: {} };
  private readonly expected: TupleDraft = {};
  private readonly mask: TupleDraft = {};
  private readonly anyNat: { address?: Uint8Array; port?: number } = {};
  private mark: Masked | undefined;
  private status: StatusBits | undefined;
  private labels: Uint8Array | undefined;
  private labelChange: Uint8Array | undefined;
  private labelMap: LabelMap | undefined;
  private readonly eventKinds = new Set<EventKind>();
  private readonly output = new Set<OutputKeyword>();
  private bufferSize: number | undefined;

  constructor(args: readonly string[], context: ParseContext) {
    const { rest, own } = takeOwnOptions(args);
    this.own = own;
    this.context = context;
    this.getopt = new Getopt(['conntrack', ...rest], SHORT_OPTIONS, LONG_OPTIONS);
  }

  parse(): CommandLine {
    for (let option = this.getopt.next(); option !== undefined; option = this.getopt.next()) {
      this.take(option);
    }
    if (this.family === AF.UNSPEC && !anyFamily.includes(this.command)) this.family = AF.INET;
    this.check();
    return {
      command: this.command,
      table: this.table,
      options: this.options,
      family: this.family,
      protocol: this.protocol,
      draft: this.draft,
      expected: this.expected,
      mask: this.mask,
      mark: this.mark,
      status: this.status,
      anyNat: this.anyNat,
      labels: this.labels,
      labelChange: this.labelChange,
      labelMap: this.labelMap,
      eventKinds: [...this.eventKinds],
      output: this.output,
      bufferSize: this.bufferSize,
      own: this.own,
    };
  }

  private check(): void {
    const { command, options, output, protocol, draft } = this;
    if (options.has('j') && (options.has('n') || options.has('g'))) {
      throw wrongParameter("cannot specify `--src-nat' or `--dst-nat' with `--any-nat'");
    }
    const isJson = output.size === 1 && output.has('json');
    checkOptions(command, isJson ? new Set([...options].filter((option) => option !== 'o')) : options);
    if (command === undefined || command === 'help' || protocol === undefined) return;
    const { known } = protocol;
    if (known) {
      const names = protocolOptionNames(known);
      checkLegal(known.legal[command] ?? '', names, this.protocolOptions, known.pairs);
      draft.isTcp = known.name === 'tcp';
    } else if (draft.reply.family !== undefined) draft.reply.protocol ??= protocol.number;
  }

  private take(option: string): void {
    const argument = this.getopt.optarg ?? '';
    if (COMMANDS[option]) this.takeCommand(option);
    else if (option === UNKNOWN_OPTION) throw wrongParameter(`unknown option \`${this.lastWord}'`);
    else if (option === MISSING_ARGUMENT) {
      throw wrongParameter(`option \`${this.lastWord}' requires an argument`);
    } else if (option.length > 1 && PROTOCOL_FIELD.test(option)) {
      this.takeProtocolOption(option as ProtocolField, argument);
    } else this.takeOption(option, argument);
  }

  /** The word before the next one: what getopt stumbled over. */
  private get lastWord(): string {
    return this.getopt.argv[this.getopt.optind - 1] ?? '';
  }

  /** The word behind an option whose argument is optional, where it is no option. */
  private optionalWord(): string | undefined {
    const { getopt } = this;
    if (getopt.optarg !== undefined) return undefined;
    const word = getopt.argv[getopt.optind];
    if (word === undefined || word.startsWith('-') || word.startsWith('!')) return undefined;
    getopt.optind++;
    return word;
  }

  private takeCommand(letter: string): void {
    const word = this.optionalWord();
    if (word !== undefined) this.table = tableNamed(word);
    else this.table = 'conntrack';
    const isList = letter === 'L';
    if (!isList && (this.table === 'dying' || this.table === 'unconfirmed')) {
      throw wrongParameter("Can't do that command with tables `dying' and `unconfirmed'");
    }
    const command = COMMANDS[letter]![this.table === 'expect' ? 1 : 0];
    if (command === undefined) throw wrongParameter(`Can't do --${longNameOf(letter)} on expectations`);
    if (this.command !== undefined) throw wrongParameter('Invalid commands combination');
    this.command = command;
  }

  private takeOption(option: string, argument: string): void {
    const { draft, options } = this;
    const take = valueOptions[option];
    if (take) {
      options.add(option);
      take(this, argument);
      return;
    }
    if (option === 'a') this.context.warn('WARNING: ignoring -a, deprecated option.\n');
    else if (option === 'n') this.takeNat('n', draft.sourceNat);
    else if (option === 'g') this.takeNat('g', draft.destinationNat);
    else if (option === 'j') this.takeNat('j', this.anyNat);
    else this.takeLabels(option, argument);
  }

  setFamily(family: number): void {
    if (this.family !== AF.UNSPEC && this.family !== family) {
      throw wrongParameter('mismatched address family');
    }
    this.family = family;
  }

  /** An address for an option; undefined as prefix where it has none, or one that leaves nothing open. */
  private parseAddress(option: string, text: string, takesPrefix: boolean) {
    const parsed = parseAddressWithPrefix(text);
    if (!parsed) throw wrongParameter(`Invalid IP address \`${text}'`);
    const { family, bytes, prefix } = parsed;
    this.setFamily(family);
    if (prefix !== undefined && !takesPrefix) {
      throw wrongParameter(`CIDR notation unavailable for \`--${longNameOf(option)}'`);
    }
    if (prefix === 'invalid') throw wrongParameter('Invalid netmask');
    return { bytes, prefix: prefix === bytes.length * 8 ? undefined : prefix };
  }

  setAddress(option: string, text: string, tuple: TupleDraft, side: Side, maskOption?: string): void {
    const { bytes, prefix } = this.parseAddress(option, text, maskOption !== undefined);
    tuple[side] = bytes;
    tuple.family = this.family;
    if (prefix === undefined || maskOption === undefined) return;
    this.mask[side] = netmask(prefix, bytes.length);
    this.mask.family = this.family;
    this.options.add(maskOption);
  }

  private takeNat(option: string, nat: { address?: Uint8Array; port?: number }): void {
    this.options.add(option);
    const word = this.optionalWord();
    if (word === undefined) return;
    const { address, port } = splitAddressAndPort(word);
    nat.address = this.parseAddress(option, address, false).bytes;
    if (port !== undefined) nat.port = port;
  }

  private takeLabels(option: string, argument: string): void {
    const { options } = this;
    options.add(option);
    this.loadLabels();
    if (options.has('<') && options.has('>')) {
      throw failure('cannot use --label-add and --label-del at the same time');
    }
    const text = option === '>' ? this.optionalWord() : argument;
    if (text === undefined) return;
    const bitmap = parseLabels(text, this.labelMap!);
    const merge = (old: Uint8Array | undefined) =>
      Uint8Array.from({ length: Math.max(bitmap.length, old?.length ?? 0) }, (_, i) => {
        return (bitmap[i] ?? 0) | (old?.[i] ?? 0);
      });
    if (option === 'l') this.labels = merge(this.labels);
    else this.labelChange = merge(this.labelChange);
  }

  private loadLabels(): void {
    // each option that finds no names looks for them again, and says so again
    if (this.labelMap && this.labelMap.names.size > 0) return;
    this.labelMap = (this.context.loadLabels ?? (() => loadLabelMap(this.context.warn)))();
  }

  private takeProtocolOption(field: ProtocolField, text: string): void {
    this.protocolOptions.add(field);
    const { draft, expected, mask } = this;
    applyProtocolOption(this.protocol!, field, text, { draft, expected, mask });
  }

  takeProtocol(text: string): void {
    const protocol = findProtocol(text);
    if (!protocol) throw wrongParameter(`\`${text}' unsupported protocol`);
    this.protocol = protocol;
    if (protocol.known) this.getopt.longOptions.push(...protocolLongOptions(protocol.known));
    this.draft.original.protocol = protocol.number;
  }

  takeFamily(text: string): void {
    if (text.startsWith('ipv4')) this.setFamily(AF.INET);
    else if (text.startsWith('ipv6')) this.setFamily(AF.INET6);
    else throw wrongParameter(`\`${text}' unsupported protocol`);
  }

  takeStatus(text: string): void {
    const status = parseStatus(text, this.context.warn);
    const set = (this.status?.set ?? 0) | status.set;
    // a bit that is asked for both ways has to be set, as in conntrack(8)
    this.status = { set, clear: ((this.status?.clear ?? 0) | status.clear) & ~set };
  }

  takeMark(text: string): void {
    this.mark = parseMasked(text, 'mark');
  }

  takeEvents(text: string): void {
    for (const kind of parseEventMask(text, this.context.warn)) this.eventKinds.add(kind);
  }

  takeOutput(text: string): void {
    const { output } = this;
    for (const keyword of parseOutput(text, this.context.warn)) output.add(keyword);
    if (output.has('labels')) this.loadLabels();
    if (output.has('save') && [...output].some((each) => each !== 'save' && each !== 'userspace')) {
      throw failure('cannot combine save output with any other output type, use -o save only');
    }
  }

  takeBufferSize(text: string): void {
    this.bufferSize = parseDecimal(text, LIMIT.u32 >>> 1, 'buffer-size');
  }

  /** The tuples that the options write to. */
  get tuples() {
    const { draft, expected, mask } = this;
    return { draft, original: draft.original, reply: draft.reply, expected, mask };
  }
}

type Side = 'source' | 'destination';
type TakeValue = (parser: Parser, text: string) => void;

const valueOptions: Readonly<Record<string, TakeValue>> = {
  s: (parser, text) => parser.setAddress('s', text, parser.tuples.original, 'source', '{'),
  d: (parser, text) => parser.setAddress('d', text, parser.tuples.original, 'destination', '}'),
  r: (parser, text) => parser.setAddress('r', text, parser.tuples.reply, 'source'),
  q: (parser, text) => parser.setAddress('q', text, parser.tuples.reply, 'destination'),
  '[': (parser, text) => parser.setAddress('[', text, parser.tuples.expected, 'source', '{'),
  ']': (parser, text) => parser.setAddress(']', text, parser.tuples.expected, 'destination', '}'),
  '{': (parser, text) => parser.setAddress('{', text, parser.tuples.mask, 'source'),
  '}': (parser, text) => parser.setAddress('}', text, parser.tuples.mask, 'destination'),
  p: (parser, text) => parser.takeProtocol(text),
  f: (parser, text) => parser.takeFamily(text),
  u: (parser, text) => parser.takeStatus(text),
  m: (parser, text) => parser.takeMark(text),
  e: (parser, text) => parser.takeEvents(text),
  o: (parser, text) => parser.takeOutput(text),
  b: (parser, text) => parser.takeBufferSize(text),
  z: () => {},
  // the kernel has told no security mark since 2.6.37, and takes none: it is checked and passed over
  c: (_parser, text) => void parseNumber(text, LIMIT.u32, 'secmark'),
  t: (parser, text) => {
    parser.tuples.draft.timeout = parseDecimal(text, LIMIT.u32, 'timeout');
  },
  i: (parser, text) => {
    parser.tuples.draft.id = parseNumber(text, LIMIT.u32, 'id');
  },
  w: (parser, text) => {
    parser.tuples.draft.zone = parseNumber(text, LIMIT.u16, 'zone');
  },
  '(': (parser, text) => {
    parser.tuples.original.zone = parseNumber(text, LIMIT.u16, 'orig-zone');
  },
  ')': (parser, text) => {
    parser.tuples.reply.zone = parseNumber(text, LIMIT.u16, 'reply-zone');
  },
};

function tableNamed(word: string): TableName {
  const order: readonly TableName[] = ['expect', 'conntrack', 'dying', 'unconfirmed'];
  const table = order.find((name) => name.startsWith(word));
  if (!table) throw wrongParameter(`unknown type \`${word}'`);
  return table;
}
