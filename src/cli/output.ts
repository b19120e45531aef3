import type { Writable } from 'node:stream';
import { ByteSink } from './byteSink.ts';
import { write } from './io.ts';

/** Bytes that are gathered before they are written: a write for each line costs more than the line. */
const CHUNK = 1 << 16;
const NEWLINE = 10;

/**
 * Standard output in large pieces. Where the stream takes a piece at once, as the pipes, files and terminals
 * of a process do, the same memory is used over and over; where it does not, `drained` waits for it.
 */
export class Output {
  readonly sink = new ByteSink(CHUNK + 8192);
  /** Set once the reader is gone: what else would be printed is dropped. */
  isBroken = false;
  private readonly stream: Writable;
  private draining: Promise<void> | undefined;

  constructor(stream: Writable) {
    this.stream = stream;
    stream.once('error', () => {
      this.isBroken = true;
    });
  }

  /** A whole line of text, its end added. */
  line(text: string): void {
    this.sink.text(text);
    this.endLine();
  }

  /** Ends the line that was written to the sink. */
  endLine(): void {
    this.sink.character(NEWLINE);
    this.lineEnded();
  }

  /** A line was written to the sink, and its end with it. */
  lineEnded(): void {
    if (this.sink.length >= CHUNK) this.flush();
  }

  /** Text as it is. */
  text(text: string): void {
    this.sink.text(text);
  }

  /** Hands what was gathered to the stream. */
  flush(): void {
    const { sink, stream } = this;
    if (sink.length === 0 || this.isBroken) {
      sink.length = 0;
      return;
    }
    stream.write(Buffer.from(sink.bytes.buffer as ArrayBuffer, 0, sink.length));
    // the stream still holds the piece where it did not write it at once
    if (stream.writableLength > 0) sink.bytes = new Uint8Array(sink.bytes.length);
    sink.length = 0;
  }

  /** Forgets what was gathered and not handed over. */
  discard(): void {
    this.sink.length = 0;
  }

  /** Bytes that the stream holds because its reader has not taken them. */
  get waiting(): number {
    return this.stream.writableLength;
  }

  /** Whether the stream holds more than it likes to: time to await `drained`. */
  get isFull(): boolean {
    return this.stream.writableNeedDrain === true;
  }

  /** Writes all that was gathered, and waits for a reader that is slower than we are. */
  async drained(): Promise<void> {
    for (;;) {
      // a full stream gets no more: a piece for each line that is printed meanwhile would cost far more than the line
      if (!this.isFull) this.flush();
      if (!this.isFull || this.isBroken) return;
      // many may wait at once, and one listener does for all
      this.draining ??= this.awaitDrain();
      await this.draining;
    }
  }

  private async awaitDrain(): Promise<void> {
    try {
      await write(this.stream, '');
    } catch {
      this.isBroken = true;
    } finally {
      this.draining = undefined;
    }
  }
}
