import type { RuleFacts } from './candidates.ts';
import type { Placement } from './decide.ts';
import type { FlowStore } from './flowStore.ts';

/** A stored flow as the pure functions see flows. One object for all slots: valid until the next at(). */
export class StoredFlow implements RuleFacts, Placement {
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
  get protocol(): number {
    return this.#store.protocol(this.#slot);
  }
  get sourcePort(): number {
    return this.#store.sourcePort(this.#slot);
  }
  get destinationPort(): number {
    return this.#store.destinationPort(this.#slot);
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
