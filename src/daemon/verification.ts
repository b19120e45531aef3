import type { EventLag } from './eventLag.ts';
import { describeFlow } from './flowDescription.ts';
import { flowHash, flowKey } from './flowKey.ts';
import { FLOW_FLAG, type FlowStore } from './flowStore.ts';
import type { ResetGuard } from './guard.ts';
import { Successors } from './successors.ts';
import type { Reason, Tell } from './tell.ts';
import type { Totals } from './totals.ts';
import type { Warnings } from './warnings.ts';

export interface VerificationParts {
  readonly store: FlowStore;
  readonly guard: ResetGuard;
  readonly lag: EventLag;
  readonly tell: Tell;
  readonly warnings: Warnings;
  readonly totals: Totals;
  /** The name of an interface of the plan, by index. */
  readonly interfaceName: (index: number) => string;
}

/** What is remembered of a reset until its successor is seen. */
interface Reset {
  readonly reason: Reason;
  readonly at: number;
  /** When the first reset of this key was made that has not been verified since. */
  readonly firstAt: number;
  /** The flow's own source port, where its NEW event had been read: its next event is a successor's. */
  readonly sourcePort: number | undefined;
}

/** Verifies resets by their successors: did the flow come out where it should? */
export class Verification {
  readonly #parts: VerificationParts;
  readonly #successors: Successors<Reset>;

  /** @param previous of the plan before, whose resets are still to be verified */
  constructor(parts: VerificationParts, previous?: Verification) {
    this.#parts = parts;
    this.#successors = previous ? previous.#successors : new Successors();
  }

  /** How many resets wait for their successor. */
  get size(): number {
    return this.#successors.size;
  }

  /** Notes that the flow was deleted. */
  watch(slot: number, reason: Reason, now: number): void {
    const { store } = this.#parts;
    const key = flowKey(store, slot);
    const firstAt = this.#successors.find(key, now)?.firstAt ?? now;
    const sourcePort = (store.flags(slot) & FLOW_FLAG.NEW) === 0 ? undefined : store.sourcePort(slot);
    this.#successors.watch(key, flowHash(store, slot), { reason, at: now, firstAt, sourcePort }, now);
  }

  /** Looks at a flow that has begun. */
  began(slot: number, now: number): void {
    const { store, tell, totals, guard, interfaceName } = this.#parts;
    if (!this.#successors.mayHold(flowHash(store, slot))) return;
    const key = flowKey(store, slot);
    const reset = this.#successors.find(key, now);
    if (!reset) return;
    const { reason, at } = reset;
    const to = interfaceName(store.interface(slot));
    const moved = reason.expected.includes(to);
    // a connection to the same place that was begun before the reset proves nothing against it
    if (!moved && this.#mayBeOlder(slot, reset, now)) return;
    this.#successors.drop(key);
    const flow = describeFlow(store, slot);
    tell({ event: moved ? 'moved' : 'returned', flow, ...reason, to, afterMs: Math.round(now - at) });
    if (moved) {
      totals.moved++;
      if (guard.moved()) this.#warnOpened();
    } else {
      totals.returned++;
      this.#warnReturned(key, reason, to, now);
    }
  }

  /** Forgets the resets whose successor has not come in time. */
  forgetExpired(now: number): void {
    this.#successors.takeExpired(now);
  }

  #mayBeOlder(slot: number, { firstAt, sourcePort }: Reset, now: number): boolean {
    const { store, lag } = this.#parts;
    return sourcePort !== store.sourcePort(slot) && lag.mayPredate(firstAt, now);
  }

  #warnReturned(key: string, reason: Reason, to: string, now: number): void {
    const { warnings, guard } = this.#parts;
    const { opened } = guard.returned(key, now);
    const should = reason.expected.join(' or ');
    const flows = reason.set === null ? 'its flows' : `new flows to set ${reason.set}`;
    warnings.warn(
      `rule ${reason.rule}`,
      `a flow that was reset came back on ${to} instead of ${should}`,
      `check that the firewall marks ${flows} for ${should}, and that no sticky rule holds them`,
    );
    if (opened) this.#warnOpened();
  }

  #warnOpened(): void {
    const { warnings, guard } = this.#parts;
    const { returned, verified } = guard.record;
    // it had been closed by hand or by a reload: this is no repetition
    warnings.mended('circuit breaker');
    warnings.warn(
      'circuit breaker',
      `${returned} of the last ${verified} resets came back to a wrong interface: no more resets`,
      'mend the rules, then resteer control resume (or reload, where the configuration was wrong)',
    );
  }
}
