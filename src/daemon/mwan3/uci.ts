import { ConfigError } from '../config/configError.ts';

/** One value as the file writes it, and the line on which it begins, from 1. */
export interface UciValue {
  readonly text: string;
  readonly line: number;
}

export interface UciOption {
  readonly name: string;
  /** Several for a list; never none. */
  readonly values: readonly UciValue[];
  readonly isList: boolean;
}

export interface UciSection {
  readonly type: string;
  /** Undefined for an anonymous section. */
  readonly name: string | undefined;
  /** Where it begins first, from 1. */
  readonly line: number;
  readonly options: ReadonlyMap<string, UciOption>;
}

/** A file of UCI, OpenWrt's configuration format. */
export interface UciFile {
  /** Its name for messages. */
  readonly file: string;
  /** In the order of the file; sections of one name are one section, where the first of them stands. */
  readonly sections: readonly UciSection[];
}

interface OpenSection extends UciSection {
  readonly options: Map<string, UciOption>;
}

/** isspace() in the C locale. */
const SPACE = /[ \t\n\v\f\r]/;

/** A syntax error, in libuci's own words. */
class Stop extends Error {
  readonly line: number;
  constructor(what: string, line: number) {
    super(what);
    this.line = line;
  }
}

/**
 * Reads UCI as libuci does (file.c, strict): commands may be shortened to their first letter and follow one
 * another behind ';', words are quoted and joined as in a shell, an option without a value is passed over.
 * @throws ConfigError with the line of the first fault; libuci reads no part of such a file either.
 */
export function decodeUci(file: string, text: string): UciFile {
  try {
    return { file, sections: sectionsOf(new Words(text)) };
  } catch (error) {
    if (error instanceof Stop) throw new ConfigError(file, [`line ${error.line}: ${error.message}`]);
    throw error;
  }
}

function sectionsOf(words: Words): UciSection[] {
  const sections: OpenSection[] = [];
  let open: OpenSection | undefined;
  for (;;) {
    const command = words.command();
    if (command === undefined) return sections;
    const { text, line } = command;
    if (text === 'p' || text === 'package') {
      checkName(words.required(), /^[\w-]+$/);
      words.end();
    } else if (text === 'c' || text === 'config') {
      open = openSection(words, sections, line);
    } else if (text === 'o' || text === 'option' || text === 'l' || text === 'list') {
      if (!open) throw new Stop('option or list before the first section', line);
      setOption(words, open, text.startsWith('l'));
    } else throw new Stop(`invalid command ${JSON.stringify(text)}: config, option, list or package`, line);
  }
}

function openSection(words: Words, sections: OpenSection[], line: number): OpenSection {
  const { text: type, line: typeLine } = words.required();
  if (!/^[!-~]+$/.test(type)) throw new Stop(`invalid character in type ${JSON.stringify(type)}`, typeLine);
  const name = words.next();
  words.end();
  if (name.text !== '') {
    checkName(name, /^\w+$/);
    const same = sections.find((section) => section.name === name.text);
    if (same && same.type !== type) {
      throw new Stop(
        `section ${JSON.stringify(name.text)} of type ${type} is already of type ${same.type} on line ${same.line}`,
        name.line,
      );
    }
    if (same) return same;
  }
  const section = { type, name: name.text === '' ? undefined : name.text, line, options: new Map() };
  sections.push(section);
  return section;
}

function setOption(words: Words, { options }: OpenSection, isList: boolean): void {
  const name = words.required();
  checkName(name, /^\w+$/);
  const value = words.next();
  words.end();
  // uci_set() takes an empty value for none
  if (!isList && value.text === '') return;
  const before = isList ? (options.get(name.text)?.values ?? []) : [];
  options.set(name.text, { name: name.text, values: [...before, value], isList });
}

/** uci_validate_str() in util.c. */
function checkName({ text, line }: UciValue, allowed: RegExp): void {
  if (!allowed.test(text)) throw new Stop(`invalid character in name ${JSON.stringify(text)}`, line);
}

/** The words of the text, command after command. */
class Words {
  readonly #text: string;
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  /** The next command's word, which knows no quotes; undefined at the end of the text. */
  command(): UciValue | undefined {
    for (;;) {
      while (this.#char !== '' && (SPACE.test(this.#char) || this.#char === ';')) this.#step();
      if (this.#char !== '#') break;
      this.#skipLine();
    }
    if (this.#char === '') return undefined;
    const start = this.#at;
    while (this.#char !== '' && !SPACE.test(this.#char)) this.#at++;
    return { text: this.#text.slice(start, this.#at), line: this.#line };
  }

  /** The next word of the command; empty where it has no more. */
  next(): UciValue {
    while (this.#char !== '\n' && this.#char !== '' && SPACE.test(this.#char)) this.#at++;
    const line = this.#line;
    return { text: this.#word(), line };
  }

  required(): UciValue {
    const value = this.next();
    if (value.text === '') throw new Stop('insufficient arguments', value.line);
    return value;
  }

  /** Refuses another word. */
  end(): void {
    const { text, line } = this.next();
    if (text !== '') throw new Stop(`too many arguments: ${JSON.stringify(text)}`, line);
  }

  get #char(): string {
    return this.#text.charAt(this.#at);
  }

  #step(): void {
    if (this.#char === '\n') this.#line++;
    this.#at++;
  }

  #skipLine(): void {
    while (this.#char !== '\n' && this.#char !== '') this.#at++;
  }

  #word(): string {
    let word = '';
    while (this.#char !== '' && !SPACE.test(this.#char) && this.#char !== ';') {
      // a comment may begin within a word
      if (this.#char === '#') this.#skipLine();
      else if (this.#char === "'") word += this.#singleQuoted();
      else if (this.#char === '"') word += this.#doubleQuoted();
      else if (this.#char === '\\') word += this.#escaped();
      else {
        word += this.#char;
        this.#at++;
      }
    }
    return word;
  }

  #singleQuoted(): string {
    const line = this.#line;
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end === -1) throw new Stop("this ' is not closed", line);
    const text = this.#text.slice(this.#at + 1, end);
    while (this.#at <= end) this.#step();
    return text;
  }

  #doubleQuoted(): string {
    const line = this.#line;
    let text = '';
    this.#at++;
    while (this.#char !== '"') {
      if (this.#char === '') throw new Stop('this " is not closed', line);
      if (this.#char === '\\') text += this.#escaped();
      else {
        text += this.#char;
        this.#step();
      }
    }
    this.#at++;
    return text;
  }

  /** The character behind a backslash; nothing where the line goes on with the next. */
  #escaped(): string {
    this.#at++;
    if (this.#text.startsWith('\r\n', this.#at)) this.#at++;
    const char = this.#char;
    this.#step();
    return char === '\n' ? '' : char;
  }
}
