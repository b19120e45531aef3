/** No entry is deleted but one that was judged, re-read and matched; and how each reset ends. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { IPCTNL_MSG_CT } from '../../src/ctnetlink/index.ts';
import { MarkTable } from '../../src/daemon/intake.ts';
import { Resetter } from '../../src/daemon/resetter.ts';
import { makeStanding } from '../../src/daemon/standing.ts';
import type { ConntrackEntry } from '../../src/model/index.ts';
import { commandOf, type Requester } from '../../src/nfnetlink/index.ts';
import { ack, overrun, type Reply } from '../../src/testing/index.ts';
import { EngineBench, EPOCH_MS, flowEntry, twoWans, WAN, WANB } from '../support/engineBench.ts';
import type { Act } from '../support/fakeKernel.ts';

const DYING = 0x200;
const isGet = (type: number) => commandOf(type) === IPCTNL_MSG_CT.GET;
const unlimited = {
  ...twoWans().limits,
  resetsPerSecond: Number.POSITIVE_INFINITY,
  resetsPerClientPerSecond: Number.POSITIVE_INFINITY,
};

/** Every DELETE names an entry that the last GET of its key had returned as it must be. */
function checkDeletes(acts: readonly Act[]): void {
  const read = new Map<string, ConntrackEntry | undefined>();
  for (const act of acts) {
    if (act.do === 'get') read.set(act.key, act.returned);
    if (act.do !== 'delete') continue;
    const entry = read.get(act.key);
    assert.ok(entry, `${act.key} was deleted and not read`);
    assert.is(act.id, entry.id);
    assert.is(entry.mark & 0x3f00, WANB);
    assert.is((entry.status ?? 0) & DYING, 0);
    read.delete(act.key);
  }
}

/** How a flow is meddled with between two of its steps. */
const meddling = fc.constantFrom(
  'none',
  'gone',
  'other id',
  'right mark',
  'no mark',
  'dying',
  'foreign bits',
);

function meddle(bench: EngineBench, entry: ConntrackEntry, how: string): void {
  if (how === 'gone') bench.kernel.remove(entry);
  else if (how === 'other id') entry.id += 100_000;
  else if (how === 'right mark') entry.mark = WAN;
  else if (how === 'no mark') entry.mark = 0;
  else if (how === 'dying') entry.status = DYING;
  else if (how === 'foreign bits') entry.mark |= 0xff;
}

const protocols = [
  { protocol: 6, sourcePort: 4000, destinationPort: 443 },
  { protocol: 17, sourcePort: 4000, destinationPort: 443 },
  { protocol: 132, sourcePort: 4000, destinationPort: 443 },
  { protocol: 33, sourcePort: 4000, destinationPort: 443 },
  { protocol: 47, sourcePort: 0, destinationPort: 7 },
  { protocol: 1, sourcePort: undefined, destinationPort: undefined, icmpId: 7, icmpType: 8, icmpCode: 0 },
  { protocol: 50, sourcePort: undefined, destinationPort: undefined },
  { protocol: 255, sourcePort: undefined, destinationPort: undefined },
] as const;

const flows = fc.array(
  fc.record({
    inSet: fc.boolean(),
    mark: fc.constantFrom(WAN, WANB, 0x3f00, 0, WANB | 0x1),
    protocol: fc.nat(protocols.length - 1),
    zone: fc.constantFrom(undefined, 7),
    oneWayZone: fc.constantFrom(undefined, 9),
    isSwept: fc.boolean(),
    refusal: fc.constantFrom(0, 0, 0, 16, 1),
    beforeGet: meddling,
    beforeDelete: meddling,
  }),
  { minLength: 1, maxLength: 40 },
);
const faults = fc.array(
  fc.constantFrom('none', 'none', 'none', 'none', 'none', 'none', 'overrun', 'silence', 'protocol'),
  { maxLength: 60 },
);

test('whatever happens between the steps, only what was re-read and matched is deleted, and no slot is lost', async () => {
  await fc.assert(
    fc.asyncProperty(flows, faults, async (wanted, trouble) => {
      const bench = await EngineBench.open(twoWans({ limits: unlimited }));
      const troubles = [...trouble];
      const entries = wanted.map(({ inSet, mark, protocol, zone, oneWayZone, refusal }, i) =>
        flowEntry(
          mark,
          {
            ...protocols[protocol],
            source: `10.0.0.${i + 1}`,
            destination: inSet ? '203.0.113.10' : '203.0.113.11',
            ...(zone === undefined && oneWayZone !== undefined && { zone: oneWayZone }),
          },
          { refusal, ...(zone !== undefined && { zone }) },
        ),
      );
      let hasRead = false;
      bench.kernel.fault = ({ type }) => {
        if (type >>> 8 === 1) {
          const step = isGet(type) ? 'beforeGet' : 'beforeDelete';
          if (step === 'beforeGet' ? !hasRead : hasRead) {
            hasRead = step === 'beforeGet';
            wanted.forEach((flow, i) => {
              meddle(bench, entries[i]!, flow[step]);
            });
          }
        }
        const fault = troubles.shift();
        if (fault === 'overrun') return [overrun()];
        if (fault === 'silence') return [] as Reply[];
        return fault === 'protocol' ? [ack(type >>> 8 === 1 ? 1 : 4097)] : undefined;
      };
      for (const [i, { isSwept }] of wanted.entries()) {
        bench.kernel.add(entries[i]!);
        if (isSwept) bench.sweep(entries[i]!);
        else bench.hear(entries[i]!);
      }
      // silence ends by the connection's own limit
      await bench.pass(40_000, 1000);
      bench.kernel.fault = () => undefined;
      await bench.pass(10_000, 1000);
      checkDeletes(bench.kernel.acts);
      const { stored, pending, deferred } = bench.engine.depths;
      assert.equal({ stored, pending, deferred }, { stored: 0, pending: 0, deferred: 0 });
      assert.is(bench.clock.refTimers, 0);
    }),
    { numRuns: 60 },
  );
});

test('flows of every protocol and kind of zone are found again and deleted', async () => {
  const bench = await EngineBench.open(twoWans());
  const zones: Partial<ConntrackEntry>[] = [{}, { zone: 7 }, { zone: 65_535 }];
  for (const [z, zone] of zones.entries()) {
    for (const [i, protocol] of protocols.entries()) {
      const source = `10.${z}.0.${i}`;
      const entry = bench.begin(flowEntry(WANB, { ...protocol, source }, zone));
      const oneWay = z > 0 ? undefined : bench.begin(flowEntry(WANB, { ...protocol, source, zone: 9 }));
      await bench.settle();
      assert.not(bench.kernel.has(entry), JSON.stringify(entry));
      assert.ok(!oneWay || !bench.kernel.has(oneWay), JSON.stringify(oneWay));
    }
  }
});

test('an IPv6 ICMP flow is asked, read and deleted by its type, code and id', async () => {
  const bench = await EngineBench.open(twoWans(), (kernel) => {
    kernel.addSet('set', ['2001:db8::1'], 'hash:ip', 10);
  });
  const icmp = {
    protocol: 58,
    icmpId: 7,
    icmpType: 128,
    icmpCode: 0,
    sourcePort: undefined,
    destinationPort: undefined,
  };
  const entry = bench.begin(
    flowEntry(WANB, { source: '2001:db8:5::2', destination: '2001:db8::1', ...icmp }),
  );
  await bench.settle();
  assert.not(bench.kernel.has(entry));
  const { flow } = bench.events('reset')[0]!;
  assert.equal([flow.icmpId, flow.icmpType, flow.icmpCode, flow.sourcePort], [7, 128, 0, undefined]);
});

test('an offloaded flow is told so, with one warning', async () => {
  const bench = await EngineBench.open(twoWans());
  bench.begin(flowEntry(WANB, {}, { refusal: 16 }));
  bench.begin(flowEntry(WANB, { sourcePort: 2 }, { refusal: 16 }));
  await bench.settle();
  assert.equal(
    bench.events('reset').map(({ outcome }) => outcome),
    ['offloaded', 'offloaded'],
  );
  assert.is(bench.events('warning').length, 1);
});

for (const [what, change, outcome] of [
  ['gone', (bench: EngineBench, entry: ConntrackEntry) => bench.kernel.remove(entry), 'gone'],
  ['dying', (bench: EngineBench, entry: ConntrackEntry) => meddle(bench, entry, 'dying'), 'gone'],
  [
    'another entry',
    (bench: EngineBench, entry: ConntrackEntry) => meddle(bench, entry, 'other id'),
    'changed',
  ],
  [
    'moved by others',
    (bench: EngineBench, entry: ConntrackEntry) => meddle(bench, entry, 'right mark'),
    'changed',
  ],
  ['unmarked', (bench: EngineBench, entry: ConntrackEntry) => meddle(bench, entry, 'no mark'), 'changed'],
  ['right where it is by now', (bench: EngineBench) => bench.engine.setOnline([false, true]), 'changed'],
  [
    'a later one of the same id',
    (_: EngineBench, entry: ConntrackEntry) => {
      entry.startedAt = BigInt(EPOCH_MS + 60_000) * 1_000_000n;
    },
    'changed',
  ],
  [
    'the same since before it was judged',
    (_: EngineBench, entry: ConntrackEntry) => {
      entry.startedAt = BigInt(EPOCH_MS) * 1_000_000n;
    },
    'deleted',
  ],
] as const) {
  test(`read again, an entry that is ${what}: ${outcome}`, async () => {
    const bench = await EngineBench.open(twoWans());
    const entry = flowEntry(WANB);
    bench.kernel.fault = ({ type }) => {
      if (isGet(type) && type >>> 8 === 1) change(bench, entry);
      return undefined;
    };
    bench.begin(entry);
    await bench.settle();
    assert.equal(
      bench.events('reset').map((reset) => reset.outcome),
      [outcome],
    );
    assert.is(bench.kernel.did('delete').length, outcome === 'deleted' ? 1 : 0);
    assert.is(bench.engine.store.size, 0);
  });
}

test('a conversation that breaks refuses its round, loses no slot, and leaves the flows to a sweep', async () => {
  for (const failing of [isGet, (type: number) => !isGet(type)]) {
    const bench = await EngineBench.open(twoWans());
    bench.kernel.fault = ({ type }) => (type >>> 8 === 1 && failing(type) ? [overrun()] : undefined);
    bench.begin(flowEntry(WANB));
    bench.begin(flowEntry(WANB, { sourcePort: 2 }));
    await bench.settle();
    assert.equal(
      bench.events('reset').map(({ outcome }) => outcome),
      ['refused', 'refused'],
    );
    assert.is(bench.engine.store.size, 0);
    bench.engine.upkeep();
    assert.is(bench.sweepsAsked, 1);
  }
});

test('a dry run reads and deletes nothing', async () => {
  const bench = await EngineBench.open(twoWans({ dryRun: true }));
  const entry = bench.begin(flowEntry(WANB));
  await bench.settle();
  assert.ok(bench.kernel.has(entry));
  assert.is(bench.events('reset')[0]?.outcome, 'dry-run');
  assert.is(bench.kernel.did('delete').length, 0);
});

test('a flow that comes while the last round ends is not left waiting', async () => {
  for (let microtasks = 0; microtasks < 20; microtasks++) {
    const { store } = (await EngineBench.open(twoWans())).engine;
    const ended: number[] = [];
    const fields = {
      ...{ family: 2, protocol: 6, flags: 0, sourcePort: 1, destinationPort: 2, mark: WANB, id: 1 },
      ...{ zone: 0, interface: 1, firstSeen: 0, age: 0 },
    };
    const requester: Pick<Requester, 'pipeline'> = {
      pipeline: async (messages, { onAck }) => onAck(0, 2, messages, 0, messages.length),
    };
    const resetter = new Resetter({
      ...{ store, requester: requester as Requester, marks: new MarkTable(twoWans()) },
      standing: () => makeStanding(twoWans(), [true, true]),
      ...{ now: () => 0, wallNow: () => EPOCH_MS, dryRun: false, mayGo: () => true },
      ...{ onOutcome: (slot) => void ended.push(slot), onHeld: () => assert.unreachable() },
      onFailure: () => assert.unreachable(),
    });
    const slots = [store.take(), store.take()];
    const submit = (slot: number) => {
      store.write(slot, fields, new Uint8Array(32), 0, 16);
      resetter.submit(slot, 0);
      return resetter.flush();
    };
    void submit(slots[0]!);
    for (let i = 0; i < microtasks; i++) await undefined;
    await submit(slots[1]!);
    assert.equal(ended, slots, `after ${microtasks} microtasks`);
  }
});

test.run();
