import { IPSET_ATTR } from '../../ipset/constants.ts';
import { align4, lengthOf, NLA, readU16host } from '../../nfnetlink/index.ts';
import type { Output } from '../output.ts';
import { ElementPrinter } from './elementText.ts';
import type { ElementView } from './elementView.ts';
import type { ListingForm, Scope } from './listingForm.ts';
import type { ListedHeader, ListedMessage } from './setHeader.ts';
import { compareElements } from './sortOrder.ts';

export interface WriterOptions {
  readonly scope: Scope;
  readonly isSorted: boolean;
  /** Whether names of hosts are shown: they are sorted as text. */
  readonly isResolving: boolean;
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

/** Writes a listing, message by message. Nothing of it stays in memory, but of a set that is sorted. */
export class ListingWriter {
  readonly #output: Output;
  readonly #view: ElementView;
  readonly #form: ListingForm;
  readonly #options: WriterOptions;
  #printer: ElementPrinter | undefined;
  #isOpen = false;
  #isFirst = true;
  /** Bytes before the key of each element. */
  #prefix = 0;
  /** The lines of a set that is sorted, a character a byte; undefined where it is not. */
  #sorted: string[] | undefined;

  constructor(output: Output, view: ElementView, form: ListingForm, options: WriterOptions) {
    this.#output = output;
    this.#view = view;
    this.#form = form;
    this.#options = options;
    output.text(form.begin);
  }

  take(bytes: Uint8Array, message: ListedMessage): void {
    if (this.#options.scope === 'names') {
      this.#output.text(this.#form.name(message.setName));
      this.#output.lineEnded();
      return;
    }
    if (message.header) {
      this.#close();
      this.#open(message.setName, message.header);
    }
    if (this.#printer && message.elementsAt > 0) eachElement(bytes, message, this.#view, this.#writeElement);
  }

  end(): void {
    this.#close();
    this.#output.text(this.#form.end);
  }

  readonly #writeElement = (): void => {
    const { sink } = this.#output;
    const start = sink.length;
    this.#printer!.write(this.#view, sink);
    if (this.#sorted) this.#sorted.push(sink.takeFrom(start));
    else this.#output.lineEnded();
  };

  #open(name: string, header: ListedHeader): void {
    const { scope, isSorted } = this.#options;
    const form = this.#form.elements(name);
    this.#printer = new ElementPrinter(header.type, form);
    this.#prefix = Buffer.byteLength(form.before);
    this.#sorted = isSorted && header.type.type.method === 'hash' ? [] : undefined;
    this.#output.text(this.#form.header(name, header, scope, this.#isFirst));
    this.#output.lineEnded();
    this.#isOpen = true;
    this.#isFirst = false;
  }

  /** Writes what stands behind the last element of a set. */
  #close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { scope, isResolving } = this.#options;
    for (const line of this.#sorted?.sort(compareElements(this.#prefix, isResolving)) ?? []) {
      this.#output.sink.binary(line);
      this.#output.lineEnded();
    }
    this.#sorted = undefined;
    this.#output.text(this.#form.footer(scope));
  }
}
