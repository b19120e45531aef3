import { FlowView } from '../ctnetlink/index.ts';
import { IpsetClient } from '../ipset/index.ts';
import type { Clock, Timer } from '../nfnetlink/clock.ts';
import { DecodeError } from '../nfnetlink/errors.ts';
import type { Requester } from '../nfnetlink/requester.ts';
import { CatchUp } from './catchUp.ts';
import { Deferral } from './deferral.ts';
import { EventLag } from './eventLag.ts';
import { describeFlow } from './flowDescription.ts';
import { clientKey, flowKey } from './flowKey.ts';
import { FLOW_FLAG, FlowStore } from './flowStore.ts';
import { ResetGuard } from './guard.ts';
import { ADMISSION, Intake, MarkTable } from './intake.ts';
import { Judge } from './judge.ts';
import { NetworkSet } from './network.ts';
import { PendingFlows } from './pending.ts';
import { familyName, type Plan } from './plan.ts';
import type { ResetOutcome } from './resetOutcome.ts';
import { Resetter } from './resetter.ts';
import { RuleSets } from './ruleSets.ts';
import type { Surroundings } from './scope.ts';
import { tellSetState } from './setStateWarning.ts';
import { interfacesConcerned, makeStanding, type Standing, type StateHistory } from './standing.ts';
import { unpin } from './stickyPins.ts';
import { SuppressedTeller } from './suppressedTeller.ts';
import type { Reason, SuppressReason, Tell } from './tell.ts';
import type { Totals } from './totals.ts';
import type { Verdict } from './verdict.ts';
import { Verification } from './verification.ts';
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
 * One plan at work, from a flow's message to its reset: intake -> judge -> decide -> guard -> resetter ->
 * successors. It opens nothing and reads no file; another plan makes another engine.
 */
export class Engine {
  readonly plan: Plan;
  readonly store: FlowStore;
  readonly judge: Judge;
  readonly ruleSets: RuleSets;
  readonly guard: ResetGuard;
  readonly #parts: EngineParts;
  readonly #intake: Intake;
  readonly #pending: PendingFlows;
  readonly #deferred: Deferral;
  readonly #resetter: Resetter;
  readonly #verification: Verification;
  readonly #suppressed: SuppressedTeller;
  readonly #lag = new EventLag();
  readonly #catchUp: CatchUp;
  readonly #view = new FlowView();
  #standing: Standing;
  #isFlushDue = false;
  #recheck: { readonly timer: Timer; readonly at: number } | undefined;
  #stopped = false;
  /** Whether flows were left out since the last sweep was asked for. */
  #hasShed = false;
  /** Flows of the sweep under way that have no verdict yet, and those that were misplaced. */
  #sweptOpen = 0;
  #sweptMisplaced = 0;
  #onSwept: (() => void) | undefined;

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
    this.#pending = new PendingFlows(this.store, plan.recheckMs);
    this.#deferred = new Deferral({
      store: this.store,
      clock,
      resetsPerSecond: plan.limits.resetsPerSecond,
      onDue: (slot) => this.judge.submit(slot),
      onRound: () => this.judge.flush(),
    });
    this.#catchUp = new CatchUp(this.#lag, clock);
    this.guard = new ResetGuard(plan.limits, clock.now(), previous?.guard);
    const { store, guard } = this;
    const interfaceName = (index: number) => plan.interfaces[index]!.name;
    this.#verification = new Verification(
      { ...parts, store, guard, lag: this.#lag, interfaceName },
      previous ? previous.#verification : undefined,
    );
    this.#suppressed = new SuppressedTeller(parts.tell, () => clock.now());
    const sets = new IpsetClient(parts.ipset);
    this.ruleSets = new RuleSets(plan, sets, (rule, state) => tellSetState(parts.warnings, rule, state));
    this.judge = new Judge({
      store: this.store,
      sets: this.ruleSets,
      requester: parts.ipset,
      standing: () => this.#standing,
      onVerdict: (slot, verdict) => this.#conclude(slot, verdict),
      onRound: () => this.#afterRound(),
      onFailure: (error) => this.#failed('set tests', error),
    });
    this.#resetter = new Resetter({
      store: this.store,
      requester: parts.ctnetlink,
      marks,
      standing: () => this.#standing,
      now: () => clock.now(),
      wallNow: parts.wallNow,
      ...(plan.rules.some(({ sticky }) => sticky) && { unpin: (slot) => unpin(sets, plan, store, slot) }),
      dryRun: plan.dryRun,
      mayGo: () => !this.#stopped && this.guard.hold === undefined,
      onOutcome: (slot, outcome, detail) => this.#told(slot, outcome, detail),
      onHeld: (slot) => {
        if (this.guard.hold) this.#suppress(slot, store.rule(slot), this.guard.hold);
        this.store.free(slot);
      },
      onFailure: (error) => this.#failed('resets', error),
    });
  }

  get standing(): Standing {
    return this.#standing;
  }
  /** How many flows are where. */
  get depths() {
    return {
      stored: this.store.size,
      pending: this.#pending.size,
      judging: this.judge.backlog,
      deferred: this.#deferred.length,
      resetting: this.#resetter.backlog,
      watched: this.#verification.size,
      resting: this.guard.resting,
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
    if (this.#verification.size > 0) this.#verification.began(slot, now);
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
    this.#sweptOpen++;
    this.judge.submit(slot);
    this.#flushSoon();
    return true;
  }

  /** Resolves when every entry that was taken has its verdict; how many of them were misplaced. */
  async sweepVerdicts(): Promise<number> {
    this.judge.flush();
    if (this.#sweptOpen > 0) await new Promise<void>((resolve) => (this.#onSwept = resolve));
    const misplaced = this.#sweptMisplaced;
    this.#sweptMisplaced = 0;
    return misplaced;
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
    this.#verification.forgetExpired(this.#parts.clock.now());
    const atWork = this.store.size - this.#pending.size;
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
    this.#recheck?.timer.cancel();
    this.#catchUp.stop();
    this.#pending.takeDue(Number.POSITIVE_INFINITY, (slot) => this.store.free(slot));
    this.#deferred.stop();
    await this.judge.stop();
    await this.#resetter.flush();
  }

  #admit(bytes: Uint8Array, start: number, end: number, flags: number, now: number): number {
    const { totals } = this.#parts;
    try {
      this.#view.attach(bytes, start, end);
      let slot = this.#intake.admit(this.#view, now, flags);
      if (slot === ADMISSION.FULL && this.#evict()) slot = this.#intake.admit(this.#view, now, flags);
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

  /** Forgets the flow that has waited longest; false where none waits. */
  #evict(): boolean {
    const oldest = this.#pending.takeOldest();
    if (oldest === -1) return false;
    this.store.free(oldest);
    this.#parts.totals.evicted++;
    return true;
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
    if ((flags & FLOW_FLAG.SWEPT) !== 0) this.#countSwept(slot, verdict);
    if (this.#stopped) {
      this.store.free(slot);
      return;
    }
    const { totals } = this.#parts;
    totals.verdicts[verdict.kind]++;
    if (verdict.kind === 'ignored') totals.ignored[verdict.reason]++;
    if (verdict.kind === 'misplaced') this.#misplaced(slot, verdict.rule);
    else if (verdict.kind === 'unclassified' && (flags & FLOW_FLAG.RECHECK) !== 0) this.#wait(slot);
    else this.store.free(slot);
  }

  #countSwept(slot: number, verdict: Verdict): void {
    this.#sweptOpen--;
    this.store.clearFlag(slot, FLOW_FLAG.SWEPT);
    if (verdict.kind === 'misplaced') this.#sweptMisplaced++;
  }

  #wait(slot: number): void {
    while (this.#pending.size >= this.plan.limits.pendingFlows && this.#evict());
    if (!this.#pending.add(slot, this.#parts.clock.now())) this.store.free(slot);
  }

  #afterRound(): void {
    this.#armRecheck();
    void this.#resetter.flush();
    if (this.#sweptOpen === 0) {
      this.#onSwept?.();
      this.#onSwept = undefined;
    }
  }

  #armRecheck(): void {
    const due = this.#pending.nextDue();
    if (due === undefined || this.#stopped) return;
    if (this.#recheck && this.#recheck.at <= due) return;
    this.#recheck?.timer.cancel();
    const { clock } = this.#parts;
    const timer = clock.after(Math.max(0, due - clock.now()), () => {
      this.#recheck = undefined;
      this.#pending.takeDue(clock.now(), (slot) => this.judge.submit(slot));
      this.judge.flush();
      this.#armRecheck();
    });
    this.#recheck = { timer, at: due };
  }

  #misplaced(slot: number, rule: number): void {
    const now = this.#parts.clock.now();
    const answer = this.guard.ask(flowKey(this.store, slot), clientKey(this.store, slot), now);
    if (answer.go) {
      this.#resetter.submit(slot, rule);
      return;
    }
    const isDeferred = answer.reason === 'budget' || answer.reason === 'client-budget';
    // a flow that was held back is looked at again and again: that is told and counted once
    if (!isDeferred || (this.store.flags(slot) & FLOW_FLAG.DEFERRED) === 0)
      this.#suppress(slot, rule, answer.reason, answer.forMs);
    if (!isDeferred) {
      this.store.free(slot);
      return;
    }
    this.store.setFlag(slot, FLOW_FLAG.DEFERRED);
    this.#deferred.add(slot);
  }

  #suppress(slot: number, rule: number, reason: SuppressReason, forMs?: number): void {
    this.#parts.totals.suppressed[reason]++;
    this.#suppressed.tell(reason, forMs, () => ({
      flow: describeFlow(this.store, slot),
      ...this.#reason(slot, rule),
    }));
  }

  #reason(slot: number, rule: number): Reason {
    const { rules, interfaces } = this.plan;
    const expected = this.#standing.expected(rule, familyName(this.store.family(slot)));
    return {
      rule: rules[rule]!.name,
      set: rules[rule]!.set,
      from: interfaces[this.store.interface(slot)]!.name,
      expected: expected.map((index) => interfaces[index]!.name),
    };
  }

  #told(slot: number, outcome: ResetOutcome, detail?: string): void {
    const { totals, clock, tell, warnings } = this.#parts;
    const now = clock.now();
    const reason = this.#reason(slot, this.store.rule(slot));
    const flow = describeFlow(this.store, slot);
    const age = (this.store.flags(slot) & FLOW_FLAG.NEW) === 0 ? null : now - this.store.firstSeen(slot);
    totals.resets[outcome]++;
    if (outcome === 'deleted') {
      if (age !== null) totals.noteLatency(age);
      this.#verification.watch(slot, reason, now);
    }
    this.store.free(slot);
    const sinceNewMs = age === null ? null : Math.round(age * 10) / 10;
    tell({ event: 'reset', outcome, flow, ...reason, sinceNewMs, ...(detail !== undefined && { detail }) });
    if (outcome === 'offloaded') {
      const todo = 'turn flow offload off, or use a kernel from 5.10.182, 5.15.115, 6.1.32 or 6.4 on';
      warnings.warn('reset refused', 'the kernel does not delete offloaded flows (EBUSY)', todo);
    }
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
