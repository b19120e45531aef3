import { IPSET_CADT_FLAG } from '../../ipset/constants.ts';
import type { ListingForm } from './listingForm.ts';
import { type ListedHeader, printedOptions } from './setHeader.ts';

/** Options of a set whose values are numbers. */
const numbers = new Set(['hashsize', 'maxelem', 'netmask', 'size', 'timeout', 'bucketsize']);

/**
 * One JSON object a line: a set, then each of its elements. The names are the words of the command line;
 * docs/set.schema.json describes both. Counters have 64 bits, more than a JSON number keeps: text.
 */
export const jsonForm: ListingForm = {
  begin: '',
  end: '',
  name: (setName) => `${JSON.stringify({ kind: 'set', name: setName })}\n`,
  header: setLine,
  footer: () => '',
  elements: (setName) => ({
    before: `{"kind":"element","set":${JSON.stringify(setName)},"element":"`,
    afterKey: '"',
    end: '}\n',
    isJson: true,
    around({ word, kind }) {
      if (kind === 'flag') return { before: `,"${word}":true`, after: '' };
      const quote = kind === 'number' ? '' : '"';
      return { before: `,"${word}":${quote}`, after: quote };
    },
  }),
};

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
