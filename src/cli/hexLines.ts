import { CliError } from './errors.ts';
import type { InputDatagram } from './inputDatagram.ts';

/** One line of input: its bytes, or why it has none. */
export interface HexLine {
  /** Counted from 1, as editors do. */
  readonly line: number;
  readonly bytes: Uint8Array;
  /** What is wrong with the text; `bytes` holds what came before. */
  readonly fault?: string;
}

/** The longest datagram that is read: ten times the kernel's default send buffer. */
const MAX_BYTES = 1 << 21;

/** How a file of gzip begins. */
const GZIP = [0x1f, 0x8b];

const LINE_FEED = 10;
const COMMENT = 35;
const NOT_HEX = -1;
const BLANK = -2;

const digitOf = new Int8Array(256).fill(NOT_HEX);
for (let i = 0; i < 10; i++) digitOf[0x30 + i] = i;
for (let i = 0; i < 6; i++) {
  digitOf[0x41 + i] = 10 + i;
  digitOf[0x61 + i] = 10 + i;
}
for (const blank of [9, 11, 12, 13, 32]) digitOf[blank] = BLANK;

/**
 * Reads lines of hexadecimal digits, piece by piece, in memory that depends on the longest line only.
 * White space may stand anywhere, `#` begins a comment, empty lines are passed over.
 */
export class HexLineReader {
  #buffer = new Uint8Array(4096);
  #digits = 0;
  #line = 1;
  #inComment = false;
  #fault: string | undefined;

  /** The lines that end in this piece. The bytes of each are valid until the next is asked for. */
  *push(piece: Uint8Array): Generator<HexLine> {
    for (let i = 0; i < piece.length; i++) {
      const char = piece[i]!;
      const digit = digitOf[char]!;
      if (digit >= 0 && !this.#inComment && this.#fault === undefined) this.#addDigit(digit);
      else if (char === LINE_FEED) {
        yield* this.end();
        this.#line++;
      } else if (digit !== BLANK) this.#skip(char);
    }
  }

  /** The last line, where no line feed ends it. */
  *end(): Generator<HexLine> {
    const isOdd = this.#digits % 2 === 1;
    const fault = this.#fault ?? (isOdd ? `an odd number of digits: ${this.#digits}` : undefined);
    const bytes = this.#buffer.subarray(0, this.#digits >> 1);
    if (fault !== undefined) yield { line: this.#line, bytes, fault };
    else if (this.#digits > 0) yield { line: this.#line, bytes };
    this.#digits = 0;
    this.#inComment = false;
    this.#fault = undefined;
  }

  #addDigit(digit: number): void {
    const at = this.#digits >> 1;
    if (at === this.#buffer.length && !this.#grow()) return;
    this.#buffer[at] = this.#digits % 2 === 0 ? digit << 4 : this.#buffer[at]! | digit;
    this.#digits++;
  }

  #grow(): boolean {
    if (this.#buffer.length === MAX_BYTES) {
      this.#fault = `longer than ${MAX_BYTES} bytes`;
      return false;
    }
    const larger = new Uint8Array(this.#buffer.length * 2);
    larger.set(this.#buffer);
    this.#buffer = larger;
    return true;
  }

  #skip(char: number): void {
    if (char === COMMENT) this.#inComment = true;
    if (this.#inComment || this.#fault !== undefined) return;
    const shown = char > 32 && char < 127 ? `'${String.fromCharCode(char)}'` : `byte 0x${char.toString(16)}`;
    this.#fault = `${shown} is not a hexadecimal digit`;
  }
}

/**
 * The datagrams of a stream of text.
 * @param name what the stream is called in an error
 * @throws CliError where the stream is binary, which no line of it could say as plainly
 */
export async function* hexLines(
  source: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<InputDatagram> {
  const reader = new HexLineReader();
  for await (const bytes of source) {
    if (bytes.includes(0)) {
      const why = `${name} is binary, neither a capture file nor lines of hexadecimal digits`;
      const isCompressed = bytes[0] === GZIP[0] && bytes[1] === GZIP[1];
      const mend = isCompressed
        ? 'it is compressed: `zcat FILE | resteer decode`'
        : 'a single datagram becomes a line by `xxd -p -c 0 FILE`';
      throw new CliError('decode', why, mend);
    }
    for (const line of reader.push(bytes)) yield inputOf(line);
  }
  for (const line of reader.end()) yield inputOf(line);
}

function inputOf({ line, ...rest }: HexLine): InputDatagram {
  return { place: `line ${line}`, ...rest };
}
