import { encodeListFlows } from '../../ctnetlink/requests/list.ts';
import { IPSET_CMD, type IpsetReader } from '../../ipset/index.ts';
import { listMessage } from '../../ipset/messages.ts';
import type { Clock, Timer } from '../../nfnetlink/clock.ts';
import type { KernelError } from '../../nfnetlink/errors.ts';
import type { Requester } from '../../nfnetlink/requester.ts';
import { isNetlinkError } from '../errors.ts';
import { SetContents } from './setContents.ts';

/** Sets are listed in no more than one part in so many of the time. */
const REST = 20;
/** A listing waits for the disk, however long that is behind. */
const TIMEOUT_MS = 3_600_000;
const ABSENT = 'absent';

export interface ListingsParts {
  readonly requester: Requester;
  readonly ipset: IpsetReader;
  readonly withTable: boolean;
  readonly sets: readonly string[];
  readonly intervalMs: number;
  readonly clock: Clock;
  /** The listings that a file begins with are recorded. */
  readonly onBegun: () => void;
  /** A set that was asked for is not there. */
  readonly onMissing: (name: string) => void;
}

/**
 * Lists the table and the sets at the beginning of each file, and the sets again and again, since the kernel tells
 * nobody of what is added to them. A listing that differs from the one recorded last is made anew to be recorded,
 * so that memory does not grow with the set.
 */
export class Listings {
  /** Whether what is asked and answered now goes into the file. */
  isRecording = false;
  readonly #parts: ListingsParts;
  /** What each set held when it was recorded last, in this file. */
  readonly #recorded = new Map<string, string>();
  readonly #stop = new AbortController();
  #isFileNew = true;
  #rest: { readonly timer: Timer | undefined; readonly end: () => void } | undefined;

  constructor(parts: ListingsParts) {
    this.#parts = parts;
  }

  /**
   * Goes on until `stop`.
   * @throws what the kernel answers; a set that is missing is recorded as such
   */
  async run(): Promise<void> {
    const { ipset, sets, intervalMs, clock } = this.#parts;
    const { signal } = this.#stop;
    try {
      // what only the conversation needs to know is no part of a listing
      if (sets.length > 0) await ipset.protocol();
      while (!signal.aborted) {
        const started = clock.now();
        if (this.#isFileNew) await this.#begin();
        else for (const name of sets) await this.#look(name);
        await this.#pause(sets.length > 0 ? Math.max(intervalMs, REST * (clock.now() - started)) : undefined);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Another file has begun: everything is listed for it. */
  beginFile(): void {
    this.#isFileNew = true;
    this.#endPause();
  }

  stop(): void {
    this.#stop.abort();
    this.#endPause();
  }

  async #begin(): Promise<void> {
    this.#isFileNew = false;
    this.#recorded.clear();
    if (this.#parts.withTable) await this.#recordTable();
    for (const name of this.#parts.sets) await this.#record(name);
    this.#parts.onBegun();
  }

  async #look(name: string): Promise<void> {
    if ((await this.#list(name)) !== this.#recorded.get(name)) await this.#record(name);
  }

  async #record(name: string): Promise<void> {
    const digest = await this.#recording(() => this.#list(name));
    if (digest === ABSENT) this.#parts.onMissing(name);
    this.#recorded.set(name, digest);
  }

  async #recordTable(): Promise<void> {
    const { requester } = this.#parts;
    try {
      await this.#recording(() => requester.visit(encodeListFlows(), () => {}, this.#options));
    } catch (error) {
      // a table that changes while it is listed is what the events tell of
      if (!isNetlinkError(error) || error.kind !== 'dump-interrupted') throw error;
    }
  }

  /** What a set holds now. */
  async #list(name: string): Promise<string> {
    const { requester, ipset } = this.#parts;
    const protocol = await ipset.protocol();
    const contents = new SetContents();
    try {
      await requester.visit(
        listMessage(IPSET_CMD.LIST, protocol, name, 'elements'),
        contents.add,
        this.#options,
      );
      return contents.digest;
    } catch (error) {
      if (isNetlinkError(error) && error.kind === 'kernel' && (error as KernelError).code === 'ENOENT')
        return ABSENT;
      throw error;
    }
  }

  async #recording<T>(work: () => Promise<T>): Promise<T> {
    this.isRecording = true;
    try {
      return await work();
    } finally {
      this.isRecording = false;
    }
  }

  get #options() {
    return { signal: this.#stop.signal, timeout: TIMEOUT_MS };
  }

  /** Waits so long, or until there is something to do. */
  async #pause(milliseconds: number | undefined): Promise<void> {
    if (this.#isFileNew || this.#stop.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = milliseconds === undefined ? undefined : this.#parts.clock.after(milliseconds, resolve);
      this.#rest = { timer, end: resolve };
    });
    this.#rest = undefined;
  }

  #endPause(): void {
    this.#rest?.timer?.cancel();
    this.#rest?.end();
  }
}
