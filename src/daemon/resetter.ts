import { CTA, encodeDeleteFlow, encodeGetFlow, FlowView, IPS } from '../ctnetlink/index.ts';
import { ERRNO } from '../nfnetlink/constants.ts';
import { errnoName } from '../nfnetlink/errno.ts';
import { concatenated } from '../nfnetlink/message.ts';
import type { Requester } from '../nfnetlink/requester.ts';
import { tupleOf } from './flowDescription.ts';
import { FLOW_FLAG, type FlowStore } from './flowStore.ts';
import type { MarkTable } from './intake.ts';
import type { ResetOutcome } from './resetOutcome.ts';
import type { Standing } from './standing.ts';

/** A misplaced flow on its way to its reset. */
export interface ResetJob {
  readonly slot: number;
  /** The rule that called it misplaced. */
  readonly rule: number;
}

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
  readonly unpin?: (job: ResetJob) => Promise<string | undefined>;
  /** Nothing is deleted: what would be is told as 'dry-run'. */
  readonly dryRun: boolean;
  /** Whether resets may still be made, asked before each round: the circuit breaker may have opened. */
  readonly mayGo: () => boolean;
  /** Receives every job once, with its end; the slot is the receiver's from then on. */
  readonly onOutcome: (job: ResetJob, outcome: ResetOutcome, detail?: string) => void;
  /** Receives the jobs that wait when no more may be made, in place of their outcome. */
  readonly onHeld: (job: ResetJob) => void;
  /** Hears that a round could not be asked for, or not to its end; its jobs are `refused`. */
  readonly onFailure: (error: unknown) => void;
}

/** Jobs of one round: their GETs go out together, then the DELETEs of those that were confirmed. */
const ROUND = 256;
/** Two clocks are compared, each rounded to a millisecond. */
const CLOCK_SLACK_MS = 2;

/**
 * Deletes misplaced flows, each only after it was read again and is still what was judged: the same id, on
 * the same wrong interface, not dying, and no later incarnation of the tuple. Rounds follow one another.
 */
export class Resetter {
  readonly #parts: ResetterParts;
  readonly #view = new FlowView();
  #queue: ResetJob[] = [];
  #running: Promise<void> | undefined;

  constructor(parts: ResetterParts) {
    this.#parts = parts;
  }

  /** Jobs that wait; those of the round under way are not counted. */
  get backlog(): number {
    return this.#queue.length;
  }
  get isIdle(): boolean {
    return this.#queue.length === 0 && this.#running === undefined;
  }

  /** Takes a job; it goes out with the next flush(). */
  submit(job: ResetJob): void {
    this.#queue.push(job);
  }

  /** Starts working through the queue; resolves when it is empty. */
  flush(): Promise<void> {
    if (this.#queue.length === 0) return this.#running ?? Promise.resolve();
    this.#running ??= this.#work().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #work(): Promise<void> {
    while (this.#queue.length > 0) {
      if (!this.#parts.mayGo()) {
        for (const job of this.#queue.splice(0)) this.#parts.onHeld(job);
        return;
      }
      const jobs = this.#queue.splice(0, ROUND);
      const confirmed = await this.#unpin(await this.#confirm(jobs));
      if (confirmed.length > 0) await this.#delete(confirmed);
    }
  }

  /** Ends the jobs that something would bring back, returns the others. */
  async #unpin(jobs: readonly ResetJob[]): Promise<readonly ResetJob[]> {
    const { unpin, onOutcome } = this.#parts;
    if (!unpin) return jobs;
    const reasons = await Promise.all(jobs.map(unpin));
    return jobs.filter((job, index) => {
      const reason = reasons[index];
      if (reason !== undefined) onOutcome(job, 'refused', reason);
      return reason === undefined;
    });
  }

  /** Reads every job's entry again; ends those that are no longer to be deleted, returns the others. */
  async #confirm(jobs: readonly ResetJob[]): Promise<ResetJob[]> {
    const { store, requester, dryRun } = this.#parts;
    const verdicts: (ResetOutcome | undefined)[] = jobs.map(() => undefined);
    const seen = jobs.map(() => false);
    const details: (string | undefined)[] = [];
    const messages = concatenated(
      jobs.map(({ slot }) => encodeGetFlow({ originalTuple: tupleOf(store, slot), zone: this.#zone(slot) })),
    );
    try {
      await requester.pipeline(messages, {
        onData: (index, bytes, start, end) => {
          seen[index] = true;
          try {
            verdicts[index] = this.#compare(jobs[index]!, bytes, start, end);
          } catch (error) {
            // an entry that cannot be read is not deleted
            verdicts[index] = 'refused';
            details[index] = (error as Error).message;
          }
        },
        onAck: (index, errno) => {
          if (errno === 0) return;
          verdicts[index] = errno === ERRNO.ENOENT ? 'gone' : 'refused';
          if (errno !== ERRNO.ENOENT) details[index] = errnoName(errno);
        },
      });
    } catch (error) {
      this.#fail(jobs, error);
      return [];
    }
    return jobs.filter((job, index) => {
      const ended = verdicts[index] ?? (seen[index] ? (dryRun ? 'dry-run' : undefined) : 'gone');
      if (ended) this.#parts.onOutcome(job, ended, details[index]);
      return !ended;
    });
  }

  /** Why the entry is not to be deleted, or undefined where it is what was judged. */
  #compare(job: ResetJob, bytes: Uint8Array, start: number, end: number): ResetOutcome | undefined {
    const { store, marks, standing } = this.#parts;
    const { slot, rule } = job;
    const entry = this.#view.attach(bytes, start, end);
    if ((entry.status & IPS.DYING) !== 0) return 'gone';
    if (entry.id !== store.id(slot)) return 'changed';
    if (marks.interfaceOf(entry.mark) !== store.interface(slot)) return 'changed';
    const family = store.family(slot);
    const now = standing();
    if (!now.hasTarget(rule, family) || now.isExpected(rule, family, store.interface(slot))) return 'changed';
    return this.#isLater(slot) ? 'changed' : undefined;
  }

  /**
   * Whether the entry began after the flow was judged. The id cannot tell: a flow that is made again
   * usually gets the same one (nf_ct_get_id), and a start time is there only with nf_conntrack_timestamp.
   */
  #isLater(slot: number): boolean {
    if (!this.#view.has(CTA.TIMESTAMP)) return false;
    const start = this.#view.toFlow().timestamps?.start;
    if (start === undefined) return false;
    const { store, now, wallNow } = this.#parts;
    const judgedAt = wallNow() - (now() - store.firstSeen(slot));
    return Number(start / 1_000_000n) > judgedAt + CLOCK_SLACK_MS;
  }

  async #delete(jobs: readonly ResetJob[]): Promise<void> {
    const { store, requester, onOutcome } = this.#parts;
    const messages = concatenated(
      jobs.map(({ slot }) =>
        encodeDeleteFlow({ originalTuple: tupleOf(store, slot), zone: this.#zone(slot), id: store.id(slot) }),
      ),
    );
    const open = new Set(jobs);
    try {
      await requester.pipeline(messages, {
        onAck: (index, errno) => {
          open.delete(jobs[index]!);
          if (errno === 0) onOutcome(jobs[index]!, 'deleted');
          else if (errno === ERRNO.ENOENT) onOutcome(jobs[index]!, 'gone');
          else if (errno === ERRNO.EBUSY) onOutcome(jobs[index]!, 'offloaded');
          else onOutcome(jobs[index]!, 'refused', errnoName(errno));
        },
      });
    } catch (error) {
      // whether the kernel did these is not known; a flow that is still misplaced is found by the next sweep
      this.#fail(open, error);
    }
  }

  #fail(jobs: Iterable<ResetJob>, error: unknown): void {
    for (const job of jobs) this.#parts.onOutcome(job, 'refused', (error as Error).message);
    this.#parts.onFailure(error);
  }

  /** The zone of both directions; that of one direction stands in the tuple. */
  #zone(slot: number): number | undefined {
    const { store } = this.#parts;
    const zone = store.zone(slot);
    return zone === 0 || (store.flags(slot) & FLOW_FLAG.TUPLE_ZONE) !== 0 ? undefined : zone;
  }
}
