import { IPSET_ATTR_ADT, IPSET_ATTR_CADT, IPSET_CADT_FLAG } from '../../ipset/constants.ts';
import { ascii, type ByteSink } from '../byteSink.ts';
import type { ElementView } from './elementView.ts';
import type { KeywordName } from './keywords.ts';
import { keywords } from './keywords.ts';
import type { KnownType } from './knownType.ts';
import type { PartReader } from './typeGrammar.ts';

const { IP, CIDR, TIMEOUT, MARK } = IPSET_ATTR_CADT;
const { IP2, CIDR2, ETHER, NAME, PACKETS, BYTES, COMMENT, SKBMARK, SKBPRIO, SKBQUEUE } = IPSET_ATTR_ADT;
const [COLON, COMMA, SLASH] = [58, 44, 47] as const;

/** One thing of an element: whether it has it, and its text. */
interface Printer {
  isIn(view: ElementView): boolean;
  print(view: ElementView, sink: ByteSink): void;
}

/** What is around an extension in a form of listing: ' timeout ' and '', '<timeout>' and '</timeout>'. */
export interface Around {
  readonly before: string;
  readonly after: string;
}

/** What is around an element and its parts in a form of listing. */
export interface ElementForm {
  readonly before: string;
  readonly afterKey: string;
  readonly end: string;
  around(keyword: ListedKeyword): Around;
  /** Whether keys and comments stand inside of JSON strings. */
  readonly isJson: boolean;
}

/** An extension as listings know it: a flag, a number, or text, of which a comment is in quotes. */
export interface ListedKeyword {
  readonly word: string;
  readonly kind: 'flag' | 'number' | 'text' | 'comment';
}

const always = () => true;

function present(type: number, print: Printer['print']): Printer {
  return { isIn: (view) => view.has(type), print };
}

function flag(bit: number): Printer {
  return { isIn: (view) => view.hasFlag(bit), print: () => {} };
}

function part(reader: PartReader, isSecond: boolean): Printer {
  switch (reader) {
    case 'ip':
    case 'singleIp':
    case 'ip4Single6':
    case 'ip4Net6': {
      const [type, cidr] = isSecond ? [IP2, CIDR2] : [IP, CIDR];
      return { isIn: always, print: (view, sink) => view.extent(type, cidr, sink) };
    }
    case 'mac':
      return present(ETHER, (view, sink) => view.mac(sink));
    case 'port':
    case 'protoPort':
      return { isIn: always, print: (view, sink) => view.port(sink) };
    case 'mark':
      return { isIn: always, print: (view, sink) => sink.put(ascii(hexadecimal(view.number(MARK)))) };
    case 'iface':
      return { isIn: always, print: (view, sink) => view.iface(sink) };
    case 'setName':
      return { isIn: always, print: (view, sink) => view.text(NAME, sink) };
  }
}

/** 0x and eight digits. */
export function hexadecimal(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

const prefix = ascii('0x');
const MASK_OF_ALL = 0xffffffff;

function printMark(view: ElementView, sink: ByteSink): void {
  const mask = view.half(SKBMARK, 'lower');
  sink.put(prefix);
  sink.hexadecimal(view.half(SKBMARK, 'upper'));
  if (mask === MASK_OF_ALL) return;
  sink.character(SLASH);
  sink.put(prefix);
  sink.hexadecimal(mask);
}

function printPriority(view: ElementView, sink: ByteSink): void {
  const value = view.number(SKBPRIO);
  sink.hexadecimal(value >>> 16);
  sink.character(COLON);
  sink.hexadecimal(value & 0xffff);
}

const extensions: Partial<Record<KeywordName, Printer & Pick<ListedKeyword, 'kind'>>> = {
  timeout: { kind: 'number', ...present(TIMEOUT, (view, sink) => sink.number(view.number(TIMEOUT))) },
  nomatch: { kind: 'flag', ...flag(IPSET_CADT_FLAG.NOMATCH) },
  wildcard: { kind: 'flag', ...flag(IPSET_CADT_FLAG.IFACE_WILDCARD) },
  packets: { kind: 'text', ...present(PACKETS, (view, sink) => view.counter(PACKETS, sink)) },
  bytes: { kind: 'text', ...present(BYTES, (view, sink) => view.counter(BYTES, sink)) },
  elementComment: { kind: 'comment', ...present(COMMENT, (view, sink) => view.text(COMMENT, sink)) },
  skbmark: { kind: 'text', ...present(SKBMARK, printMark) },
  skbprio: { kind: 'text', ...present(SKBPRIO, printPriority) },
  skbqueue: { kind: 'number', ...present(SKBQUEUE, (view, sink) => sink.number(view.short(SKBQUEUE))) },
};

interface PrintedExtension extends Printer {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  readonly isEscaped: boolean;
}

/** Writes the elements of one set in one form, each with the end of its line. */
export class ElementPrinter {
  readonly #form: ElementForm;
  readonly #before: Uint8Array;
  readonly #afterKey: Uint8Array;
  readonly #end: Uint8Array;
  readonly #parts: readonly Printer[];
  readonly #extensions: readonly PrintedExtension[];

  /** Extensions are printed as far as the set's revision has them. */
  constructor({ type, grammar, revision }: KnownType, form: ElementForm) {
    this.#form = form;
    this.#before = Buffer.from(form.before);
    this.#afterKey = ascii(form.afterKey);
    this.#end = ascii(form.end);
    this.#parts = grammar.parts.map((reader, i) => part(reader, i > 0));
    this.#extensions = grammar.add.keywords.flatMap(({ name, feature }) => {
      const extension = extensions[name];
      const since = feature === undefined ? 0 : (type.since[feature] ?? 0);
      if (!extension || since > revision) return [];
      const { kind, isIn, print } = extension;
      const { before, after } = form.around({ word: keywords[name].word, kind });
      const isEscaped = form.isJson && kind === 'comment';
      return [{ isIn, print, isEscaped, before: ascii(before), after: ascii(after) }];
    });
  }

  /** The line of the element that the view shows. */
  write(view: ElementView, sink: ByteSink): void {
    sink.beginLine();
    sink.put(this.#before);
    const start = sink.length;
    this.#writeKey(view, sink);
    if (this.#form.isJson) sink.escapeFrom(start);
    sink.put(this.#afterKey);
    const extensions = this.#extensions;
    // not for..of: listings are short, and before the code is optimised that makes objects
    for (let i = 0; i < extensions.length; i++) {
      const extension = extensions[i]!;
      if (!extension.isIn(view)) continue;
      sink.put(extension.before);
      const from = sink.length;
      extension.print(view, sink);
      if (extension.isEscaped) sink.escapeFrom(from);
      sink.put(extension.after);
    }
    sink.put(this.#end);
  }

  #writeKey(view: ElementView, sink: ByteSink): void {
    for (let i = 0; i < this.#parts.length; i++) {
      const part = this.#parts[i]!;
      if (!part.isIn(view)) continue;
      if (i > 0) sink.character(COMMA);
      part.print(view, sink);
    }
  }
}
