/**
 * Where a separator stands in a text, or -1. One at the very beginning or end of the text is none, as in
 * lib/parse.c of ipset.
 */
export function findSeparator(text: string, separator: string): number {
  const at = text.indexOf(separator);
  return at > 0 && text.at(-1) !== separator ? at : -1;
}

/** Where the dash of a range stands; names with dashes of their own are put in brackets. */
export function findRange(text: string): number {
  if (!text.startsWith('[')) return findSeparator(text, '-');
  const end = text.indexOf(']');
  if (end === -1) return -1;
  const at = findSeparator(text.slice(end), '-');
  return at === -1 ? -1 : end + at;
}
