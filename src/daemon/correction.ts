import type { IpsetClient } from '../ipset/index.ts';
import type { Clock } from '../nfnetlink/clock.ts';
import type { Requester } from '../nfnetlink/requester.ts';
import { Deferral } from './deferral.ts';
import type { EventLag } from './eventLag.ts';
import { describeFlow } from './flowDescription.ts';
import { clientKey, flowKey } from './flowKey.ts';
import { FLOW_FLAG, type FlowStore } from './flowStore.ts';
import { ResetGuard } from './guard.ts';
import type { MarkTable } from './intake.ts';
import type { Plan } from './plan.ts';
import { Reasons } from './reasons.ts';
import type { ResetOutcome } from './resetOutcome.ts';
import { Resetter } from './resetter.ts';
import type { Standing } from './standing.ts';
import { unpin } from './stickyPins.ts';
import { SuppressedTeller } from './suppressedTeller.ts';
import type { Reason, SuppressReason, Tell } from './tell.ts';
import type { Totals } from './totals.ts';
import { Verification } from './verification.ts';
import type { Warnings } from './warnings.ts';

export interface CorrectionParts {
  readonly plan: Plan;
  readonly store: FlowStore;
  /** Connection tracking, on a socket that joined no group. */
  readonly ctnetlink: Requester;
  readonly sets: IpsetClient;
  readonly marks: MarkTable;
  readonly lag: EventLag;
  readonly clock: Clock;
  /** Milliseconds since 1970, as the kernel's timestamps count. */
  readonly wallNow: () => number;
  readonly standing: () => Standing;
  readonly tell: Tell;
  readonly warnings: Warnings;
  readonly totals: Totals;
  /** Receives flows that a budget held back, to be judged anew, and hears when that is all for now. */
  readonly onDue: (slot: number) => void;
  readonly onRound: () => void;
  /** Hears that resets could not be asked for. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * What is done about misplaced flows, and said of it: guard -> resetter -> verification, or a while in the
 * deferral, or nothing.
 */
export class Correction {
  readonly guard: ResetGuard;
  readonly #parts: CorrectionParts;
  readonly #deferred: Deferral;
  readonly #resetter: Resetter;
  readonly #verification: Verification;
  readonly #suppressed: SuppressedTeller;
  #reasons: Reasons | undefined;
  #stopped = false;

  /** @param previous of the plan before: what it knows of flows that returned and of its resets stays known */
  constructor(parts: CorrectionParts, previous?: Correction) {
    const { plan, store, clock, sets } = parts;
    this.#parts = parts;
    const now = () => clock.now();
    this.guard = new ResetGuard(plan.limits, clock.now(), previous?.guard);
    this.#deferred = new Deferral({ ...parts, resetsPerSecond: plan.limits.resetsPerSecond });
    this.#suppressed = new SuppressedTeller(parts.tell, now);
    const interfaceName = (index: number) => plan.interfaces[index]!.name;
    this.#verification = new Verification(
      { ...parts, guard: this.guard, interfaceName },
      previous ? previous.#verification : undefined,
    );
    this.#resetter = new Resetter({
      ...{ ...parts, requester: parts.ctnetlink, now, dryRun: plan.dryRun },
      ...(plan.rules.some(({ sticky }) => sticky) && {
        unpin: (slot) => unpin(sets, plan, store, slot, parts.onFailure),
      }),
      mayGo: () => !this.#stopped && this.guard.hold === undefined,
      onOutcome: (slot, outcome, detail) => this.#told(slot, outcome, detail),
      onHeld: (slot) => {
        if (this.guard.hold) this.#suppress(slot, store.rule(slot), this.guard.hold);
        store.free(slot);
      },
    });
  }

  /** Flows that wait for their reset; those that a budget holds back are none of them. */
  get backlog(): number {
    return this.#resetter.backlog;
  }

  /** How many flows are where. */
  get depths() {
    return {
      deferred: this.#deferred.length,
      resetting: this.backlog,
      watched: this.#verification.size,
      resting: this.guard.resting,
    };
  }

  /** Takes a flow that the rule calls misplaced, and with it the slot; what is to be done waits for flush(). */
  take(slot: number, rule: number): void {
    const { store, clock } = this.#parts;
    const answer = this.guard.ask(flowKey(store, slot), clientKey(store, slot), clock.now());
    if (answer.go) {
      this.#resetter.submit(slot, rule);
      return;
    }
    const isDeferred = answer.reason === 'budget' || answer.reason === 'client-budget';
    // a flow that was held back is looked at again and again: that is told and counted once
    if (!isDeferred || (store.flags(slot) & FLOW_FLAG.DEFERRED) === 0)
      this.#suppress(slot, rule, answer.reason, answer.forMs);
    if (!isDeferred) {
      store.free(slot);
      return;
    }
    store.setFlag(slot, FLOW_FLAG.DEFERRED);
    this.#deferred.add(slot);
  }

  /** Starts the resets of what was taken; resolves when none is left to be made. */
  flush(): Promise<void> {
    return this.#resetter.flush();
  }

  /** Looks at a flow that has begun: it may be the successor of one that was reset. */
  began(slot: number, now: number): void {
    if (this.#verification.size > 0) this.#verification.began(slot, now);
  }

  /** Forgets the resets whose successor has not come in time. */
  forgetExpired(): void {
    this.#verification.forgetExpired(this.#parts.clock.now());
  }

  /** Resets nothing any more and lets go of all flows; what is under way ends by itself (flush). */
  stop(): void {
    this.#stopped = true;
    this.#deferred.stop();
  }

  #suppress(slot: number, rule: number, reason: SuppressReason, forMs?: number): void {
    const { store, totals } = this.#parts;
    totals.suppressed[reason]++;
    this.#suppressed.tell(reason, forMs, () => ({
      flow: describeFlow(store, slot),
      ...this.#reasonOf(slot, rule),
    }));
  }

  #reasonOf(slot: number, rule: number): Reason {
    const { store, standing } = this.#parts;
    const now = standing();
    if (this.#reasons?.standing !== now) this.#reasons = new Reasons(now);
    return this.#reasons.of(rule, store.interface(slot), store.family(slot));
  }

  #told(slot: number, outcome: ResetOutcome, detail?: string): void {
    const { store, totals, clock, tell, warnings } = this.#parts;
    const now = clock.now();
    const reason = this.#reasonOf(slot, store.rule(slot));
    const flow = describeFlow(store, slot);
    const age = (store.flags(slot) & FLOW_FLAG.NEW) === 0 ? null : now - store.firstSeen(slot);
    totals.resets[outcome]++;
    if (outcome === 'deleted') {
      if (age !== null) totals.noteLatency(age);
      this.#verification.watch(slot, reason, now);
    }
    store.free(slot);
    const sinceNewMs = age === null ? null : Math.round(age * 10) / 10;
    tell({ event: 'reset', outcome, flow, ...reason, sinceNewMs, ...(detail !== undefined && { detail }) });
    if (outcome === 'offloaded') {
      const todo = 'turn flow offload off, or use a kernel from 5.10.182, 5.15.115, 6.1.32 or 6.4 on';
      warnings.warn('reset refused', 'the kernel does not delete offloaded flows (EBUSY)', todo);
    }
  }
}
