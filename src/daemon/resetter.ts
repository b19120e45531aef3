import { FlowView, IPS, LONGEST_RAW_REQUEST, writeDeleteFlow, writeGetFlow } from '../ctnetlink/index.ts';
import { ERRNO } from '../nfnetlink/constants.ts';
import { errnoName } from '../nfnetlink/errno.ts';
import type { Requester } from '../nfnetlink/requester.ts';
import { FLOW_FLAG, type FlowStore } from './flowStore.ts';
import { establishedFlag, type MarkTable } from './intake.ts';
import type { ResetOutcome } from './resetOutcome.ts';
import { SlotQueue } from './slotQueue.ts';
import type { Standing } from './standing.ts';
import { StoredFlow } from './storedFlow.ts';

export interface ResetterParts {
  readonly store: FlowStore;
  /** A connection of its own to connection tracking. */
  readonly requester: Requester;
  readonly marks: MarkTable;
  readonly standing: () => Standing;
  /** Milliseconds of the daemon's clock, and of the world's, at the same moment. */
  readonly now: () => number;
  readonly wallNow: () => number;
  /**
   * Lets go of what would bring the flow back to its interface; resolves with why it could not, and then the
   * flow is not deleted.
   */
  readonly unpin?: (slot: number) => Promise<string | undefined>;
  /** Nothing is deleted: what would be is told as 'dry-run'. */
  readonly dryRun: boolean;
  /** Whether resets may still be made, asked before each round: the circuit breaker may have opened. */
  readonly mayGo: () => boolean;
  /** Receives every flow once, with its end; the slot is the receiver's from then on. */
  readonly onOutcome: (slot: number, outcome: ResetOutcome, detail?: string) => void;
  /** Receives the flows that wait when no more resets may be made, in place of their outcome. */
  readonly onHeld: (slot: number) => void;
  /** Hears that a round could not be asked for, or not to its end; its flows are `refused`. */
  readonly onFailure: (error: unknown) => void;
}

/** Flows of one round: their GETs go out together, then the DELETEs of those that were confirmed. */
const ROUND = 256;
/** Two clocks are compared, each rounded to a millisecond. */
const CLOCK_SLACK_MS = 2;
/** In place of a slot: the flow has its outcome. */
const OVER = -1;

/**
 * Deletes misplaced flows, each only after it was read again and is still what was judged: the same id, on
 * the same wrong interface, not dying, and no later incarnation of the tuple. Rounds follow one another, in
 * memory that is taken once; nothing is allocated for a flow.
 */
export class Resetter {
  readonly #parts: ResetterParts;
  readonly #view = new FlowView();
  readonly #flow: StoredFlow;
  readonly #waiting: SlotQueue;
  /** The flows of the round under way, and their messages. */
  readonly #slots = new Int32Array(ROUND);
  readonly #messages = new Uint8Array(ROUND * LONGEST_RAW_REQUEST);
  /** What was found out of each; undefined for a flow that is to be deleted. */
  readonly #ends: (ResetOutcome | undefined)[] = [];
  readonly #details: (string | undefined)[] = [];
  #running: Promise<void> | undefined;

  constructor(parts: ResetterParts) {
    this.#parts = parts;
    this.#flow = new StoredFlow(parts.store);
    this.#waiting = new SlotQueue(parts.store);
  }

  /** Flows that wait; those of the round under way are not counted. */
  get backlog(): number {
    return this.#waiting.length;
  }

  /** Takes a flow that the rule called misplaced; it goes out with the next flush(). */
  submit(slot: number, rule: number): void {
    this.#parts.store.setRule(slot, rule);
    this.#waiting.push(slot);
  }

  /** Starts working through the queue; resolves when it is empty. */
  flush(): Promise<void> {
    if (this.#waiting.length === 0) return this.#running ?? Promise.resolve();
    this.#running ??= this.#work().finally(() => {
      this.#running = undefined;
      // some may have come since the last look at the queue
      return this.flush();
    });
    return this.#running;
  }

  async #work(): Promise<void> {
    const { mayGo, onHeld } = this.#parts;
    while (this.#waiting.length > 0) {
      if (!mayGo()) {
        while (this.#waiting.length > 0) onHeld(this.#waiting.shift());
        return;
      }
      await this.#delete(await this.#unpin(await this.#confirm(this.#take())));
    }
  }

  /** Fills a round and returns how many flows it has, as every step below does. */
  #take(): number {
    let count = 0;
    while (count < ROUND && this.#waiting.length > 0) this.#slots[count++] = this.#waiting.shift();
    return count;
  }

  /** Reads every entry again and ends those that are not to be deleted. */
  async #confirm(count: number): Promise<number> {
    const ends = this.#ends;
    const details = this.#details;
    let end = 0;
    for (let i = 0; i < count; i++) {
      end = writeGetFlow(this.#messages, end, this.#flow.at(this.#slots[i]!));
      // until its entry is seen
      ends[i] = 'gone';
      details[i] = undefined;
    }
    try {
      await this.#parts.requester.pipeline(this.#messages.subarray(0, end), {
        onData: (index, bytes, start, stop) => {
          try {
            ends[index] = this.#compare(this.#slots[index]!, bytes, start, stop);
          } catch (error) {
            // an entry that cannot be read is not deleted
            ends[index] = 'refused';
            details[index] = (error as Error).message;
          }
        },
        onAck: (index, errno) => {
          if (errno === 0) return;
          ends[index] = errno === ERRNO.ENOENT ? 'gone' : 'refused';
          if (errno !== ERRNO.ENOENT) details[index] = errnoName(errno);
        },
      });
    } catch (error) {
      this.#fail(count, error);
      return 0;
    }
    return this.#keep(count);
  }

  /** Ends the flows that something would bring back. */
  async #unpin(count: number): Promise<number> {
    const { unpin } = this.#parts;
    if (!unpin || count === 0) return count;
    const slots = [...this.#slots.subarray(0, count)];
    const reasons = await Promise.all(slots.map(unpin));
    for (const [i, reason] of reasons.entries()) {
      this.#ends[i] = reason === undefined ? undefined : 'refused';
      this.#details[i] = reason;
    }
    return this.#keep(count);
  }

  async #delete(count: number): Promise<void> {
    if (count === 0) return;
    const { store, requester } = this.#parts;
    let end = 0;
    for (let i = 0; i < count; i++) {
      const slot = this.#slots[i]!;
      end = writeDeleteFlow(this.#messages, end, this.#flow.at(slot), store.id(slot));
    }
    try {
      await requester.pipeline(this.#messages.subarray(0, end), {
        onAck: (index, errno) => {
          if (errno === 0) this.#end(index, 'deleted');
          else if (errno === ERRNO.ENOENT) this.#end(index, 'gone');
          else if (errno === ERRNO.EBUSY) this.#end(index, 'offloaded');
          else this.#end(index, 'refused', errnoName(errno));
        },
      });
    } catch (error) {
      // whether the kernel did these is not known; a flow that is still misplaced is found by the next sweep
      this.#fail(count, error);
    }
  }

  /** Tells of the flows whose end is known, and moves the others together. */
  #keep(count: number): number {
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const end = this.#ends[i];
      if (end === undefined) this.#slots[kept++] = this.#slots[i]!;
      else this.#end(i, end, this.#details[i]);
    }
    return kept;
  }

  #end(index: number, outcome: ResetOutcome, detail?: string): void {
    const slot = this.#slots[index]!;
    this.#slots[index] = OVER;
    this.#parts.onOutcome(slot, outcome, detail);
  }

  #fail(count: number, error: unknown): void {
    for (let i = 0; i < count; i++)
      if (this.#slots[i] !== OVER) this.#end(i, 'refused', (error as Error).message);
    this.#parts.onFailure(error);
  }

  /** Why the entry is not to be deleted, or undefined where it is what was judged. */
  #compare(slot: number, bytes: Uint8Array, start: number, end: number): ResetOutcome | undefined {
    const { store, marks, standing, dryRun } = this.#parts;
    const entry = this.#view.attach(bytes, start, end);
    if ((entry.status & IPS.DYING) !== 0) return 'gone';
    if (entry.id !== store.id(slot)) return 'changed';
    if (marks.interfaceOf(entry.mark) !== store.interface(slot)) return 'changed';
    store.clearFlag(slot, FLOW_FLAG.ESTABLISHED);
    store.setFlag(slot, establishedFlag(entry.status));
    if (standing().stays(store.rule(slot), this.#flow.at(slot))) return 'changed';
    if (this.#isLater(slot)) return 'changed';
    return dryRun ? 'dry-run' : undefined;
  }

  /**
   * Whether the entry began after the flow was judged. The id cannot tell: a flow that is made again
   * usually gets the same one (nf_ct_get_id), and a start time is there only with nf_conntrack_timestamp.
   */
  #isLater(slot: number): boolean {
    const { startedAt } = this.#view;
    if (startedAt === undefined) return false;
    const { store, now, wallNow } = this.#parts;
    const judgedAt = wallNow() - (now() - store.firstSeen(slot));
    return startedAt > judgedAt + CLOCK_SLACK_MS;
  }
}
