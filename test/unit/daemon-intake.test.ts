/** The door: what of a message is stored, and which flows are turned away before anything is. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CompleteTuple, FlowView } from '../../src/ctnetlink/index.ts';
import { FLOW_FLAG, FlowStore } from '../../src/daemon/flowStore.ts';
import { ADMISSION, Intake, MarkTable } from '../../src/daemon/intake.ts';
import { NetworkSet } from '../../src/daemon/network.ts';
import type { Surroundings } from '../../src/daemon/scope.ts';
import { type ConntrackEntry, encodeEntry } from '../../src/model/index.ts';
import { formatAddress } from '../../src/nfnetlink/address.ts';
import { DecodeError } from '../../src/nfnetlink/index.ts';
import { flowEntry } from '../support/engineBench.ts';
import { network, uplink } from '../support/plans.ts';

const NOW = 1234.5;
const marks = new MarkTable({
  markMask: 0x3f00,
  interfaces: [uplink('wan', { mark: 0x100 }), uplink('wanb', { mark: 0x3f00 })],
});

function open(around: Partial<Surroundings> = {}, limit = 10, wallNow?: () => number) {
  const store = new FlowStore(limit);
  const none = new NetworkSet([]);
  const surroundings = {
    ...{ connected: none, exemptDestinations: none, exemptSources: none, exemptPorts: [] },
    ...around,
  };
  const intake = new Intake(store, marks, () => surroundings, wallNow);
  const view = new FlowView();
  const admit = (entry: ConntrackEntry, flags = 0) => {
    const bytes = encodeEntry(entry, NOW);
    return intake.admit(view.attach(bytes, 0, bytes.length), NOW, flags);
  };
  return { store, intake, admit };
}

/** What stands in a slot, as the message had it. */
function stored(store: FlowStore, slot: number) {
  const length = store.family(slot) === 10 ? 16 : 4;
  const address = (at: number) => formatAddress(store.bytesOf(slot).subarray(at, at + length));
  return {
    source: address(store.sourceAt(slot)),
    destination: address(store.destinationAt(slot)),
    protocol: store.protocol(slot),
    sourcePort: store.sourcePort(slot),
    destinationPort: store.destinationPort(slot),
    zone: store.zone(slot),
    isTupleZone: (store.flags(slot) & FLOW_FLAG.TUPLE_ZONE) !== 0,
    id: store.id(slot),
    mark: store.mark(slot),
    interface: store.interface(slot),
    firstSeen: store.firstSeen(slot),
  };
}

const ipv4 = { source: '192.168.50.2', destination: '203.0.113.10' };
const ipv6 = { source: '2001:db8:5::2', destination: '2001:db8::10' };
const withoutPorts = { sourcePort: undefined, destinationPort: undefined };
const icmp = { ...withoutPorts, icmpId: 7, icmpType: 8, icmpCode: 1 };
const admitted: readonly (readonly [what: string, CompleteTuple, ports: readonly [number, number]])[] = [
  ['TCP', { ...ipv4, protocol: 6, sourcePort: 40_000, destinationPort: 443 }, [40_000, 443]],
  ['TCP over IPv6', { ...ipv6, protocol: 6, sourcePort: 40_000, destinationPort: 443 }, [40_000, 443]],
  ['UDP', { ...ipv4, protocol: 17, sourcePort: 65_535, destinationPort: 53 }, [65_535, 53]],
  ['SCTP over IPv6', { ...ipv6, protocol: 132, sourcePort: 1, destinationPort: 2 }, [1, 2]],
  ['GRE', { ...ipv4, protocol: 47, sourcePort: 0, destinationPort: 9 }, [0, 9]],
  ['ICMP', { ...ipv4, protocol: 1, ...icmp }, [7, 0x0801]],
  ['ICMP over IPv6', { ...ipv6, protocol: 58, ...icmp, icmpType: 128 }, [7, 0x8001]],
  ['a protocol without ports', { ...ipv4, protocol: 50, ...withoutPorts }, [0, 0]],
];

for (const [what, tuple, [sourcePort, destinationPort]] of admitted) {
  test(`${what} is stored as the message has it`, () => {
    const { store, admit } = open();
    const slot = admit(flowEntry(0x100, tuple, { id: 0xfedcba98 }));
    const { source, destination, protocol } = tuple;
    assert.equal(stored(store, slot), {
      ...{ source, destination, protocol, sourcePort, destinationPort },
      ...{ zone: 0, isTupleZone: false },
      ...{ id: 0xfedcba98, mark: 0x100, interface: 0, firstSeen: NOW },
    });
  });
}

test('one flow leaves nothing of itself to the next', () => {
  const { store, admit } = open();
  admit(flowEntry(0x100, { ...ipv6, protocol: 58, ...icmp, zone: 9 }), FLOW_FLAG.NEW);
  const slot = admit(flowEntry(0x3f00, { ...ipv4, protocol: 50, ...withoutPorts }));
  const { firstSeen, id, ...rest } = stored(store, slot);
  assert.equal(rest, {
    ...{ ...ipv4, protocol: 50, sourcePort: 0, destinationPort: 0 },
    ...{ zone: 0, isTupleZone: false, mark: 0x3f00, interface: 1 },
  });
  assert.is(store.flags(slot), 0);
});

test('a zone is that of both directions, or of the original tuple alone', () => {
  const { store, admit } = open();
  const zones = [admit(flowEntry(0x100, {}, { zone: 7 })), admit(flowEntry(0x100, { zone: 9 }))].map(
    (slot) => {
      const { zone, isTupleZone } = stored(store, slot);
      return [zone, isTupleZone];
    },
  );
  assert.equal(zones, [
    [7, false],
    [9, true],
  ]);
});

test('the flags that are asked for are stored with it', () => {
  const { store, admit } = open();
  const slot = admit(flowEntry(0x100, { zone: 9 }), FLOW_FLAG.NEW | FLOW_FLAG.RECHECK);
  assert.is(store.flags(slot), FLOW_FLAG.NEW | FLOW_FLAG.RECHECK | FLOW_FLAG.TUPLE_ZONE);
});

for (const [mark, found] of [
  [0x100, 0],
  [0x3f00, 1],
  [0x80000100, 0],
  [0xffffffff, 1],
  [0, 'unmarked'],
  [0xffffc0ff, 'unmarked'],
  [0x200, 'foreign-mark'],
  [0x80000200, 'foreign-mark'],
] as const) {
  test(`mark 0x${mark.toString(16)} is ${found}`, () => {
    assert.is(marks.interfaceOf(mark), found);
    const { store, intake, admit } = open();
    const slot = admit(flowEntry(mark));
    if (typeof found === 'number') {
      assert.equal([store.interface(slot), store.mark(slot)], [found, mark]);
    } else {
      assert.equal([slot, intake.reason, store.size], [ADMISSION.IGNORED, found, 0]);
    }
  });
}

test('a flow whose ends are none of ours is turned away, with the reason', () => {
  const around = {
    connected: new NetworkSet([network('192.168.50.0/24')]),
    exemptSources: new NetworkSet([network('192.168.9.0/24')]),
  };
  const { store, intake, admit } = open(around);
  const cases = [
    [{ destination: '224.0.0.1' }, 'multicast'],
    [{ destination: '192.168.50.9' }, 'connected'],
    [{ source: '192.168.9.1' }, 'exempt-source'],
  ] as const;
  for (const [tuple, reason] of cases)
    assert.equal([admit(flowEntry(0x100, tuple)), intake.reason], [ADMISSION.IGNORED, reason]);
  assert.is(store.size, 0);
});

test('a full store takes none, and takes again when there is room', () => {
  const { store, admit } = open({}, 1);
  const slot = admit(flowEntry(0x100));
  assert.is(admit(flowEntry(0x100)), ADMISSION.FULL);
  assert.is(admit(flowEntry(0)), ADMISSION.IGNORED, 'what is turned away needs no room');
  store.free(slot);
  assert.is.not(admit(flowEntry(0x100)), ADMISSION.FULL);
});

test('a malformed message throws and takes no slot', () => {
  const { store, intake } = open();
  const bytes = encodeEntry(flowEntry(0x100), NOW);
  const view = new FlowView();
  let thrown = 0;
  for (let at = 20; at < bytes.length; at++) {
    const broken = bytes.slice();
    broken[at] = 0xff;
    const before = store.size;
    try {
      const slot = intake.admit(view.attach(broken, 0, broken.length), NOW, 0);
      if (slot >= 0) store.free(slot);
    } catch (error) {
      assert.instance(error, DecodeError);
      thrown++;
    }
    assert.is(store.size, before);
  }
  assert.ok(thrown > 10, `${thrown} of ${bytes.length} threw`);
});

test('the age is read where it is to be judged by: 0 in a NEW event, by the time of the start, or unknown', () => {
  const start = (ms: number) => ({ startedAt: BigInt(ms) * 1_000_000n });
  const { store, admit } = open({}, 10, () => 100_000);
  assert.is(store.age(admit(flowEntry(0x100), FLOW_FLAG.NEW)), 0);
  assert.is(store.age(admit(flowEntry(0x100, {}, start(58_999)))), 41);
  assert.is(store.age(admit(flowEntry(0x100))), Number.POSITIVE_INFINITY);
  const careless = open();
  assert.is(
    careless.store.age(careless.admit(flowEntry(0x100, {}, start(58_999)))),
    Number.POSITIVE_INFINITY,
  );
});

test.run();
