import { type FlowView, IPS, type TupleView } from '../ctnetlink/index.ts';
import { isIcmp } from '../ctnetlink/protocol.ts';
import { FLOW_FLAG, type FlowFields, type FlowStore } from './flowStore.ts';
import type { Plan } from './plan.ts';
import { outOfScope, type ScopeFacts, type Surroundings } from './scope.ts';
import type { IgnoreReason } from './verdict.ts';

/** What became of a flow at the door: a slot number of the store, or one of these. */
export const ADMISSION = { IGNORED: -1, FULL: -2 } as const;

/** Status bits of a flow that both ends keep up. An offloaded one is, though the kernel's own list hides it. */
const KEPT_UP = IPS.ASSURED | IPS.OFFLOAD | IPS.HW_OFFLOAD;

/** FLOW_FLAG.ESTABLISHED, or 0, by the entry's status (IPS). */
export function establishedFlag(status: number): number {
  return (status & KEPT_UP) === 0 ? 0 : FLOW_FLAG.ESTABLISHED;
}

/** Which interface a mark names: masked marks to interface indices. */
export class MarkTable {
  readonly #mask: number;
  readonly #interfaces: ReadonlyMap<number, number>;

  constructor(plan: Pick<Plan, 'markMask' | 'interfaces'>) {
    this.#mask = plan.markMask;
    this.#interfaces = new Map(plan.interfaces.map(({ mark }, index) => [mark, index]));
  }

  /** The interface's index; 'unmarked' for a masked mark of 0, 'foreign-mark' for one that none has. */
  interfaceOf(mark: number): number | 'unmarked' | 'foreign-mark' {
    // JavaScript's & gives a signed result, and marks are unsigned
    const masked = (mark & this.#mask) >>> 0;
    return masked === 0 ? 'unmarked' : (this.#interfaces.get(masked) ?? 'foreign-mark');
  }
}

/**
 * The door: reads one flow from a message, turns away what is out of scope, and stores the rest. Most flows
 * are turned away by their mark, before anything is copied. Allocates nothing.
 */
export class Intake implements FlowFields, ScopeFacts {
  readonly #store: FlowStore;
  readonly #marks: MarkTable;
  readonly #around: () => Surroundings;
  readonly #wallNow: (() => number) | undefined;
  /** Why the last flow was ignored. */
  reason: IgnoreReason = 'unmarked';

  // the flow at the door, as the store and the scope want to see it
  family = 0;
  protocol = 0;
  flags = 0;
  sourcePort = 0;
  destinationPort = 0;
  mark = 0;
  id = 0;
  zone = 0;
  interface = 0;
  firstSeen = 0;
  age = Number.POSITIVE_INFINITY;
  readonly bytes = new Uint8Array(32);
  readonly sourceAt = 0;
  readonly destinationAt = 16;

  /**
   * @param around asked for each flow, since networks come and go
   * @param wallNow milliseconds since 1970; without it no age is read, where none is to be judged by
   */
  constructor(store: FlowStore, marks: MarkTable, around: () => Surroundings, wallNow?: () => number) {
    this.#store = store;
    this.#wallNow = wallNow;
    this.#marks = marks;
    this.#around = around;
  }

  /**
   * @param now milliseconds of the daemon's clock, kept as the time at which the flow was first seen
   * @param flags FLOW_FLAG bits to store with it
   * @throws DecodeError where the message is malformed
   */
  admit(view: FlowView, now: number, flags: number): number {
    const index = this.#marks.interfaceOf(view.mark);
    if (typeof index !== 'number') return this.#ignore(index);
    this.#read(view, view.original);
    this.interface = index;
    this.firstSeen = now;
    this.flags |= flags;
    const reason = outOfScope(this, this.#around());
    if (reason) return this.#ignore(reason);
    if (this.#wallNow) this.#readAge(view, this.#wallNow);
    const slot = this.#store.take();
    if (slot === -1) return ADMISSION.FULL;
    this.#store.write(slot, this, this.bytes, this.sourceAt, this.destinationAt);
    return slot;
  }

  #read(view: FlowView, tuple: TupleView): void {
    this.family = view.family;
    this.mark = view.mark;
    this.id = view.id;
    this.protocol = tuple.protocol;
    tuple.copySource(this.bytes, this.sourceAt);
    tuple.copyDestination(this.bytes, this.destinationAt);
    const oneWayZone = tuple.zone;
    this.zone = oneWayZone ?? view.zone;
    this.flags = oneWayZone === undefined ? 0 : FLOW_FLAG.TUPLE_ZONE;
    if (isIcmp(this.protocol)) {
      this.sourcePort = tuple.icmpId ?? 0;
      this.destinationPort = ((tuple.icmpType ?? 0) << 8) | (tuple.icmpCode ?? 0);
    } else {
      this.sourcePort = tuple.sourcePort;
      this.destinationPort = tuple.destinationPort;
    }
  }

  #readAge(view: FlowView, wallNow: () => number): void {
    this.flags |= establishedFlag(view.status);
    this.age = (this.flags & FLOW_FLAG.NEW) !== 0 ? 0 : ageOf(view.startedAt, wallNow());
  }

  #ignore(reason: IgnoreReason): number {
    this.reason = reason;
    return ADMISSION.IGNORED;
  }
}

/** How old a flow is, in whole seconds, by the time at which it began; infinite where that is not known. */
export function ageOf(startedAt: number | undefined, wallNow: number): number {
  return startedAt === undefined
    ? Number.POSITIVE_INFINITY
    : Math.max(0, Math.floor((wallNow - startedAt) / 1000));
}
