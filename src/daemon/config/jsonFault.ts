/** What is wrong with a JSON text, and where. */
export interface JsonFault {
  readonly what: string;
  /** Index into the text. */
  readonly at: number;
}

const DEEPEST = 64;
const WHITE = /[ \t\n\r]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them in text
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;

class Stop extends Error {
  readonly at: number;
  constructor(what: string, at: number) {
    super(what);
    this.at = at;
  }
}

/**
 * The first place where a text is no JSON, or where an object has a key twice; undefined for a good one.
 * JSON.parse's own messages name the place on some Node versions only, and it passes over repeated keys.
 */
export function findJsonFault(text: string): JsonFault | undefined {
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (!match) return undefined;
    at += match[0].length;
    return match[0];
  };
  const is = (char: string): boolean => {
    take(WHITE);
    if (text[at] !== char) return false;
    at++;
    return true;
  };
  const stop = (expected: string): never => {
    throw new Stop(unexpected(text, at, expected), at);
  };
  const string = (): string => take(STRING) ?? stop('text in double quotes');

  const object = (depth: number): void => {
    const keys = new Set<string>();
    if (is('}')) return;
    do {
      take(WHITE);
      const keyAt = at;
      const key: string = JSON.parse(string());
      if (keys.has(key)) throw new Stop(`the key ${JSON.stringify(key)} stands here a second time`, keyAt);
      keys.add(key);
      if (!is(':')) stop('":"');
      value(depth);
    } while (is(','));
    if (!is('}')) stop('"," or "}"');
  };
  const array = (depth: number): void => {
    if (is(']')) return;
    do value(depth);
    while (is(','));
    if (!is(']')) stop('"," or "]"');
  };
  const value = (depth: number): void => {
    take(WHITE);
    if (depth > DEEPEST) throw new Stop(`more than ${DEEPEST} brackets within each other`, at);
    if (is('{')) object(depth + 1);
    else if (is('[')) array(depth + 1);
    else if (text[at] === '"') string();
    else if (take(SCALAR) === undefined) stop('a value');
  };

  try {
    value(0);
    take(WHITE);
    if (at < text.length) stop('the end');
    return undefined;
  } catch (error) {
    if (error instanceof Stop) return { what: error.message, at: error.at };
    throw error;
  }
}

function unexpected(text: string, at: number, expected: string): string {
  if (at >= text.length) return `the text ends where ${expected} should stand`;
  const rest = text.slice(at, at + 2);
  if (rest === '//' || rest === '/*' || rest[0] === '#') return 'JSON has no comments';
  if (rest[0] === "'") return 'JSON has double quotes only';
  if (/^0x/i.test(rest)) return 'JSON has no hexadecimal numbers: put it into double quotes';
  if (rest[0] === '"' && expected.startsWith('text')) return 'this text does not end, or has a wrong escape';
  if (/[}\]]/.test(rest[0]!) && text.slice(0, at).trimEnd().endsWith(',')) {
    return `${JSON.stringify(rest[0])} behind a comma: take the comma away`;
  }
  const [char] = rest;
  return `${JSON.stringify(char)} where ${expected} should stand`;
}

/** Line and column of an index, both counted from 1; a column is a UTF-16 unit, as editors count. */
export function placeOf(text: string, at: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, at).split('\n');
  return { line: before.length, column: before.at(-1)!.length + 1 };
}
