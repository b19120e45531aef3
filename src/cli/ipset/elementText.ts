import { IPSET_ATTR_ADT, IPSET_ATTR_CADT, IPSET_CADT_FLAG } from '../../ipset/constants.ts';
import type { ElementView } from './elementView.ts';
import type { KeywordName } from './keywords.ts';
import { keywords } from './keywords.ts';
import type { KnownType } from './knownType.ts';
import type { PartReader } from './typeGrammar.ts';

const { IP, CIDR, TIMEOUT, MARK } = IPSET_ATTR_CADT;
const { IP2, CIDR2, ETHER, NAME, PACKETS, BYTES, COMMENT, SKBMARK, SKBPRIO, SKBQUEUE } = IPSET_ATTR_ADT;

/** Prints one thing of an element; undefined where the element has none. */
type Print = (view: ElementView) => string | undefined;

/** An extension as listings print it: its word, and its value where it takes one. */
export interface PrintedKeyword {
  readonly word: string;
  readonly takesValue: boolean;
  /** The value; '' for a flag that is set; undefined where the element has none. */
  readonly print: Print;
}

function part(reader: PartReader, isSecond: boolean): Print {
  switch (reader) {
    case 'ip':
    case 'singleIp':
    case 'ip4Single6':
    case 'ip4Net6':
      return isSecond ? (view) => view.extent(IP2, CIDR2) : (view) => view.extent(IP, CIDR);
    case 'mac':
      return (view) => (view.has(ETHER) ? view.mac() : undefined);
    case 'port':
    case 'protoPort':
      return (view) => view.port();
    case 'mark':
      return (view) => hexadecimal(view.number(MARK));
    case 'iface':
      return (view) => view.iface();
    case 'setName':
      return (view) => view.text(NAME);
  }
}

/** 0x and eight digits. */
export function hexadecimal(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

function present(type: number, print: (view: ElementView) => string): Print {
  return (view) => (view.has(type) ? print(view) : undefined);
}

function flag(bit: number): Print {
  return (view) => (view.hasFlag(bit) ? '' : undefined);
}

const MASK_OF_ALL = 0xffffffffn;

const extensions: Partial<Record<KeywordName, Print>> = {
  timeout: present(TIMEOUT, (view) => String(view.number(TIMEOUT))),
  nomatch: flag(IPSET_CADT_FLAG.NOMATCH),
  wildcard: flag(IPSET_CADT_FLAG.IFACE_WILDCARD),
  packets: present(PACKETS, (view) => String(view.counter(PACKETS))),
  bytes: present(BYTES, (view) => String(view.counter(BYTES))),
  elementComment: present(COMMENT, (view) => `"${view.text(COMMENT)}"`),
  skbmark: present(SKBMARK, (view) => {
    const both = view.counter(SKBMARK);
    const mask = both & MASK_OF_ALL;
    const mark = `0x${(both >> 32n).toString(16)}`;
    return mask === MASK_OF_ALL ? mark : `${mark}/0x${mask.toString(16)}`;
  }),
  skbprio: present(SKBPRIO, (view) => {
    const value = view.number(SKBPRIO);
    return `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`;
  }),
  skbqueue: present(SKBQUEUE, (view) => String(view.short(SKBQUEUE))),
};

/** How the elements of one type are printed. */
export interface ElementPrinter {
  /** The key: '10.0.0.1,tcp:80'. */
  key(view: ElementView): string;
  readonly extensions: readonly PrintedKeyword[];
}

/** The printer of a type's elements, as far as its revision has extensions. */
export function elementPrinter({ type, grammar, revision }: KnownType): ElementPrinter {
  const parts = grammar.parts.map((reader, i) => part(reader, i > 0));
  const [first] = parts;
  return {
    key:
      parts.length === 1
        ? (view) => first!(view)!
        : (view) => {
            let text = first!(view)!;
            for (let i = 1; i < parts.length; i++) {
              const more = parts[i]!(view);
              if (more !== undefined) text += `,${more}`;
            }
            return text;
          },
    extensions: grammar.add.keywords.flatMap(({ name, feature }) => {
      const print = extensions[name];
      const since = feature === undefined ? 0 : (type.since[feature] ?? 0);
      const { word, takesValue } = keywords[name];
      return print && since <= revision ? [{ word, takesValue, print }] : [];
    }),
  };
}
