import { close, ftruncate, open, write } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { wholeBlocks } from '../../capture/index.ts';
import type { Clock } from '../../nfnetlink/clock.ts';
import { rotatedName } from './fileNames.ts';

const openFile = promisify(open);
const closeFile = promisify(close);
const truncateFile = promisify(ftruncate);
const writeSome = promisify(write) as (
  fd: number,
  bytes: Uint8Array,
  offset: number,
) => Promise<{ bytesWritten: number }>;

const STANDARD_OUTPUT = 1;
/** Whoever reads our output has made the pipe one that says to come again instead of waiting. */
const RETRY_MS = 10;
/** Flows are nobody else's business. */
const OWNER_ONLY = 0o600;

/** Bytes that wait to be written from which on no more should be read. */
const HIGH_WATER = 1 << 20;

export interface OutputOptions {
  /** A path, or '-' for standard output. */
  readonly path: string;
  /** Several files of one name, of which the newest are kept; undefined for one file. */
  readonly rotation?: { readonly keep: number };
  readonly clock: Clock;
  readonly today: () => Date;
}

/** Who hears how the writing goes. */
export interface OutputListener {
  /** The disk, or the reader, is behind: read no more until it has caught up. */
  onFull(isFull: boolean): void;
  /** Nothing can be written any more; what was written is whole. Called once. */
  onFailed(error: NodeJS.ErrnoException): void;
}

interface OpenFile {
  readonly fd: number;
  readonly path: string;
  /** Bytes that are in it. */
  length: number;
}

/**
 * The file, or the files one after the other, that a capture is written to: in large pieces and off the event loop,
 * in the order of the calls. What it is given is whole blocks; where one of them is written in part only, as on a
 * full disk, that part is taken back.
 */
export class CaptureOutput {
  /** Bytes that were written, of all files. */
  bytes = 0;
  readonly #options: OutputOptions;
  #listener: OutputListener | undefined;
  #file: OpenFile;
  /** Files of this run that are there, oldest first. */
  readonly #kept: string[] = [];
  #number = 1;
  /** The last of the jobs, which are done one after the other. */
  #jobs: Promise<void> = Promise.resolve();
  #waiting = 0;
  #isFull = false;
  #failure: unknown;

  private constructor(options: OutputOptions, file: OpenFile) {
    this.#options = options;
    this.#file = file;
    this.#kept.push(file.path);
  }

  /** Opens the first file; one that is there is overwritten. */
  static async open(options: OutputOptions): Promise<CaptureOutput> {
    return new CaptureOutput(options, await openNumbered(options, 1));
  }

  listen(listener: OutputListener): void {
    this.#listener = listener;
  }

  /** The file that is being written. */
  get path(): string {
    return this.#file.path;
  }

  /** How many files were begun. */
  get files(): number {
    return this.#number;
  }

  /**
   * Writes whole blocks, in their turn.
   * @param done gets the memory back
   */
  write(bytes: Uint8Array, done: () => void): void {
    this.#waiting += bytes.length;
    this.#steer();
    this.#do(async () => {
      await this.#writeAll(bytes);
      this.#waiting -= bytes.length;
      done();
      this.#steer();
    });
  }

  /** Ends this file and begins the next; the oldest goes where there are too many. */
  rotate(): void {
    const number = ++this.#number;
    this.#do(async () => {
      await closeFile(this.#file.fd);
      this.#file = await openNumbered(this.#options, number);
      this.#kept.push(this.#file.path);
      const { keep = Number.POSITIVE_INFINITY } = this.#options.rotation ?? {};
      // whoever looked at it may have moved it away
      if (this.#kept.length > keep) await unlink(this.#kept.shift()!).catch(() => {});
    });
  }

  /** Resolves when everything that was given is written, or cannot be. */
  drained(): Promise<void> {
    return this.#jobs;
  }

  /** Closes the file when everything is written. @throws what the listener has heard of, where that failed */
  async close(): Promise<void> {
    await this.drained();
    if (this.#file.fd !== STANDARD_OUTPUT) await closeFile(this.#file.fd).catch(() => {});
    if (this.#failure !== undefined) throw this.#failure;
  }

  #do(job: () => Promise<void>): void {
    this.#jobs = this.#jobs.then(async () => {
      if (this.#failure !== undefined) return;
      try {
        await job();
      } catch (error) {
        this.#failure = error;
        this.#listener?.onFailed(error as NodeJS.ErrnoException);
      }
    });
  }

  #steer(): void {
    const isFull = this.#waiting > HIGH_WATER;
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    this.#listener?.onFull(isFull);
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    const file = this.#file;
    let written = 0;
    try {
      while (written < bytes.length) written += await this.#writeNext(file.fd, bytes, written);
    } catch (error) {
      const whole = wholeBlocks(bytes, written);
      this.bytes += whole;
      // what somebody else has opened may be a pipe, or hold more than ours; a device takes nothing back
      if (file.fd !== STANDARD_OUTPUT) await truncateFile(file.fd, file.length + whole).catch(() => {});
      throw Object.assign(error as Error, { path: file.path });
    }
    file.length += bytes.length;
    this.bytes += bytes.length;
  }

  async #writeNext(fd: number, bytes: Uint8Array, from: number): Promise<number> {
    try {
      return (await writeSome(fd, bytes, from)).bytesWritten;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      await new Promise<void>((resolve) => this.#options.clock.after(RETRY_MS, resolve));
      return 0;
    }
  }
}

async function openNumbered({ path, rotation, today }: OutputOptions, number: number): Promise<OpenFile> {
  if (path === '-') return { fd: STANDARD_OUTPUT, path: 'standard output', length: 0 };
  const name = rotation ? rotatedName(path, number, today()) : path;
  return { fd: await openFile(name, 'w', OWNER_ONLY), path: name, length: 0 };
}
