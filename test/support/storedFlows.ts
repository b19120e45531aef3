/** Flows in a store, for tests of what reads them there. */
import { FlowStore } from '../../src/daemon/flowStore.ts';
import type { flow } from './plans.ts';

/** A store with room for `limit` flows and a way to put flows, as plans.ts makes them, into it. */
export function flowStore(limit = 4096) {
  const store = new FlowStore(limit);
  const keep = (facts: ReturnType<typeof flow>, flags = 0): number => {
    const slot = store.take();
    const fields = { ...facts, mark: 0, id: slot + 1, zone: 0, flags };
    store.write(slot, fields, facts.bytes, facts.sourceAt, facts.destinationAt);
    return slot;
  };
  return { store, keep };
}
