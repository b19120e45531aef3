/** Bytes of a line that are read at once: what is longer continues as a line of its own. */
export const LONGEST_LINE = 1023;

/** More words than a line may have. */
const MOST_WORDS = 30;

export type SplitLine = readonly string[] | 'too long' | 'open quote';

/**
 * The words of a line: white space parts them, but not within double quotes, which are dropped; so are
 * empty words. Source: build_argv() in lib/ipset.c, whose limits these are.
 */
export function splitLine(line: string): SplitLine {
  if (!line.includes('"')) return splitPlain(line);
  const words: string[] = [];
  let word = '';
  let isQuoted = false;
  for (let i = 0; i < line.length; i++) {
    if (words.length >= MOST_WORDS) return 'too long';
    const char = line[i]!;
    const isLast = i === line.length - 1;
    if (char === '"') {
      isQuoted = !isQuoted;
      if (!isLast) continue;
    } else if (isQuoted || !isSpace(char)) {
      word += char;
      // white space at the end of an open quote says nothing, and loses the word
      if (!isLast || isSpace(char)) continue;
    }
    if (isLast && isQuoted) return 'open quote';
    if (word === '') continue;
    words.push(word);
    word = '';
  }
  return words;
}

function splitPlain(line: string): SplitLine {
  const words: string[] = [];
  let start = -1;
  for (let i = 0; i < line.length; i++) {
    const code = line.charCodeAt(i);
    if (code === 32 || code === 10 || code === 13 || code === 9) {
      if (words.length >= MOST_WORDS) return 'too long';
      if (start !== -1) words.push(line.slice(start, i));
      start = -1;
    } else if (start === -1) {
      if (words.length >= MOST_WORDS) return 'too long';
      start = i;
    }
  }
  if (start !== -1) words.push(line.slice(start));
  return words;
}

function isSpace(char: string): boolean {
  return char === ' ' || char === '\n' || char === '\r' || char === '\t';
}
