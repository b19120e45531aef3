/** Flows in slots of typed arrays, queues of slots, and the keys that flows share with their successors. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clientKey, flowHash, flowKey } from '../../src/daemon/flowKey.ts';
import { addressLength, FlowStore } from '../../src/daemon/flowStore.ts';
import { SlotQueue } from '../../src/daemon/slotQueue.ts';
import { INET, INET6 } from '../support/plans.ts';

const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);
const record = fc.record({
  family: fc.constantFrom<number>(INET, INET6),
  protocol: fc.nat(255),
  flags: fc.nat(255),
  sourcePort: u16,
  destinationPort: u16,
  mark: u32,
  id: u32,
  zone: u16,
  interface: u16,
  firstSeen: fc.double({ min: 0, max: 1e12, noNaN: true }),
  age: fc.oneof(fc.nat(2 ** 22 - 2), fc.constant(Number.POSITIVE_INFINITY)),
  bytes: fc.uint8Array({ minLength: 40, maxLength: 40 }),
});
type Written = typeof record extends fc.Arbitrary<infer T> ? T : never;

const SOURCE_AT = 3;
const DESTINATION_AT = 21;

function write(store: FlowStore, slot: number, written: Written): void {
  store.write(slot, written, written.bytes, SOURCE_AT, DESTINATION_AT);
}

function check(store: FlowStore, slot: number, written: Written): void {
  for (const field of [
    'family',
    'protocol',
    'flags',
    'sourcePort',
    'destinationPort',
    'mark',
    'id',
    'zone',
    'interface',
    'firstSeen',
    'age',
  ] as const) {
    assert.is(store[field](slot), written[field], `${field} of slot ${slot}`);
  }
  const length = addressLength(written.family);
  const bytes = store.bytesOf(slot);
  const [source, destination] = [store.sourceAt(slot), store.destinationAt(slot)];
  assert.equal(bytes.slice(source, source + length), written.bytes.slice(SOURCE_AT, SOURCE_AT + length));
  assert.equal(
    bytes.slice(destination, destination + length),
    written.bytes.slice(DESTINATION_AT, DESTINATION_AT + length),
  );
}

test('every field of every slot is what was written last, whatever is taken and freed', () => {
  const step = fc.oneof(
    fc.record({ take: record }),
    fc.record({ free: fc.nat() }),
    fc.record({ rewrite: fc.nat(), to: record }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const store = new FlowStore(20);
      const held = new Map<number, Written>();
      const pick = (n: number) => [...held.keys()][n % held.size]!;
      for (const each of steps) {
        if ('take' in each) {
          const slot = store.take();
          assert.is(slot === -1, held.size === 20);
          if (slot === -1) continue;
          assert.not(held.has(slot), 'a slot is taken once');
          write(store, slot, each.take);
          held.set(slot, each.take);
        } else if (held.size > 0 && 'free' in each) {
          const slot = pick(each.free);
          store.free(slot);
          held.delete(slot);
        } else if (held.size > 0 && 'to' in each) {
          const slot = pick(each.rewrite);
          write(store, slot, each.to);
          held.set(slot, each.to);
        }
        assert.is(store.size, held.size);
      }
      for (const [slot, written] of held) check(store, slot, written);
    }),
    { numRuns: 300 },
  );
});

test('slots beyond the first chunk are as good, and the memory is bounded', () => {
  const limit = 10_000;
  const store = new FlowStore(limit);
  assert.is(store.byteLength, 0);
  const written = (n: number): Written => ({
    family: INET,
    protocol: n & 0xff,
    flags: 0,
    sourcePort: n,
    destinationPort: 0xffff - n,
    mark: 0xffffffff - n,
    id: n,
    zone: n,
    interface: 0xffff - n,
    firstSeen: n + 0.5,
    age: n,
    bytes: new Uint8Array(40).fill(n),
  });
  const slots = Array.from({ length: limit }, (_, n) => {
    const slot = store.take();
    write(store, slot, written(n));
    return slot;
  });
  assert.is(new Set(slots).size, limit);
  assert.is(store.take(), -1);
  for (const [n, slot] of slots.entries()) check(store, slot, written(n));
  assert.ok(store.byteLength <= (limit + 4096) * 68, String(store.byteLength));
  for (const slot of slots) store.free(slot);
  assert.is(store.size, 0);
  assert.ok(slots.includes(store.take()), 'a freed slot is used again');
});

test('a queue of slots is first in, first out, beside other queues of the same store', () => {
  const step = fc.record({ queue: fc.nat(2), push: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const store = new FlowStore(1000);
      const queues = [0, 1, 2].map(() => ({ queue: new SlotQueue(store), oracle: [] as number[] }));
      for (const { queue: index, push } of steps) {
        const { queue, oracle } = queues[index]!;
        if (push) {
          const slot = store.take();
          queue.push(slot);
          oracle.push(slot);
        } else {
          const slot = queue.shift();
          assert.is(slot, oracle.shift() ?? -1);
          if (slot !== -1) store.free(slot);
        }
        assert.is(queue.length, oracle.length);
        assert.is(queue.head, oracle[0] ?? -1);
      }
    }),
  );
});

test('a key is shared by flows that differ in their source port, mark, id and zone alone', () => {
  const store = new FlowStore(2);
  const [a, b] = [store.take(), store.take()];
  fc.assert(
    fc.property(record, record, fc.boolean(), (first, other, isFamily) => {
      const { sourcePort, mark, id, zone, interface: index, firstSeen, flags } = other;
      const second = { ...first, sourcePort, mark, id, zone, interface: index, firstSeen, flags };
      write(store, a, first);
      write(store, b, second);
      assert.is(flowKey(store, a), flowKey(store, b));
      assert.is(flowHash(store, a), flowHash(store, b));
      assert.is(clientKey(store, a), clientKey(store, b));

      const differing = [
        { ...second, destinationPort: first.destinationPort ^ 1 },
        { ...second, protocol: first.protocol ^ 1 },
        { ...second, bytes: flipped(first.bytes, SOURCE_AT) },
        { ...second, bytes: flipped(first.bytes, DESTINATION_AT + 3) },
        ...(isFamily ? [{ ...second, family: first.family === INET ? INET6 : INET }] : []),
      ];
      for (const third of differing) {
        write(store, b, third);
        assert.is.not(flowKey(store, a), flowKey(store, b));
      }
    }),
    { numRuns: 300 },
  );
});

test('a flow and its reverse have other keys', () => {
  const store = new FlowStore(2);
  const [a, b] = [store.take(), store.take()];
  const bytes = Uint8Array.from({ length: 40 }, (_, i) => i);
  const fields = {
    family: INET,
    protocol: 6,
    flags: 0,
    sourcePort: 80,
    destinationPort: 80,
    mark: 0,
    id: 0,
    zone: 0,
    interface: 0,
    firstSeen: 0,
    age: 0,
  };
  store.write(a, fields, bytes, SOURCE_AT, DESTINATION_AT);
  store.write(b, fields, bytes, DESTINATION_AT, SOURCE_AT);
  assert.is.not(flowKey(store, a), flowKey(store, b));
  assert.is.not(clientKey(store, a), clientKey(store, b));
});

function flipped(bytes: Written['bytes'], at: number): Written['bytes'] {
  const copy = bytes.slice();
  copy[at]! ^= 1;
  return copy;
}

test.run();
