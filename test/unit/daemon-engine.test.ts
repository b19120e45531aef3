/** One plan at work over a kernel of maps: which flows are reset, when, and what is said of it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { IPS } from '../../src/ctnetlink/index.ts';
import { FLOW_FLAG } from '../../src/daemon/flowStore.ts';
import { EngineBench, EPOCH_MS, flowEntry, twoWans, WAN, WANB } from '../support/engineBench.ts';
import { rule } from '../support/plans.ts';

const limits = { ...twoWans().limits };

test('a misplaced flow is read again and deleted; a placed one and one in no set are left', async () => {
  const bench = await EngineBench.open(twoWans());
  const misplaced = bench.begin(flowEntry(WANB));
  const placed = bench.begin(flowEntry(WAN, { sourcePort: 2 }));
  const unknown = bench.begin(flowEntry(WANB, { destination: '203.0.113.99' }));
  await bench.settle();
  assert.equal(
    [misplaced, placed, unknown].map((entry) => bench.kernel.has(entry)),
    [false, true, true],
  );
  assert.equal(
    bench.events('reset').map(({ outcome, rule, from, expected }) => ({ outcome, rule, from, expected })),
    [{ outcome: 'deleted', rule: 'rule', from: 'wanb', expected: ['wan'] }],
  );
  assert.is(bench.engine.store.size, 1);
  assert.is(bench.engine.depths.pending, 1);
});

test('a flow that is recognised late is found at the next recheck, and asked at exactly its stages', async () => {
  const bench = await EngineBench.open(twoWans({ recheckMs: [500, 1000, 2000] }));
  const asked = () => bench.kernel.did('test').length;
  const entry = bench.begin(flowEntry(WANB, { destination: '203.0.113.11' }));
  const forgotten = bench.begin(flowEntry(WANB, { destination: '203.0.113.12' }));
  await bench.settle();
  const times: number[] = [];
  for (let count = asked(); bench.clock.now() < 1400; ) {
    await bench.pass(100);
    if (asked() !== count) times.push(bench.clock.now());
    count = asked();
  }
  assert.equal(times, [500, 1000]);
  bench.kernel.fill('set', '203.0.113.11');
  await bench.pass(500);
  assert.ok(bench.kernel.has(entry));
  await bench.pass(100);
  assert.not(bench.kernel.has(entry));
  const [reset] = bench.events('reset');
  assert.is(reset?.sinceNewMs, 2000);
  assert.is(bench.engine.store.size, 0);
  const total = asked();
  await bench.pass(60_000, 1000);
  assert.is(asked(), total);
  assert.ok(bench.kernel.has(forgotten));
  assert.is(bench.clock.timers, 0);
});

test('equal questions are asked once, and sets whose answer could not matter never', async () => {
  const bench = await EngineBench.open(twoWans());
  for (let port = 1; port <= 50; port++)
    bench.begin(flowEntry(WANB, { destination: '203.0.113.99', sourcePort: port }));
  for (let port = 1; port <= 50; port++) bench.begin(flowEntry(WAN, { sourcePort: port }));
  await bench.settle();
  assert.equal(bench.kernel.did('test'), [{ do: 'test', set: 'set', element: '203.0.113.99' }]);
  assert.is(bench.totals.verdicts.placed, 50);
  assert.is(bench.totals.verdicts.unclassified, 50);
});

test('the oldest that wait go first when there is no more room, counted', async () => {
  const bench = await EngineBench.open(twoWans({ limits: { ...limits, pendingFlows: 3 } }));
  for (let i = 0; i < 5; i++) {
    bench.begin(flowEntry(WANB, { destination: `203.0.113.${20 + i}` }));
    await bench.pass(10, 10);
  }
  assert.is(bench.engine.depths.pending, 3);
  assert.is(bench.totals.evicted, 2);
  bench.kernel.acts.length = 0;
  await bench.pass(500, 10);
  assert.equal(
    bench.kernel.did('test').map(({ element }) => element),
    ['203.0.113.22', '203.0.113.23', '203.0.113.24'],
  );
});

test('a store full of work sheds, counts, and asks for one sweep when there is room again', async () => {
  const bench = await EngineBench.open(twoWans({ limits: { ...limits, pendingFlows: 1 } }));
  const entry = flowEntry(WANB, { destination: '203.0.113.99' });
  const { limit } = bench.engine.store;
  for (let i = 0; i < limit + 10; i++) bench.hear(entry);
  assert.is(bench.totals.shed, 10);
  bench.engine.upkeep();
  assert.is(bench.sweepsAsked, 0);
  await bench.settle();
  bench.engine.upkeep();
  bench.engine.upkeep();
  assert.is(bench.sweepsAsked, 1);
  assert.is(bench.engine.store.size, bench.engine.depths.pending);
});

test('budgets hold, and every flow that they held back is reset in the end', async () => {
  const bench = await EngineBench.open(
    twoWans({ limits: { ...limits, resetsPerSecond: 10, resetsPerClientPerSecond: 5 } }),
  );
  const clients = ['192.168.50.2', '192.168.50.3', '192.168.50.4'];
  const entries = Array.from({ length: 90 }, (_, i) =>
    bench.begin(
      flowEntry(WANB, { source: clients[i % 3]!, sourcePort: 1000 + i, destinationPort: 1000 + i }),
    ),
  );
  await bench.settle();
  assert.is(bench.totals.resets.deleted, 10);
  let before = 10;
  for (let second = 0; second < 12; second++) {
    await bench.pass(1000);
    assert.ok(
      bench.totals.resets.deleted - before <= 11,
      `${bench.totals.resets.deleted - before} in a second`,
    );
    before = bench.totals.resets.deleted;
  }
  assert.equal(
    entries.filter((entry) => bench.kernel.has(entry)),
    [],
  );
  assert.is(bench.totals.suppressed.budget + bench.totals.suppressed['client-budget'], 80);
  assert.is(bench.engine.store.size, 0);
  assert.is(bench.clock.timers, 0);
});

test('a successor on the right uplink is told as moved, one on a wrong one as returned, and rests', async () => {
  const bench = await EngineBench.open(twoWans());
  bench.begin(flowEntry(WANB));
  await bench.pass(100);
  bench.begin(flowEntry(WAN, { sourcePort: 41_000 }));
  assert.equal(
    bench.events('moved').map(({ from, to, afterMs }) => ({ from, to, afterMs })),
    [{ from: 'wanb', to: 'wan', afterMs: 100 }],
  );
  bench.begin(flowEntry(WANB, { destinationPort: 80 }));
  await bench.pass(100);
  const back = bench.begin(flowEntry(WANB, { destinationPort: 80, sourcePort: 41_000 }));
  await bench.pass(100);
  assert.is(bench.events('returned').length, 1);
  assert.is(bench.totals.suppressed.cooldown, 1);
  assert.ok(bench.kernel.has(back));
  assert.is(bench.events('warning').length, 1);
  // the rest is over: it is reset again, returns again, and rests twice as long
  await bench.pass(60_000, 1000);
  bench.sweep(back);
  await bench.pass(100);
  assert.not(bench.kernel.has(back));
  bench.begin(flowEntry(WANB, { destinationPort: 80, sourcePort: 41_001 }));
  await bench.settle();
  assert.is(bench.events('suppressed').at(-1)?.forMs, 120_000);
});

test('a flow that began before the reset of another to the same place is no return', async () => {
  const bench = await EngineBench.open(twoWans());
  bench.begin(flowEntry(WANB, { sourcePort: 1 }));
  await bench.settle();
  assert.is(bench.totals.resets.deleted, 1);
  // its event lay in the socket behind the reset
  const second = bench.begin(flowEntry(WANB, { sourcePort: 2 }));
  await bench.settle();
  assert.is(bench.totals.returned, 0);
  assert.not(bench.kernel.has(second));
  // the same flow made again is one at once, since its own event had been read before
  bench.begin(flowEntry(WANB, { sourcePort: 2 }));
  assert.is(bench.totals.returned, 1);
});

test('the breaker stops resets that were granted before it opened', async () => {
  const unlimited = {
    resetsPerSecond: Number.POSITIVE_INFINITY,
    resetsPerClientPerSecond: Number.POSITIVE_INFINITY,
  };
  const bench = await EngineBench.open(twoWans({ limits: { ...limits, ...unlimited } }));
  for (let port = 1; port <= 50; port++) {
    const tuple = { destinationPort: port };
    bench.begin(flowEntry(WANB, tuple));
    await bench.settle();
    bench.hear(flowEntry(port <= 24 ? WAN : WANB, tuple));
    await bench.settle();
  }
  assert.ok(bench.engine.guard.isOpen);
  assert.equal(
    bench.events('warning').map(({ what }) => what),
    ['rule rule', 'circuit breaker'],
  );
  const left = bench.begin(flowEntry(WANB, { destinationPort: 1000 }));
  await bench.settle();
  assert.ok(bench.kernel.has(left));
  // the one that opened it, and this one
  assert.is(bench.totals.suppressed.breaker, 2);
  bench.engine.guard.resume();
  bench.sweep(left);
  await bench.settle();
  assert.not(bench.kernel.has(left));
});

test('the breaker says that it opens each time, also where the last of the fifty came out right', async () => {
  const unlimited = {
    resetsPerSecond: Number.POSITIVE_INFINITY,
    resetsPerClientPerSecond: Number.POSITIVE_INFINITY,
  };
  const bench = await EngineBench.open(twoWans({ limits: { ...limits, ...unlimited } }));
  const openings: number[] = [];
  for (let port = 1; port <= 100; port++) {
    const tuple = { destinationPort: port };
    bench.begin(flowEntry(WANB, tuple));
    await bench.settle();
    bench.hear(flowEntry((port - 1) % 50 < 26 ? WANB : WAN, tuple));
    await bench.settle();
    if (!bench.engine.guard.isOpen) continue;
    openings.push(port);
    bench.engine.guard.resume();
  }
  assert.equal(openings, [50, 100]);
  assert.equal(
    bench.events('warning').flatMap(({ what, why }) => (what === 'circuit breaker' ? [why] : [])),
    Array(2).fill('26 of the last 50 resets came back to a wrong interface: no more resets'),
  );
});

test('a pause holds what was granted and waits; what is left is found by a sweep after it', async () => {
  const unlimited = {
    resetsPerSecond: Number.POSITIVE_INFINITY,
    resetsPerClientPerSecond: Number.POSITIVE_INFINITY,
  };
  const bench = await EngineBench.open(twoWans({ limits: { ...limits, ...unlimited } }));
  const entries = Array.from({ length: 600 }, (_, i) =>
    bench.kernel.add(flowEntry(WANB, { sourcePort: i + 1 })),
  );
  bench.kernel.fault = ({ type }) => {
    if (type === 0x102) bench.engine.guard.pause();
    return undefined;
  };
  for (const entry of entries) bench.hear(entry);
  await bench.settle();
  const { deleted } = bench.totals.resets;
  assert.ok(deleted > 0 && deleted < 600, String(deleted));
  assert.is(bench.totals.suppressed.paused, 600 - deleted);
  assert.is(bench.engine.store.size, 0);
  bench.kernel.fault = () => undefined;
  bench.engine.guard.resume();
  for (const entry of bench.kernel.conntrack.entries()) bench.sweep(entry);
  await bench.settle();
  assert.is(bench.kernel.conntrack.size, 0);
});

test('another plan keeps the rests and the resets under way, and lets go of every flow of the old one', async () => {
  const bench = await EngineBench.open(twoWans());
  bench.begin(flowEntry(WANB, { destinationPort: 1 }));
  await bench.settle();
  bench.begin(flowEntry(WANB, { destinationPort: 1 }));
  bench.begin(flowEntry(WANB, { destinationPort: 2 }));
  bench.begin(flowEntry(WANB, { destination: '203.0.113.99' }));
  await bench.settle();
  const old = bench.engine;
  await bench.replace(twoWans({ limits: { ...limits, cooldownMs: 5000 } }));
  assert.is(old.store.size, 0);
  assert.is(bench.clock.refTimers, 0);
  const rested = bench.begin(flowEntry(WANB, { destinationPort: 1, sourcePort: 5 }));
  bench.begin(flowEntry(WANB, { destinationPort: 2 }));
  await bench.settle();
  assert.ok(bench.kernel.has(rested));
  assert.is(bench.totals.returned, 2);
  const last = bench.events('suppressed').at(-1);
  assert.is(last?.forMs, 5000);
});

test('stopped with everything in flight, it lets go of all flows, asks nothing more and leaves no timer', async () => {
  const bench = await EngineBench.open(twoWans({ limits: { ...limits, resetsPerClientPerSecond: 5 } }));
  for (let port = 1; port <= 2000; port++) {
    bench.begin(flowEntry(WANB, { sourcePort: port, destination: `203.0.113.${port % 200}` }));
  }
  bench.sweep(flowEntry(WANB));
  const swept = bench.engine.sweepVerdicts();
  await bench.finish(bench.engine.stop());
  await bench.finish(swept);
  const { length } = bench.kernel.acts;
  await bench.pass(60_000, 1000);
  assert.is(bench.kernel.acts.length, length);
  assert.is(bench.engine.store.size, 0);
  assert.is(bench.clock.timers, 0);
  bench.hear(flowEntry(WANB));
  assert.not(bench.sweep(flowEntry(WANB)));
  assert.is(bench.engine.store.size, 0);
});

test('a sweep counts what it found misplaced, and asks again only where it is told to', async () => {
  const bench = await EngineBench.open(twoWans());
  bench.sweep(flowEntry(WANB, { destination: '203.0.113.99' }), FLOW_FLAG.RECHECK);
  bench.sweep(flowEntry(WANB, { destination: '203.0.113.98' }));
  bench.sweep(flowEntry(WANB));
  assert.is(await bench.finish(bench.engine.sweepVerdicts()), 1);
  assert.is(bench.engine.depths.pending, 1);
  assert.is(bench.events('reset')[0]?.outcome, 'gone');
  assert.is(await bench.finish(bench.engine.sweepVerdicts()), 0);
});

test('it has caught up when the reading of events was not behind for a while', async () => {
  const bench = await EngineBench.open(twoWans());
  const entry = flowEntry(WAN);
  let caughtUp = 0;
  bench.engine.onceCaughtUp(() => {
    caughtUp = bench.clock.now();
  });
  for (let i = 0; i < 20; i++) {
    for (let event = 0; event < 32; event++) bench.hear(entry);
    await bench.pass(10, 10);
  }
  assert.is(caughtUp, 0);
  await bench.pass(100, 10);
  assert.is(caughtUp, 230);
  // another overrun while one is waited for has a wait of its own
  const order: string[] = [];
  bench.engine.onceCaughtUp(() => order.push(`first ${bench.clock.now() - 300}`));
  await bench.pass(15, 5);
  bench.engine.onceCaughtUp(() => order.push(`second ${bench.clock.now() - 300}`));
  await bench.pass(100, 10);
  assert.equal(order, ['first 30', 'second 40']);
  assert.is(bench.clock.refTimers, 0);
});

test('messages that are none are counted and cost no slot', async () => {
  const bench = await EngineBench.open(twoWans());
  bench.engine.takeEvent(new Uint8Array(20), 0, 20);
  bench.engine.takeEvent(new Uint8Array(7), 0, 7);
  assert.not(bench.engine.takeEntry(new Uint8Array(40), 0, 40, 0));
  assert.is(bench.totals.malformed, 3);
  assert.is(bench.totals.events, 2);
  assert.is(bench.engine.store.size, 0);
});

test('after an outage old established flows stay on the worse uplink; by the entry as it is when read again', async () => {
  const members = [
    { interface: 0, metric: 1 },
    { interface: 1, metric: 2 },
  ];
  const failback = { preserveFromMs: 300_000 };
  const bench = await EngineBench.open(twoWans({ rules: [rule([], { members, failback })] }));
  await bench.pass(900_000, 300_000);
  const outages = [{ from: 100_000, to: 900_000 }, undefined];
  assert.equal(bench.engine.setOnline([false, true]), [WAN]);
  assert.equal(bench.engine.setOnline([true, true], { outages }), [WANB]);
  let port = 50_000;
  const entry = (ageMs: number | undefined, status: number) => {
    const start = ageMs === undefined ? undefined : BigInt(EPOCH_MS + bench.clock.now() - ageMs) * 1_000_000n;
    return bench.kernel.add(
      flowEntry(WANB, { sourcePort: port++ }, { status, ...(start && { startedAt: start }) }),
    );
  };
  const { ASSURED, SEEN_REPLY } = IPS;
  const stay = [entry(400_000, ASSURED), entry(undefined, ASSURED)];
  const go = [entry(200_000, ASSURED), entry(400_000, SEEN_REPLY), entry(undefined, SEEN_REPLY)];
  const assuredLater = entry(400_000, SEEN_REPLY);
  for (const each of [...stay, ...go, assuredLater]) bench.sweep(each);
  assuredLater.status = ASSURED;
  await bench.settle();
  assert.equal(
    [...stay, ...go, assuredLater].map((each) => bench.kernel.has(each)),
    [true, true, false, false, false, true],
  );
  assert.is(bench.totals.resets.changed, 1);
});

test('a sweep that found more than can be reset at once waits for the resets too', async () => {
  const unlimited = Number.POSITIVE_INFINITY;
  const bench = await EngineBench.open(
    twoWans({ limits: { ...limits, resetsPerSecond: unlimited, resetsPerClientPerSecond: unlimited } }),
  );
  for (let port = 1; port <= 1500; port++) {
    const entry = bench.kernel.add(flowEntry(WANB, { sourcePort: port }));
    bench.sweep(entry);
  }
  assert.is(bench.engine.backlog, 1500);
  let deleted: number | undefined;
  void bench.engine.drained().then(() => {
    deleted = bench.kernel.did('delete').length;
  });
  await bench.settle();
  // the first batch of verdicts was given when none waited for a batch any more
  assert.ok(deleted! >= 512, `${deleted} were deleted`);
  assert.equal([bench.kernel.did('delete').length, bench.engine.backlog], [1500, 0]);
});

test.run();
