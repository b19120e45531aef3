import { FlowView } from '../ctnetlink/index.ts';
import { IpsetClient } from '../ipset/index.ts';
import type { Clock, Timer } from '../nfnetlink/clock.ts';
import { DecodeError } from '../nfnetlink/errors.ts';
import type { Requester } from '../nfnetlink/requester.ts';
import { describeFlow } from './flowDescription.ts';
import { clientKey, flowHash, flowKey } from './flowKey.ts';
import { FLOW_FLAG, FlowStore } from './flowStore.ts';
import { ResetGuard } from './guard.ts';
import { ADMISSION, Intake, MarkTable } from './intake.ts';
import { Judge } from './judge.ts';
import { NetworkSet } from './network.ts';
import { PendingFlows } from './pending.ts';
import { familyName, type Plan } from './plan.ts';
import type { ResetOutcome } from './resetOutcome.ts';
import { type ResetJob, Resetter } from './resetter.ts';
import { RuleSets } from './ruleSets.ts';
import type { Surroundings } from './scope.ts';
import { tellSetState } from './setStateWarning.ts';
import { SlotQueue } from './slotQueue.ts';
import { makeStanding, type Standing } from './standing.ts';
import { Successors } from './successors.ts';
import { SuppressedTeller } from './suppressedTeller.ts';
import type { Tell, Why } from './tell.ts';
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
  /** Whether each interface of the plan is online, by index. */
  readonly online: readonly boolean[];
  /** Asks for a sweep of the whole table, because a flow had to be left out. */
  readonly onShed: () => void;
  /** The engine of the plan before: what it knows of flows that returned, and of resets under way, stays. */
  readonly previous?: Engine;
}

/** What is remembered of a reset until its successor is seen. */
interface Reset {
  readonly why: Why;
  readonly at: number;
}

/** Flows that are being judged or reset take slots too, beside those that wait for their next question. */
const SLOTS_AT_WORK = 65_536;
/** How often flows that a budget held back are looked at again. */
const DEFERRED_MS = 100;

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
  readonly #deferred: SlotQueue;
  readonly #resetter: Resetter;
  readonly #successors: Successors<Reset>;
  readonly #suppressed: SuppressedTeller;
  readonly #view = new FlowView();
  #standing: Standing;
  #isFlushDue = false;
  #recheck: { readonly timer: Timer; readonly at: number } | undefined;
  #deferredTimer: Timer | undefined;
  #stopped = false;
  /** Flows of the sweep under way that have no verdict yet, and those that were misplaced. */
  #sweptOpen = 0;
  #sweptMisplaced = 0;
  #onSwept: (() => void) | undefined;

  constructor(parts: EngineParts) {
    const { plan, clock, previous } = parts;
    this.#parts = parts;
    this.plan = plan;
    this.store = new FlowStore(plan.limits.pendingFlows + SLOTS_AT_WORK);
    this.#standing = makeStanding(plan, parts.online);
    const marks = new MarkTable(plan);
    const around = surroundings(plan, parts.connected);
    this.#intake = new Intake(this.store, marks, around);
    this.#pending = new PendingFlows(this.store, plan.recheckMs);
    this.#deferred = new SlotQueue(this.store);
    this.guard = new ResetGuard(plan.limits, clock.now(), previous?.guard);
    this.#successors = previous ? previous.#successors : new Successors();
    this.#suppressed = new SuppressedTeller(parts.tell, () => clock.now());
    this.ruleSets = new RuleSets(plan, new IpsetClient(parts.ipset), (rule, state) =>
      tellSetState(parts.warnings, rule, state),
    );
    this.judge = new Judge({
      store: this.store,
      sets: this.ruleSets,
      requester: parts.ipset,
      standing: () => this.#standing,
      onVerdict: (slot, verdict) => this.#conclude(slot, verdict),
      onRound: () => this.#afterRound(),
      onFailure: (error) =>
        parts.warnings.warn('set tests', (error as Error).message, 'the flows concerned are asked again'),
    });
    this.#resetter = new Resetter({
      store: this.store,
      requester: parts.ctnetlink,
      marks,
      standing: () => this.#standing,
      now: () => clock.now(),
      wallNow: parts.wallNow,
      dryRun: plan.dryRun,
      onOutcome: (job, outcome, detail) => this.#told(job, outcome, detail),
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
      watched: this.#successors.size,
      resting: this.guard.resting,
    };
  }

  /** Takes one event of the NEW group, in place. */
  takeEvent(bytes: Uint8Array, start: number, end: number): void {
    this.#parts.totals.events++;
    const slot = this.#admit(bytes, start, end, FLOW_FLAG.NEW | FLOW_FLAG.RECHECK);
    if (slot < 0) return;
    if (this.#successors.size > 0) this.#settle(slot);
    this.judge.submit(slot);
    this.#flushSoon();
  }

  /** Takes one entry of a dump; true where it is judged. `flags` may ask for rechecks. */
  takeEntry(bytes: Uint8Array, start: number, end: number, flags: number): boolean {
    const slot = this.#admit(bytes, start, end, flags | FLOW_FLAG.SWEPT);
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

  /** The interfaces' states changed: another standing, for flows judged from now on. */
  setOnline(online: readonly boolean[]): void {
    this.#standing = makeStanding(this.plan, online);
  }

  /** Forgets the resets whose successor has not come in time. */
  forgetExpired(): void {
    this.#successors.takeExpired(this.#parts.clock.now());
  }

  /** Stops asking and resetting; resolves when no request of its own is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#recheck?.timer.cancel();
    this.#deferredTimer?.cancel();
    await this.#resetter.flush();
  }

  #admit(bytes: Uint8Array, start: number, end: number, flags: number): number {
    const { totals, clock } = this.#parts;
    try {
      this.#view.attach(bytes, start, end);
      const now = clock.now();
      let slot = this.#intake.admit(this.#view, now, flags);
      if (slot === ADMISSION.FULL && this.#evict()) slot = this.#intake.admit(this.#view, now, flags);
      if (slot === ADMISSION.IGNORED) {
        totals.verdicts.ignored++;
        totals.ignored[this.#intake.reason]++;
      } else if (slot === ADMISSION.FULL) {
        totals.shed++;
        this.#parts.onShed();
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
      this.judge.flush();
    });
  }

  #conclude(slot: number, verdict: Verdict): void {
    this.#parts.totals.verdicts[verdict.kind]++;
    const flags = this.store.flags(slot);
    if ((flags & FLOW_FLAG.SWEPT) !== 0) this.#countSwept(slot, verdict);
    if (this.#stopped) this.store.free(slot);
    else if (verdict.kind === 'misplaced') this.#misplaced(slot, verdict.rule);
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
      this.#resetter.submit({ slot, rule });
      return;
    }
    this.#parts.totals.suppressed[answer.reason]++;
    this.#suppressed.tell(answer.reason, answer.forMs, () => this.#why(slot, rule));
    if (answer.reason === 'budget' || answer.reason === 'client-budget') this.#defer(slot);
    else this.store.free(slot);
  }

  /** Keeps a flow that a budget held back; a few at a time are judged anew, as many as could be granted. */
  #defer(slot: number): void {
    this.#deferred.push(slot);
    if (this.#deferredTimer) return;
    this.#deferredTimer = this.#parts.clock.after(DEFERRED_MS, () => {
      this.#deferredTimer = undefined;
      const grantable = Math.ceil((this.plan.limits.resetsPerSecond * DEFERRED_MS) / 1000) + 1;
      for (let i = Math.min(grantable, this.#deferred.length); i > 0; i--)
        this.judge.submit(this.#deferred.shift());
      this.judge.flush();
    });
  }

  #why(slot: number, rule: number): Why {
    const { rules, interfaces } = this.plan;
    const expected = this.#standing.expected(rule, familyName(this.store.family(slot)));
    return {
      flow: describeFlow(this.store, slot),
      rule: rules[rule]!.name,
      set: rules[rule]!.set,
      from: interfaces[this.store.interface(slot)]!.name,
      expected: expected.map((index) => interfaces[index]!.name),
    };
  }

  #told(job: ResetJob, outcome: ResetOutcome, detail?: string): void {
    const { slot, rule } = job;
    const { totals, clock, tell, warnings } = this.#parts;
    const now = clock.now();
    const why = this.#why(slot, rule);
    const age = (this.store.flags(slot) & FLOW_FLAG.NEW) === 0 ? null : now - this.store.firstSeen(slot);
    totals.resets[outcome]++;
    if (outcome === 'deleted') {
      if (age !== null) totals.noteLatency(age);
      this.#successors.watch(flowKey(this.store, slot), flowHash(this.store, slot), { why, at: now }, now);
    }
    this.store.free(slot);
    const sinceNewMs = age === null ? null : Math.round(age * 10) / 10;
    tell({ event: 'reset', outcome, ...why, sinceNewMs, ...(detail !== undefined && { detail }) });
    if (outcome === 'offloaded') {
      const todo = 'turn flow offload off, or use a kernel from 5.10.182, 5.15.115, 6.1.32 or 6.4 on';
      warnings.warn('reset refused', 'the kernel does not delete offloaded flows (EBUSY)', todo);
    }
  }

  /** Where a new flow follows one that was reset: did it come out where it should? */
  #settle(slot: number): void {
    if (!this.#successors.mayHold(flowHash(this.store, slot))) return;
    const { clock, tell, totals } = this.#parts;
    const now = clock.now();
    const key = flowKey(this.store, slot);
    const watched = this.#successors.settle(key, now);
    if (!watched) return;
    const { why, at } = watched.about;
    const to = this.plan.interfaces[this.store.interface(slot)]!.name;
    const flow = describeFlow(this.store, slot);
    const moved = why.expected.includes(to);
    tell({ event: moved ? 'moved' : 'returned', ...why, flow, to, afterMs: Math.round(now - at) });
    if (moved) {
      totals.moved++;
      this.guard.moved();
    } else {
      totals.returned++;
      this.#warnReturned(key, why, to, now);
    }
  }

  #warnReturned(key: string, why: Why, to: string, now: number): void {
    const { warnings } = this.#parts;
    const { opened } = this.guard.returned(key, now);
    const should = why.expected.join(' or ');
    warnings.warn(
      `rule ${why.rule}`,
      `a flow that was reset came back on ${to} instead of ${should}`,
      `check that the firewall marks new flows to set ${why.set} for ${should}, and that no sticky rule holds them`,
    );
    if (!opened) return;
    const { returned, verified } = this.guard.record;
    warnings.warn(
      'circuit breaker',
      `${returned} of the last ${verified} resets came back to a wrong interface: no more resets`,
      'mend the rules, then resteer control resume (or reload, where the configuration was wrong)',
    );
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
