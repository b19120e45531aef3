import { CatchUp } from '../../daemon/catchUp.ts';
import { EventLag } from '../../daemon/eventLag.ts';
import type { Clock } from '../../nfnetlink/clock.ts';
import type { Requester } from '../../nfnetlink/requester.ts';

/** What the reader of events was told, and what it takes to tell it the rest. */
export interface Ledger {
  /** Makes the request that lists the kernel's table. */
  listing(): Uint8Array;
  /** An entry of the table as it was before the first event: the reader knows it, or does not care. */
  adopt(bytes: Uint8Array, start: number, end: number): void;
  /** Forgets what was adopted and has not been told of since. */
  forgetAdopted(): void;
  beginRound(): void;
  /** An entry of the table: tells what the reader does not know of it. */
  compare(bytes: Uint8Array, start: number, end: number): void;
  /** Tells the end of what the table no longer holds. */
  endRound(): void;
}

export interface HealingParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly requester: () => Promise<Requester>;
  /** A promise to wait for where whoever reads what is printed is slow. */
  readonly pace: () => Promise<void> | undefined;
  /** Bytes of the socket's buffer. */
  readonly bufferSize: () => number;
  /** The reader now knows the whole table. */
  readonly onHealed: () => void;
  readonly onError: (error: unknown) => void;
}

/** Bytes that the least event takes in a socket's buffer: its own, and the kernel's record of it. */
const LEAST_EVENT = 768;

/**
 * Tells the reader of events, after some were lost, what has become of the table meanwhile.
 *
 * The kernel drops all events from the one that does not fit until the socket has been read empty, so the
 * table is not listed before that: what the listing lacks is then heard. Ends are told only when the events
 * that came during the listing have been read too; most of them tell their own end. Where more is lost
 * meanwhile all of it begins anew, after a rest as long as it took.
 */
export class Healing {
  readonly #parts: HealingParts;
  readonly #lag = new EventLag();
  readonly #catchUp: CatchUp;
  readonly #abort = new AbortController();
  /** Events that were read since the start. */
  #read = 0;
  /** At which count all have been read that waited when someone began to wait; and who waits. */
  #enough = 0;
  #onEnough: (() => void) | undefined;
  #isUnderWay = false;
  #isStale = false;

  constructor(parts: HealingParts) {
    this.#parts = parts;
    this.#catchUp = new CatchUp(this.#lag, parts.clock);
  }

  /** Notes that an event is being read. */
  took(): void {
    this.#lag.took(this.#parts.clock.now());
    this.#read++;
    if (this.#onEnough && this.#read >= this.#enough) this.#onEnough();
  }

  /** Notes that the event loop has turned since events were read. */
  turned(): void {
    this.#lag.turned();
  }

  /** Lists the table as it is at the start. What is lost meanwhile makes it news, but for what was told. */
  takeStock(): void {
    this.#begin(async () => {
      await this.#list('adopt');
      await this.#readThrough();
      if (this.#isStale) this.#parts.ledger.forgetAdopted();
    });
  }

  /** Events were lost. */
  heal(): void {
    this.#isStale = true;
    this.#begin(async () => {});
  }

  #begin(first: () => Promise<void>): void {
    if (this.#isUnderWay || this.#abort.signal.aborted) return;
    this.#isUnderWay = true;
    first()
      .then(() => this.#rounds())
      .catch((error: unknown) => {
        if (!this.#abort.signal.aborted) this.#parts.onError(error);
      })
      .finally(() => {
        this.#isUnderWay = false;
      });
  }

  stop(): void {
    this.#abort.abort();
    this.#catchUp.stop();
  }

  async #rounds(): Promise<void> {
    const { ledger, clock, onHealed } = this.#parts;
    while (this.#isStale) {
      const begun = clock.now();
      await this.#readThrough();
      await this.#parts.pace();
      this.#isStale = false;
      ledger.beginRound();
      await this.#list('compare');
      await this.#readThrough();
      if (!this.#isStale) {
        ledger.endRound();
        onHealed();
      } else await new Promise<void>((resolve) => clock.after(clock.now() - begun, resolve));
    }
  }

  async #list(what: 'adopt' | 'compare'): Promise<void> {
    const { ledger, requester, pace } = this.#parts;
    const visit = (bytes: Uint8Array, start: number, end: number) => {
      ledger[what](bytes, start, end);
      return pace();
    };
    await (await requester()).visit(ledger.listing(), visit, { signal: this.#abort.signal });
  }

  /** Waits until the events that wait in the socket now have been read, however many follow them. */
  #readThrough(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#onEnough = undefined;
        this.#catchUp.stop();
        resolve();
      };
      this.#enough = this.#read + this.#parts.bufferSize() / LEAST_EVENT;
      this.#onEnough = done;
      this.#catchUp.once(done);
    });
  }
}
