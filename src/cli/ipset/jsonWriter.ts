import { IPSET_CADT_FLAG } from '../../ipset/constants.ts';
import { type ElementPrinter, elementPrinter } from './elementText.ts';
import type { ElementView } from './elementView.ts';
import { eachElement, type ListingWriter, type Scope } from './listingWriter.ts';
import { type ListedHeader, type ListedMessage, printedOptions } from './setHeader.ts';
import { compareElements } from './sortOrder.ts';

/** Options whose values are numbers. */
const numbers = new Set(['hashsize', 'maxelem', 'netmask', 'size', 'timeout', 'bucketsize', 'skbqueue']);

/**
 * One JSON object a line: a set, then each of its elements. The names are the words of the command line;
 * docs/set.schema.json describes both.
 */
export class JsonWriter implements ListingWriter {
  readonly #view: ElementView;
  readonly #scope: Scope;
  readonly #isSorted: boolean;
  #setName = '';
  #printer: ElementPrinter | undefined;
  #sorted: { key: string; line: string }[] | undefined;

  constructor(view: ElementView, options: { readonly scope: Scope; readonly isSorted: boolean }) {
    this.#view = view;
    this.#scope = options.scope;
    this.#isSorted = options.isSorted;
  }

  begin(): string {
    return '';
  }

  take(bytes: Uint8Array, message: ListedMessage): string {
    if (this.#scope === 'names') return `${JSON.stringify({ kind: 'set', name: message.setName })}\n`;
    let text = '';
    if (message.header) {
      text = this.end() + setLine(message.setName, message.header);
      this.#setName = JSON.stringify(message.setName);
      this.#printer = elementPrinter(message.header.type);
      this.#sorted = this.#isSorted && message.header.type.type.method === 'hash' ? [] : undefined;
    }
    const printer = this.#printer;
    const sorted = this.#sorted;
    if (!printer || message.elementsAt === 0) return text;
    eachElement(bytes, message, this.#view, () => {
      const key = printer.key(this.#view);
      const line = this.#elementLine(key, printer);
      if (sorted) sorted.push({ key, line });
      else text += line;
    });
    return text;
  }

  end(): string {
    const sorted = this.#sorted;
    this.#sorted = undefined;
    if (!sorted) return '';
    const compare = compareElements(0, false);
    sorted.sort((a, b) => compare(a.key, b.key));
    return sorted.map(({ line }) => line).join('');
  }

  #elementLine(key: string, { extensions }: ElementPrinter): string {
    let line = `{"kind":"element","set":${this.#setName},"element":${JSON.stringify(key)}`;
    for (const { word, takesValue, print } of extensions) {
      const value = print(this.#view);
      if (value !== undefined) line += `,"${word}":${takesValue ? jsonValue(word, value) : 'true'}`;
    }
    return `${line}}\n`;
  }
}

function setLine(name: string, header: ListedHeader): string {
  const { type, revision } = header.type;
  const { memorySize = 0, references = 0, elements, flags = 0 } = header.options;
  const options: Record<string, unknown> = {};
  for (const { word, value } of printedOptions(header)) {
    options[word] = value === undefined ? true : numbers.has(word) ? Number(value) : value;
  }
  if ((flags & IPSET_CADT_FLAG.WITH_FORCEADD) !== 0) options.forceadd = true;
  const set = {
    kind: 'set',
    name,
    type: type.name,
    revision,
    options,
    memorySize,
    references,
    ...(elements !== undefined && { elementCount: elements }),
  };
  return `${JSON.stringify(set)}\n`;
}

/** Counters have 64 bits, more than a JSON number keeps: text. A comment comes in quotes already. */
function jsonValue(word: string, value: string): string {
  if (word === 'comment') return JSON.stringify(value.slice(1, -1));
  return numbers.has(word) ? value : `"${value}"`;
}
