import type { Writable } from 'node:stream';
import type { LineSink } from './log.ts';

/** Characters that wait for a slow reader beside what the stream holds: some 3,000 lines. */
const MOST_WAITING = 1 << 20;

/**
 * The log's lines on their way out: all of one turn of the event loop in one write, since a sweep may reset
 * tens of thousands of flows. A reader that is slower than the log is waited for, in bounded memory: lines
 * that find no room are refused.
 */
export class LogQueue implements LineSink {
  readonly #stream: Writable;
  readonly #nextTurn: (callback: () => void) => void;
  #text = '';
  #isFlushDue = false;

  constructor(stream: Writable, nextTurn: (callback: () => void) => void) {
    this.#stream = stream;
    this.#nextTurn = nextTurn;
  }

  write(line: string): boolean {
    if (this.#text.length + line.length > MOST_WAITING) return false;
    this.#text += line;
    if (!this.#isFlushDue) {
      this.#isFlushDue = true;
      this.#nextTurn(() => this.#flushWhenRead());
    }
    return true;
  }

  /** Hands everything to the stream, whether its reader keeps up or not: for the end of the process. */
  flush(): void {
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    this.#stream.write(text);
  }

  #flushWhenRead(): void {
    if (this.#stream.writableNeedDrain) {
      this.#stream.once('drain', () => this.#flushWhenRead());
      return;
    }
    this.#isFlushDue = false;
    this.flush();
  }
}
