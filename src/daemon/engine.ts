import { FlowView } from '../ctnetlink/index.ts';
import { IpsetClient } from '../ipset/index.ts';
import type { Clock } from '../nfnetlink/clock.ts';
import { DecodeError } from '../nfnetlink/errors.ts';
import type { Requester } from '../nfnetlink/requester.ts';
import { CatchUp } from './catchUp.ts';
import { Correction } from './correction.ts';
import { EventLag } from './eventLag.ts';
import { FLOW_FLAG, FlowStore } from './flowStore.ts';
import type { ResetGuard } from './guard.ts';
import { ADMISSION, Intake, MarkTable } from './intake.ts';
import { Judge } from './judge.ts';
import { NetworkSet } from './network.ts';
import type { Plan } from './plan.ts';
import { Rechecks } from './rechecks.ts';
import { RuleSets } from './ruleSets.ts';
import type { Surroundings } from './scope.ts';
import { tellSetState } from './setStateWarning.ts';
import { interfacesConcerned, makeStanding, type Standing, type StateHistory } from './standing.ts';
import { SweptFlows } from './sweptFlows.ts';
import type { Tell } from './tell.ts';
import type { Totals } from './totals.ts';
import type { Verdict } from './verdict.ts';
import type { Warnings } from './warnings.ts';

export interface EngineParts {
  readonly plan: Plan;
  /** Connection tracking, on a socket that joined no group. */
  readonly ctnetlink: Requester;
  /** ipset, on a socket of its own. */
  readonly ipset: Requester;
  readonly clock: Clock;
  /** Milliseconds since 1970, as the kernel's timestamps count. */
  readonly wallNow: () => number;
  readonly tell: Tell;
  readonly warnings: Warnings;
  readonly totals: Totals;
  /** Networks that are directly connected, asked for each flow. */
  readonly connected: () => NetworkSet;
  /** Whether each interface of the plan is online, by index, and what has become of them lately. */
  readonly online: readonly boolean[];
  readonly history?: StateHistory;
  /** Asks for a sweep of the whole table, because flows had to be left out; at most once an upkeep(). */
  readonly onShed: () => void;
  /** The engine of the plan before: what it knows of flows that returned, and of resets under way, stays. */
  readonly previous?: Engine;
}

/** Flows that are being judged or reset take slots too, beside those that wait for their next question. */
const SLOTS_AT_WORK = 65_536;

/**
 * One plan at work, from a flow's message to its verdict: intake -> judge -> decide, again and again while no
 * set holds the flow; then correction, where it is misplaced. It opens nothing and reads no file; another plan
 * makes another engine.
 */
export class Engine {
  readonly plan: Plan;
  readonly store: FlowStore;
  readonly judge: Judge;
  readonly ruleSets: RuleSets;
  readonly #parts: EngineParts;
  readonly #intake: Intake;
  readonly #rechecks: Rechecks;
  readonly #correction: Correction;
  readonly #swept = new SweptFlows();
  readonly #lag = new EventLag();
  readonly #catchUp: CatchUp;
  readonly #view = new FlowView();
  #standing: Standing;
  #isFlushDue = false;
  #stopped = false;
  /** Whether flows were left out since the last sweep was asked for. */
  #hasShed = false;

  constructor(parts: EngineParts) {
    const { plan, clock, previous } = parts;
    this.#parts = parts;
    this.plan = plan;
    this.store = new FlowStore(plan.limits.pendingFlows + SLOTS_AT_WORK);
    this.#standing = makeStanding(plan, parts.online, parts.history);
    const marks = new MarkTable(plan);
    const around = surroundings(plan, parts.connected);
    const isAgeJudged = plan.rules.some(({ failback }) => typeof failback === 'object');
    this.#intake = new Intake(this.store, marks, around, isAgeJudged ? parts.wallNow : undefined);
    const rejudging = {
      onDue: (slot: number) => this.judge.submit(slot),
      onRound: () => this.judge.flush(),
    };
    this.#rechecks = new Rechecks({
      ...rejudging,
      store: this.store,
      clock,
      delaysMs: plan.recheckMs,
      limit: plan.limits.pendingFlows,
      onEvicted: () => parts.totals.evicted++,
    });
    this.#catchUp = new CatchUp(this.#lag, clock);
    const sets = new IpsetClient(parts.ipset);
    this.ruleSets = new RuleSets(
      plan,
      sets,
      (rule, state) => tellSetState(parts.warnings, rule, state),
      () => {
        this.#hasShed = true;
      },
    );
    this.judge = new Judge({
      store: this.store,
      sets: this.ruleSets,
      requester: parts.ipset,
      standing: () => this.#standing,
      onVerdict: (slot, verdict) => this.#conclude(slot, verdict),
      onRound: () => this.#afterRound(),
      onFailure: (error) => this.#failed('set tests', error),
    });
    this.#correction = new Correction(
      {
        ...parts,
        ...rejudging,
        store: this.store,
        sets,
        marks,
        lag: this.#lag,
        standing: () => this.#standing,
        onFailure: (error) => this.#failed('resets', error),
      },
      previous ? previous.#correction : undefined,
    );
  }

  get guard(): ResetGuard {
    return this.#correction.guard;
  }
  get standing(): Standing {
    return this.#standing;
  }
  /** How many flows are where. */
  get depths() {
    return {
      stored: this.store.size,
      pending: this.#rechecks.size,
      judging: this.judge.backlog,
      ...this.#correction.depths,
    };
  }

  /** Takes one event of the NEW group, in place. */
  takeEvent(bytes: Uint8Array, start: number, end: number): void {
    this.#parts.totals.events++;
    if (this.#stopped) return;
    const now = this.#parts.clock.now();
    this.#lag.took(now);
    this.#flushSoon();
    const slot = this.#admit(bytes, start, end, FLOW_FLAG.NEW | FLOW_FLAG.RECHECK, now);
    if (slot < 0) return;
    this.#correction.began(slot, now);
    this.judge.submit(slot);
  }

  /** Calls back when the events that wait in the socket have been read; never once stopped. */
  onceCaughtUp(callback: () => void): void {
    if (!this.#stopped) this.#catchUp.once(callback);
  }

  /** Takes one entry of a dump; true where it is judged. `flags` may ask for rechecks. */
  takeEntry(bytes: Uint8Array, start: number, end: number, flags: number): boolean {
    if (this.#stopped) return false;
    const slot = this.#admit(bytes, start, end, flags | FLOW_FLAG.SWEPT, this.#parts.clock.now());
    if (slot < 0) return false;
    this.#swept.taken();
    this.judge.submit(slot);
    this.#flushSoon();
    return true;
  }

  /** Flows that wait for their turn to be judged or reset. */
  get backlog(): number {
    return this.judge.backlog + this.#correction.backlog;
  }

  /** Resolves when none waits any more. */
  async drained(): Promise<void> {
    await this.judge.drained();
    await this.#correction.flush();
  }

  /** Resolves when every entry that was taken has its verdict; how many of them were misplaced. */
  sweepVerdicts(): Promise<number> {
    this.judge.flush();
    return this.#swept.verdicts();
  }

  /**
   * The interfaces' states changed: another standing, for flows judged from now on.
   * @returns the marks of the interfaces whose flows are to be judged again
   */
  setOnline(online: readonly boolean[], history?: StateHistory): number[] {
    const before = this.#standing;
    this.#standing = makeStanding(this.plan, online, history);
    return interfacesConcerned(before, this.#standing).map((index) => this.plan.interfaces[index]!.mark);
  }

  /**
   * To be called once a second: forgets the resets whose successor has not come in time, and asks for the
   * sweep of what was left out, once there is room for it.
   */
  upkeep(): void {
    this.#correction.forgetExpired();
    const atWork = this.store.size - this.#rechecks.size;
    if (!this.#hasShed || atWork > SLOTS_AT_WORK / 2) return;
    this.#hasShed = false;
    this.#parts.onShed();
  }

  /**
   * Stops asking and resetting, lets go of all flows, and resolves when no request of its own is under way.
   * What was deleted by then is still verified by the engine that follows.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#catchUp.stop();
    this.#rechecks.stop();
    this.#correction.stop();
    await this.judge.stop();
    await this.#correction.flush();
  }

  #admit(bytes: Uint8Array, start: number, end: number, flags: number, now: number): number {
    const { totals } = this.#parts;
    try {
      this.#view.attach(bytes, start, end);
      let slot = this.#intake.admit(this.#view, now, flags);
      if (slot === ADMISSION.FULL && this.#rechecks.evict())
        slot = this.#intake.admit(this.#view, now, flags);
      if (slot === ADMISSION.IGNORED) {
        totals.verdicts.ignored++;
        totals.ignored[this.#intake.reason]++;
      } else if (slot === ADMISSION.FULL) {
        totals.shed++;
        this.#hasShed = true;
      }
      return slot;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      totals.malformed++;
      return ADMISSION.IGNORED;
    }
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#parts.clock.nextTurn(() => {
      this.#isFlushDue = false;
      this.#lag.turned();
      this.judge.flush();
    });
  }

  /** A conversation failed: what it was about is left to a sweep. */
  #failed(what: string, error: unknown): void {
    if (this.#stopped) return;
    this.#hasShed = true;
    this.#parts.warnings.warn(
      what,
      (error as Error).message,
      'the table is read again for the flows concerned',
    );
  }

  #conclude(slot: number, verdict: Verdict): void {
    const flags = this.store.flags(slot);
    if ((flags & FLOW_FLAG.SWEPT) !== 0) {
      this.store.clearFlag(slot, FLOW_FLAG.SWEPT);
      this.#swept.judged(verdict.kind === 'misplaced');
    }
    if (this.#stopped) {
      this.store.free(slot);
      return;
    }
    const { totals } = this.#parts;
    totals.verdicts[verdict.kind]++;
    if (verdict.kind === 'ignored') totals.ignored[verdict.reason]++;
    if (verdict.kind === 'misplaced') this.#correction.take(slot, verdict.rule);
    else if (verdict.kind === 'unclassified' && (flags & FLOW_FLAG.RECHECK) !== 0) this.#rechecks.add(slot);
    else this.store.free(slot);
  }

  #afterRound(): void {
    this.#rechecks.arm();
    void this.#correction.flush();
    this.#swept.settle();
  }
}

function surroundings(plan: Plan, connected: () => NetworkSet): () => Surroundings {
  const exemptDestinations = new NetworkSet(plan.exempt.destinations);
  const exemptSources = new NetworkSet(plan.exempt.sources);
  const around = {
    get connected() {
      return connected();
    },
    exemptDestinations,
    exemptSources,
    exemptPorts: plan.exempt.ports,
  };
  return () => around;
}
