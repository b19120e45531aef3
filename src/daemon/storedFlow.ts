import type { RawFlowKey } from '../ctnetlink/index.ts';
import type { RuleFacts } from './candidates.ts';
import { FLOW_FLAG, type FlowStore } from './flowStore.ts';
import type { Placement } from './standing.ts';

/**
 * A stored flow as the pure functions and the writers of requests see flows. One object for all slots: valid
 * until the next at().
 */
export class StoredFlow implements RuleFacts, Placement, RawFlowKey {
  readonly #store: FlowStore;
  #slot = -1;

  constructor(store: FlowStore) {
    this.#store = store;
  }

  at(slot: number): this {
    this.#slot = slot;
    return this;
  }

  get family(): number {
    return this.#store.family(this.#slot);
  }
  get interface(): number {
    return this.#store.interface(this.#slot);
  }
  get firstSeen(): number {
    return this.#store.firstSeen(this.#slot);
  }
  get age(): number {
    return this.#store.age(this.#slot);
  }
  get isEstablished(): boolean {
    return (this.#store.flags(this.#slot) & FLOW_FLAG.ESTABLISHED) !== 0;
  }
  get protocol(): number {
    return this.#store.protocol(this.#slot);
  }
  get sourcePort(): number {
    return this.#store.sourcePort(this.#slot);
  }
  get destinationPort(): number {
    return this.#store.destinationPort(this.#slot);
  }
  get zone(): number {
    return this.#store.zone(this.#slot);
  }
  get isTupleZone(): boolean {
    return (this.#store.flags(this.#slot) & FLOW_FLAG.TUPLE_ZONE) !== 0;
  }
  get bytes(): Uint8Array {
    return this.#store.bytesOf(this.#slot);
  }
  get sourceAt(): number {
    return this.#store.sourceAt(this.#slot);
  }
  get destinationAt(): number {
    return this.#store.destinationAt(this.#slot);
  }
}
