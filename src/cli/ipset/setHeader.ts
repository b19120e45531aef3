import type { ListedOptionsWire } from '../../ipset/attributes.ts';
import { listedOptions } from '../../ipset/attributes.ts';
import { IPSET_ATTR, IPSET_CADT_FLAG } from '../../ipset/constants.ts';
import { findSetType } from '../../ipset/setType.ts';
import { AF, ATTRIBUTES_AT, align4, DecodeError, payloadEnd, typeOf } from '../../nfnetlink/index.ts';
import { hexadecimal } from './elementText.ts';
import { type KeywordName, keywords } from './keywords.ts';
import type { KnownType } from './knownType.ts';
import { findGrammar } from './typeTable.ts';

/** What one message of a listing holds. */
export interface ListedMessage {
  readonly setName: string;
  /** In the first message of a set. */
  readonly header?: ListedHeader;
  /** Where the elements stand; both 0 where there are none. */
  readonly elementsAt: number;
  readonly elementsEnd: number;
}

/** A set as its listing begins. */
export interface ListedHeader {
  readonly type: KnownType;
  readonly family: number;
  readonly options: ListedOptionsWire;
}

const decoder = new TextDecoder();

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, bytes[end - 1] === 0 ? end - 1 : end));
}

/** Reads a message of a listing, up to its elements. @throws DecodeError */
export function readListedMessage(bytes: Uint8Array, start: number, end: number): ListedMessage {
  let setName = '';
  let typeName = '';
  let family = 0;
  let revision = 0;
  let options: ListedOptionsWire | undefined;
  let elementsAt = 0;
  let elementsEnd = 0;
  for (let offset = start + ATTRIBUTES_AT; offset < end; ) {
    const stop = payloadEnd(bytes, offset, end);
    const at = offset + 4;
    switch (typeOf(bytes, offset)) {
      case IPSET_ATTR.SETNAME:
        setName = textOf(bytes, at, stop);
        break;
      case IPSET_ATTR.TYPENAME:
        typeName = textOf(bytes, at, stop);
        break;
      case IPSET_ATTR.FAMILY:
        family = bytes[at]!;
        break;
      case IPSET_ATTR.REVISION:
        revision = bytes[at]!;
        break;
      case IPSET_ATTR.DATA:
        options = listedOptions.decode(bytes, at, stop);
        break;
      case IPSET_ATTR.ADT:
        elementsAt = at;
        elementsEnd = stop;
    }
    offset += align4(stop - offset);
  }
  if (typeName === '') return { setName, elementsAt, elementsEnd };
  const type = findSetType(typeName);
  const grammar = findGrammar(typeName);
  if (!type || !grammar || revision > type.revision) {
    throw new DecodeError(
      `Kernel and userspace incompatible: settype ${typeName} with revision ${revision} not supported by userspace.`,
      start,
    );
  }
  const header = { type: { type, grammar, revision }, family, options: options ?? {} };
  return { setName, header, elementsAt, elementsEnd };
}

type PrintOption = (header: ListedHeader) => string | undefined;

function number(value: number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

function hex(value: number | undefined): string | undefined {
  return value === undefined ? undefined : hexadecimal(value);
}

function flag(bit: number): PrintOption {
  return ({ options }) => (((options.flags ?? 0) & bit) !== 0 ? '' : undefined);
}

/** forceadd is left out, as ipset(8) leaves it out. */
const printers: Partial<Record<KeywordName, PrintOption>> = {
  family: ({ family, type }) =>
    type.type.families === 'any' ? (family === AF.INET6 ? 'inet6' : 'inet') : undefined,
  hashsize: ({ options }) => number(options.hashSize),
  maxelem: ({ options }) => number(options.maxElements),
  netmask: ({ options }) => number(options.netmask),
  bitmask: ({ options }) => options.bitmask,
  ipRange: ({ options: { ip, ipTo } }) =>
    ip === undefined ? undefined : ipTo === undefined ? ip : `${ip}-${ipTo}`,
  portRange: ({ options: { port, portTo } }) =>
    port === undefined ? undefined : portTo === undefined ? String(port) : `${port}-${portTo}`,
  size: ({ options }) => number(options.size),
  markmask: ({ options }) => hex(options.markMask),
  timeout: ({ options }) => number(options.timeout),
  counters: flag(IPSET_CADT_FLAG.WITH_COUNTERS),
  comment: flag(IPSET_CADT_FLAG.WITH_COMMENT),
  skbinfo: flag(IPSET_CADT_FLAG.WITH_SKBINFO),
  bucketsize: ({ options }) => number(options.bucketSize),
  initval: ({ options }) => hex(options.initialValue),
};

/** An option of a set as listings print it; no value for a flag. */
export interface PrintedOption {
  readonly word: string;
  readonly value: string | undefined;
}

/** The options of a set, in the order of its type. */
export function printedOptions(header: ListedHeader): PrintedOption[] {
  const { type, grammar, revision } = header.type;
  return grammar.create.keywords.flatMap(({ name, feature }) => {
    const since = feature === undefined ? 0 : (type.since[feature] ?? 0);
    const value = since <= revision ? printers[name]?.(header) : undefined;
    if (value === undefined) return [];
    const { word, takesValue } = keywords[name];
    return [{ word, value: takesValue ? value : undefined }];
  });
}
