import type { ElementForm } from './elementText.ts';
import type { ListedHeader, PrintedOption } from './setHeader.ts';
import { printedOptions } from './setHeader.ts';

/** What of each set a listing shows. */
export type Scope = 'names' | 'headers' | 'elements';

/** One of the forms that a listing can have. */
export interface ListingForm {
  /** What stands before and behind everything. */
  readonly begin: string;
  readonly end: string;
  /** A set of which only the name is shown. */
  name(setName: string): string;
  /** What stands before the elements of a set. */
  header(setName: string, header: ListedHeader, scope: Scope, isFirst: boolean): string;
  /** What stands behind them. */
  footer(scope: Scope): string;
  elements(setName: string): ElementForm;
}

/** ' family inet hashsize 1024' */
function words(options: readonly PrintedOption[]): string {
  return options.map(({ word, value }) => (value === undefined ? ` ${word}` : ` ${word} ${value}`)).join('');
}

const line: Pick<ElementForm, 'afterKey' | 'end' | 'isJson' | 'around'> = {
  afterKey: '',
  end: '\n',
  isJson: false,
  around({ word, kind }) {
    if (kind === 'flag') return { before: ` ${word}`, after: '' };
    return kind === 'comment' ? { before: ` ${word} "`, after: '"' } : { before: ` ${word} `, after: '' };
  },
};

/** What `list` prints for people. */
export const plainForm: ListingForm = {
  begin: '',
  end: '',
  name: (setName) => `${setName}\n`,
  header(setName, header, scope, isFirst) {
    const { memorySize = 0, references = 0, elements } = header.options;
    return (
      `${isFirst ? '' : '\n'}Name: ${setName}\nType: ${header.type.type.name}\n` +
      `Revision: ${header.type.revision}\nHeader:${words(printedOptions(header))}\n` +
      `Size in memory: ${memorySize}\nReferences: ${references}\n` +
      `${elements === undefined ? '' : `Number of entries: ${elements}\n`}` +
      `${scope === 'headers' ? '' : 'Members:\n'}`
    );
  },
  footer: () => '',
  elements: () => ({ ...line, before: '' }),
};

/** What `save` prints: the commands that make the sets again. */
export const saveForm: ListingForm = {
  begin: '',
  end: '',
  name: (setName) => `${setName}\n`,
  header: (setName, header) => `create ${setName} ${header.type.type.name}${words(printedOptions(header))}\n`,
  footer: () => '',
  elements: (setName) => ({ ...line, before: `add ${setName} ` }),
};

/** XML, as ipset(8) writes it: without an escape for what XML would have escaped. */
export const xmlForm: ListingForm = {
  begin: '<ipsets>\n',
  end: '</ipsets>\n',
  name: (setName) => `<ipset name="${setName}"/>\n`,
  header(setName, header, scope) {
    const { memorySize = 0, references = 0, elements } = header.options;
    const tags = printedOptions(header).map(({ word, value }) =>
      value === undefined ? `<${word}/>` : `<${word}>${value}</${word}>`,
    );
    return (
      `<ipset name="${setName}">\n<type>${header.type.type.name}</type>\n` +
      `<revision>${header.type.revision}</revision>\n<header>${tags.join('')}\n` +
      `<memsize>${memorySize}</memsize>\n<references>${references}</references>\n` +
      `${elements === undefined ? '' : `<numentries>${elements}</numentries>\n`}</header>\n` +
      `${scope === 'headers' ? '' : '<members>\n'}`
    );
  },
  footer: (scope) => `${scope === 'headers' ? '' : '</members>\n'}</ipset>\n`,
  elements: () => ({
    before: '<member><elem>',
    afterKey: '</elem>',
    end: '</member>\n',
    isJson: false,
    around({ word, kind }) {
      if (kind === 'flag') return { before: `<${word}/>`, after: '' };
      const quote = kind === 'comment' ? '"' : '';
      return { before: `<${word}>${quote}`, after: `${quote}</${word}>` };
    },
  }),
};
