/** Flows that wait to be asked again: each in its time, none twice, none forgotten. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FlowStore } from '../../src/daemon/flowStore.ts';
import { PendingFlows } from '../../src/daemon/pending.ts';
import { INET } from '../support/plans.ts';

const DELAYS = [500, 1000, 2000];
const nowhere = new Uint8Array(8);

function flowAt(store: FlowStore, firstSeen: number): number {
  const slot = store.take();
  const zeros = {
    flags: 0,
    sourcePort: 0,
    destinationPort: 0,
    mark: 0,
    id: 0,
    zone: 0,
    interface: 0,
    age: 0,
  };
  store.write(slot, { ...zeros, family: INET, protocol: 6, firstSeen }, nowhere, 0, 4);
  return slot;
}

function due(pending: PendingFlows, now: number): number[] {
  const slots: number[] = [];
  pending.takeDue(now, (slot) => slots.push(slot));
  return slots;
}

test('a flow is asked again after each delay, then no more', () => {
  const store = new FlowStore(10);
  const pending = new PendingFlows(store, DELAYS);
  const slot = flowAt(store, 100);
  assert.is(pending.nextDue(), undefined);
  assert.is(pending.add(slot, 100), true);
  assert.is(pending.nextDue(), 600);
  assert.equal(due(pending, 599), []);
  assert.equal(due(pending, 600), [slot]);
  assert.is(pending.size, 0);
  assert.is(pending.add(slot, 601), true);
  assert.is(pending.nextDue(), 1100);
  assert.equal(due(pending, 1100), [slot]);
  assert.is(pending.add(slot, 1100), true);
  assert.is(pending.nextDue(), 2100);
  assert.equal(due(pending, 5000), [slot]);
  assert.is(pending.add(slot, 5000), false);
  assert.is(pending.size, 0);
});

test('a delay that has passed meanwhile is left out', () => {
  const store = new FlowStore(10);
  const pending = new PendingFlows(store, DELAYS);
  assert.is(pending.add(flowAt(store, 0), 1500), true);
  assert.is(pending.nextDue(), 2000);
});

test('without delays nothing waits', () => {
  const store = new FlowStore(10);
  const pending = new PendingFlows(store, []);
  assert.is(pending.add(flowAt(store, 0), 0), false);
  assert.is(pending.nextDue(), undefined);
  assert.is(pending.takeOldest(), -1);
  assert.equal(due(pending, 1e9), []);
});

test('the oldest goes first: the one that has waited longest since it began', () => {
  const store = new FlowStore(10);
  const pending = new PendingFlows(store, DELAYS);
  const old = flowAt(store, 0);
  const [young, younger] = [flowAt(store, 700), flowAt(store, 800)];
  pending.add(young, 700);
  pending.add(younger, 800);
  pending.add(old, 1100);
  assert.equal(
    [1, 2, 3, 4].map(() => pending.takeOldest()),
    [old, young, younger, -1],
  );
  assert.is(pending.size, 0);
});

test('a flow taken when it is due is not due again at the same moment, however times are rounded', () => {
  const time = fc.double({ min: 0, max: 1e7, noNaN: true });
  fc.assert(
    fc.property(time, fc.double({ min: 0.001, max: 1e5, noNaN: true }), (firstSeen, delay) => {
      const store = new FlowStore(1);
      const pending = new PendingFlows(store, [delay, delay * 3]);
      const slot = flowAt(store, firstSeen);
      pending.add(slot, firstSeen);
      const now = pending.nextDue()!;
      assert.equal(due(pending, now), [slot]);
      assert.is(pending.add(slot, now), true);
      assert.equal(due(pending, now), []);
    }),
    { numRuns: 2000 },
  );
});

test('against a sorted array: the same flows at the same times, in the order of their time', () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ pass: fc.nat(400) }) },
    { weight: 2, arbitrary: fc.record({ arrive: fc.integer({ min: 1, max: 3 }) }) },
    { weight: 1, arbitrary: fc.constant({ shed: true }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const store = new FlowStore(1000);
      const pending = new PendingFlows(store, DELAYS);
      let oracle: { slot: number; firstSeen: number; due: number }[] = [];
      let now = 0;
      const add = (slot: number, firstSeen: number) => {
        const next = DELAYS.map((delay) => firstSeen + delay).find((at) => at > now);
        assert.is(pending.add(slot, now), next !== undefined);
        if (next !== undefined) oracle.push({ slot, firstSeen, due: next });
        else store.free(slot);
      };
      const remove = (slot: number) => {
        const found = oracle.find((each) => each.slot === slot)!;
        oracle = oracle.filter((each) => each !== found);
        return found;
      };
      for (const each of steps) {
        if ('pass' in each) {
          now += each.pass;
          const expected = oracle.filter(({ due: at }) => at <= now).map(({ slot }) => slot);
          const taken = due(pending, now);
          assert.equal([...taken].sort(), [...expected].sort());
          const flows = taken.map(remove);
          // a judge answers in the order in which it was asked
          for (const { slot, firstSeen } of flows) add(slot, firstSeen);
        } else if ('arrive' in each) {
          for (let i = 0; i < each.arrive; i++) add(flowAt(store, now), now);
        } else {
          const slot = pending.takeOldest();
          const oldest = Math.min(...oracle.map(({ firstSeen }) => firstSeen));
          if (slot === -1) assert.is(oracle.length, 0);
          else assert.is(remove(slot).firstSeen, oldest);
        }
        assert.is(pending.size, oracle.length);
        const first = Math.min(...oracle.map(({ due: at }) => at));
        assert.is(pending.nextDue() ?? Number.POSITIVE_INFINITY, first);
      }
    }),
    { numRuns: 300 },
  );
});

test.run();
