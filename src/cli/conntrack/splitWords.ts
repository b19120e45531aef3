import { wrongParameter } from './exit.ts';

const MAX_WORD = 1023;
const MAX_WORDS = 253;

/** The words of a line; undefined for a comment or an empty line. @throws ConntrackExit */
export function splitWords(line: string): string[] | undefined {
  const row = line.replace(/^[ \t]+/, '');
  if (row === '' || row.startsWith('#')) return undefined;
  const words: string[] = [];
  let word = '';
  let isQuoted = false;
  let isEscaped = false;
  const end = () => {
    if (words.push(word) > MAX_WORDS) throw wrongParameter('too many arguments');
    word = '';
  };
  for (const character of row) {
    if (isQuoted && !isEscaped && character === '\\') isEscaped = true;
    else if (isQuoted && !isEscaped && character === '"') {
      isQuoted = false;
      end();
    } else if (!isQuoted && character === '"') isQuoted = true;
    else if (!isQuoted && (character === ' ' || character === '\t')) {
      if (word !== '') end();
    } else {
      word += character;
      isEscaped = false;
      if (word.length > MAX_WORD) throw wrongParameter('Parameter too long!');
    }
  }
  if (word !== '') end();
  return words;
}
