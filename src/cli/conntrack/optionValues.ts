import type { EventKind } from '../../ctnetlink/flowView.ts';
import { AF } from '../../nfnetlink/constants.ts';
import type { FlowDraft, NatDraft, TupleDraft } from './draft.ts';
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
import { longNameOf } from './optionTable.ts';
import { findProtocol, type ProtocolChoice } from './protocolNames.ts';
import type { ProtocolField } from './protocols.ts';
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

/** What the options of a command line have said so far. */
export class OptionValues {
  /** Letters of the options that were given. */
  readonly options = new Set<string>();
  /** Those of protocols, by the field that they write to. */
  readonly protocolOptions = new Set<string>();
  family: number = AF.UNSPEC;
  protocol: ProtocolChoice | undefined;
  readonly draft: FlowDraft = { original: {}, reply: {}, sourceNat: {}, destinationNat: {} };
  readonly expected: TupleDraft = {};
  readonly mask: TupleDraft = {};
  readonly anyNat: NatDraft = {};
  mark: Masked | undefined;
  status: StatusBits | undefined;
  labels: Uint8Array | undefined;
  labelChange: Uint8Array | undefined;
  labelMap: LabelMap | undefined;
  readonly eventKinds = new Set<EventKind>();
  readonly output = new Set<OutputKeyword>();
  bufferSize: number | undefined;
  private readonly context: ParseContext;

  constructor(context: ParseContext) {
    this.context = context;
  }

  /** Takes an option whose argument is required, or that has none. */
  take(option: string, text: string): void {
    if (option === 'a') {
      this.context.warn('WARNING: ignoring -a, deprecated option.\n');
      return;
    }
    this.options.add(option);
    takers[option]!(this, text);
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

  /** -n, -g and -j; without a word any translation on that side is meant. */
  takeNat(option: 'n' | 'g' | 'j', word: string | undefined): void {
    this.options.add(option);
    if (word === undefined) return;
    const { address, port } = splitAddressAndPort(word);
    const nat = { n: this.draft.sourceNat, g: this.draft.destinationNat, j: this.anyNat }[option];
    nat.address = this.parseAddress(option, address, false).bytes;
    if (port !== undefined) nat.port = port;
  }

  /** -l, --label-add ('<') and --label-del ('>'), which alone may come without a text. */
  takeLabels(option: string, text: string | undefined): void {
    const { options } = this;
    options.add(option);
    this.loadLabels();
    if (options.has('<') && options.has('>')) {
      throw failure('cannot use --label-add and --label-del at the same time');
    }
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

  takeProtocolOption(field: ProtocolField, text: string): void {
    this.protocolOptions.add(field);
    const { draft, expected, mask } = this;
    applyProtocolOption(this.protocol!, field, text, { draft, expected, mask });
  }

  /** -p, which brings options of its own. */
  takeProtocol(text: string): void {
    this.options.add('p');
    const protocol = findProtocol(text);
    if (!protocol) throw wrongParameter(`\`${text}' unsupported protocol`);
    this.protocol = protocol;
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
}

type Side = 'source' | 'destination';
type Take = (values: OptionValues, text: string) => void;

const takers: Readonly<Record<string, Take>> = {
  s: (values, text) => values.setAddress('s', text, values.draft.original, 'source', '{'),
  d: (values, text) => values.setAddress('d', text, values.draft.original, 'destination', '}'),
  r: (values, text) => values.setAddress('r', text, values.draft.reply, 'source'),
  q: (values, text) => values.setAddress('q', text, values.draft.reply, 'destination'),
  '[': (values, text) => values.setAddress('[', text, values.expected, 'source', '{'),
  ']': (values, text) => values.setAddress(']', text, values.expected, 'destination', '}'),
  '{': (values, text) => values.setAddress('{', text, values.mask, 'source'),
  '}': (values, text) => values.setAddress('}', text, values.mask, 'destination'),
  f: (values, text) => values.takeFamily(text),
  u: (values, text) => values.takeStatus(text),
  m: (values, text) => values.takeMark(text),
  e: (values, text) => values.takeEvents(text),
  o: (values, text) => values.takeOutput(text),
  b: (values, text) => values.takeBufferSize(text),
  z: () => {},
  // the kernel has told no security mark since 2.6.37, and takes none: it is checked and passed over
  c: (_values, text) => void parseNumber(text, LIMIT.u32, 'secmark'),
  t: (values, text) => {
    values.draft.timeout = parseDecimal(text, LIMIT.u32, 'timeout');
  },
  i: (values, text) => {
    values.draft.id = parseNumber(text, LIMIT.u32, 'id');
  },
  w: (values, text) => {
    values.draft.zone = parseNumber(text, LIMIT.u16, 'zone');
  },
  '(': (values, text) => {
    values.draft.original.zone = parseNumber(text, LIMIT.u16, 'orig-zone');
  },
  ')': (values, text) => {
    values.draft.reply.zone = parseNumber(text, LIMIT.u16, 'reply-zone');
  },
};
