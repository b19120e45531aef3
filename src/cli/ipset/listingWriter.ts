import { IPSET_ATTR } from '../../ipset/constants.ts';
import { align4, lengthOf, NLA, readU16host } from '../../nfnetlink/index.ts';
import { type ElementPrinter, elementPrinter } from './elementText.ts';
import type { ElementView } from './elementView.ts';
import { type ListedHeader, type ListedMessage, printedOptions } from './setHeader.ts';
import { compareElements } from './sortOrder.ts';

/** What of each set a listing shows. */
export type Scope = 'names' | 'headers' | 'elements';

/** The forms of a listing that ipset(8) has. */
export type TextMode = 'plain' | 'save' | 'xml';

export interface WriterOptions {
  readonly mode: TextMode;
  readonly scope: Scope;
  readonly isSorted: boolean;
  /** Whether names are shown: they are sorted as text. */
  readonly isResolving: boolean;
}

/** Makes the text of a listing, message by message. */
export interface ListingWriter {
  /** What stands before everything. */
  begin(): string;
  take(bytes: Uint8Array, message: ListedMessage): string;
  end(): string;
}

/** Calls back for each element of a message, once the view has it. */
export function eachElement(
  bytes: Uint8Array,
  { elementsAt, elementsEnd }: ListedMessage,
  view: ElementView,
  visit: () => void,
): void {
  for (let offset = elementsAt; offset + 4 <= elementsEnd; ) {
    const length = lengthOf(bytes, offset);
    if (length < 4 || offset + length > elementsEnd) return;
    if ((readU16host(bytes, offset + 2) & NLA.TYPE_MASK) === IPSET_ATTR.DATA && length > 4) {
      view.load(bytes, offset + 4, offset + length);
      visit();
    }
    offset += align4(length);
  }
}

/** plain, save and xml. */
export class TextWriter implements ListingWriter {
  readonly #options: WriterOptions;
  readonly #view: ElementView;
  #printer: ElementPrinter | undefined;
  #setName = '';
  #isOpen = false;
  #printed = 0;
  /** The elements of a set that is sorted; undefined where it is not. */
  #sorted: string[] | undefined;

  constructor(view: ElementView, options: WriterOptions) {
    this.#view = view;
    this.#options = options;
  }

  begin(): string {
    return this.#options.mode === 'xml' ? '<ipsets>\n' : '';
  }

  take(bytes: Uint8Array, message: ListedMessage): string {
    const { mode, scope } = this.#options;
    if (scope === 'names' && mode !== 'save') {
      return mode === 'xml' ? `<ipset name="${message.setName}"/>\n` : `${message.setName}\n`;
    }
    let text = '';
    if (message.header) {
      text += this.#close() + this.#open(message.setName, message.header);
    }
    const lines = this.#elements(bytes, message);
    return typeof lines === 'string' ? text + lines : text;
  }

  end(): string {
    const closing = this.#close();
    return this.#options.mode === 'xml' ? `${closing}</ipsets>\n` : closing;
  }

  #elements(bytes: Uint8Array, message: ListedMessage): string {
    const printer = this.#printer;
    if (!printer || message.elementsAt === 0) return '';
    const sorted = this.#sorted;
    let text = '';
    eachElement(bytes, message, this.#view, () => {
      const line = this.#line(printer);
      if (sorted) sorted.push(line);
      else text += line;
    });
    return text;
  }

  #line({ key, extensions }: ElementPrinter): string {
    const view = this.#view;
    const { mode } = this.#options;
    if (mode === 'xml') {
      let line = `<member><elem>${key(view)}</elem>`;
      for (const { word, takesValue, print } of extensions) {
        const value = print(view);
        if (value !== undefined) line += takesValue ? `<${word}>${value}</${word}>` : `<${word}/>`;
      }
      return `${line}</member>\n`;
    }
    let line = mode === 'save' ? `add ${this.#setName} ${key(view)}` : key(view);
    for (const { word, takesValue, print } of extensions) {
      const value = print(view);
      if (value !== undefined) line += takesValue ? ` ${word} ${value}` : ` ${word}`;
    }
    return `${line}\n`;
  }

  #open(name: string, header: ListedHeader): string {
    const { isSorted } = this.#options;
    this.#setName = name;
    this.#isOpen = true;
    this.#printer = elementPrinter(header.type);
    this.#sorted = isSorted && header.type.type.method === 'hash' ? [] : undefined;
    return this.#header(name, header, this.#printed++ === 0);
  }

  #header(name: string, header: ListedHeader, isFirst: boolean): string {
    const { mode, scope } = this.#options;
    const { type, revision } = header.type;
    const { memorySize = 0, references = 0, elements } = header.options;
    const options = printedOptions(header);
    const words = () =>
      options.map(({ word, value }) => (value === undefined ? ` ${word}` : ` ${word} ${value}`));
    if (mode === 'save') return `create ${name} ${type.name}${words().join('')}\n`;
    if (mode === 'plain') {
      return (
        `${isFirst ? '' : '\n'}Name: ${name}\nType: ${type.name}\nRevision: ${revision}\n` +
        `Header:${words().join('')}\nSize in memory: ${memorySize}\nReferences: ${references}\n` +
        `${elements === undefined ? '' : `Number of entries: ${elements}\n`}` +
        `${scope === 'headers' ? '' : 'Members:\n'}`
      );
    }
    const tags = options.map(({ word, value }) =>
      value === undefined ? `<${word}/>` : `<${word}>${value}</${word}>`,
    );
    return (
      `<ipset name="${name}">\n<type>${type.name}</type>\n<revision>${revision}</revision>\n` +
      `<header>${tags.join('')}\n<memsize>${memorySize}</memsize>\n<references>${references}</references>\n` +
      `${elements === undefined ? '' : `<numentries>${elements}</numentries>\n`}</header>\n` +
      `${scope === 'headers' ? '' : '<members>\n'}`
    );
  }

  /** What stands behind the last element of a set. */
  #close(): string {
    if (!this.#isOpen) return '';
    this.#isOpen = false;
    const { mode, scope, isResolving } = this.#options;
    const prefix =
      mode === 'save' ? `add ${this.#setName} `.length : mode === 'xml' ? '<member><elem>'.length : 0;
    const sorted = this.#sorted ? this.#sorted.sort(compareElements(prefix, isResolving)).join('') : '';
    this.#sorted = undefined;
    if (mode !== 'xml') return sorted;
    return `${sorted}${scope === 'headers' ? '' : '</members>\n'}</ipset>\n`;
  }
}
