/** Bytes of a file as they come, in pieces: what was not taken yet, in one piece. */
export class ByteQueue {
  /** The bytes from `start` to `end` wait. */
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
  start = 0;
  end = 0;
  /** How far into the file `start` is. */
  offset = 0;
  #own = new Uint8Array(0);

  get length(): number {
    return this.end - this.start;
  }

  /** Puts a piece behind what waits. Where nothing waits it is not copied before `keep`. */
  append(piece: Uint8Array): void {
    if (this.length === 0) {
      this.#read(piece, 0, piece.length);
      return;
    }
    this.#makeOwn(piece.length);
    this.#own.set(piece, this.end);
    this.end += piece.length;
  }

  skip(length: number): void {
    this.start += length;
    this.offset += length;
  }

  /** Lets go of the last piece, which is the caller's. */
  keep(): void {
    if (this.length === 0) this.#read(this.#own, 0, 0);
    else if (this.bytes !== this.#own) this.#makeOwn(0);
  }

  /** Moves what waits into memory of its own, with room for more behind it. */
  #makeOwn(more: number): void {
    const { bytes, start, end, length } = this;
    if (bytes === this.#own && end + more <= bytes.length) return;
    const needed = length + more;
    if (needed > this.#own.length) {
      this.#own = new Uint8Array(Math.max(needed, 2 * this.#own.length));
      this.#own.set(bytes.subarray(start, end));
    } else if (bytes === this.#own) bytes.copyWithin(0, start, end);
    else this.#own.set(bytes.subarray(start, end));
    this.#read(this.#own, 0, length);
  }

  #read(bytes: Uint8Array, start: number, end: number): void {
    if (bytes !== this.bytes) this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }
}
