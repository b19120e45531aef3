/** Sticky rules: the client is let go before its flow is reset, or the flow would come back again and again. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Plan } from '../../src/daemon/plan.ts';
import { IPSET_CMD } from '../../src/ipset/index.ts';
import { commandOf } from '../../src/nfnetlink/index.ts';
import { ack } from '../../src/testing/index.ts';
import { EngineBench, flowEntry, twoWans, WAN, WANB } from '../support/engineBench.ts';
import type { FakeKernel } from '../support/fakeKernel.ts';
import { rule } from '../support/plans.ts';

const sticky = {
  ipv4: ['mwan3_rule_ipv4_app', 'mwan3_sticky_v4_app'],
  ipv6: ['mwan3_rule_ipv6_app', 'mwan3_sticky_v6_app'],
};
const CLIENT = '192.168.50.2';

function stickyPlan(more: Partial<Plan> = {}): Plan {
  return twoWans({ rules: [rule([0], { name: 'app', sticky })], ...more });
}

/** The rule's set, and these sticky sets, which hold the client to both uplinks. */
const withSets =
  (...names: readonly string[]) =>
  (kernel: FakeKernel) => {
    kernel.addSet('set', ['203.0.113.10']);
    for (const name of names) kernel.addSet(name, [`${CLIENT},0x100`, `${CLIENT},0x200`], 'hash:ip,mark');
  };

for (const name of sticky.ipv4) {
  test(`the client's entry in ${name} goes before its flow`, async () => {
    const bench = await EngineBench.open(stickyPlan(), withSets(name));
    const entry = bench.begin(flowEntry(WANB));
    await bench.settle();
    assert.not(bench.kernel.has(entry));
    const steps = bench.kernel.acts.filter((act) => act.do !== 'test').map((act) => act.do);
    assert.equal(steps, ['get', 'unpin', 'delete']);
    assert.equal(bench.kernel.did('unpin'), [{ do: 'unpin', set: name, element: `${CLIENT},0x200` }]);
    assert.equal(
      [...bench.kernel.sets.get(name)!.listed()].map(({ ip, mark }) => [ip, mark]),
      [[CLIENT, WAN]],
    );
  });
}

test('IPv6 flows are held by sets of their own', async () => {
  const bench = await EngineBench.open(stickyPlan(), (kernel) => {
    kernel.addSet('set', ['2001:db8::10'], 'hash:ip', 10);
    kernel.addSet('mwan3_rule_ipv4_app', [], 'hash:ip,mark');
    kernel.addSet('mwan3_rule_ipv6_app', ['2001:db8:1::2,0x200'], 'hash:ip,mark', 10);
  });
  bench.begin(flowEntry(WANB, { source: '2001:db8:1::2', destination: '2001:db8::10' }));
  await bench.settle();
  assert.equal(bench.kernel.did('unpin'), [
    { do: 'unpin', set: 'mwan3_rule_ipv6_app', element: '2001:db8:1::2,0x200' },
  ]);
  assert.is(bench.totals.resets.deleted, 1);
});

test('a client that is not held, and sets that are not there, hinder nothing', async () => {
  const bench = await EngineBench.open(stickyPlan(), (kernel) => {
    withSets()(kernel);
    kernel.addSet('mwan3_sticky_v4_app', [], 'hash:ip,mark');
  });
  bench.begin(flowEntry(WANB));
  await bench.settle();
  assert.is(bench.totals.resets.deleted, 1);
  const without = await EngineBench.open(stickyPlan(), withSets());
  without.begin(flowEntry(WANB));
  await without.settle();
  assert.is(without.totals.resets.deleted, 1);
  assert.equal(without.kernel.did('unpin'), []);
});

test('a client that cannot be let go keeps its flow', async () => {
  const bench = await EngineBench.open(stickyPlan(), withSets('mwan3_rule_ipv4_app'));
  bench.kernel.fault = ({ type }) =>
    commandOf(type) === IPSET_CMD.DEL && type >> 8 === 6 ? [ack(1)] : undefined;
  const entry = bench.begin(flowEntry(WANB));
  await bench.settle();
  assert.ok(bench.kernel.has(entry));
  const [reset] = bench.events('reset');
  assert.is(reset?.outcome, 'refused');
  assert.match(reset?.detail ?? '', /^the sticky entry could not be removed: .*mwan3_rule_ipv4_app/);
  assert.is(bench.engine.store.size, 0);
  bench.engine.upkeep();
  assert.is(bench.sweepsAsked, 0);
});

test('where the kernel gave no answer the table is read again for the flow', async () => {
  const bench = await EngineBench.open(stickyPlan(), withSets('mwan3_rule_ipv4_app'));
  bench.kernel.fault = ({ type }) => {
    if (commandOf(type) !== IPSET_CMD.DEL || type >> 8 !== 6) return undefined;
    bench.kernel.ipsetTransport.overrun();
    return [];
  };
  const entry = bench.begin(flowEntry(WANB));
  await bench.settle();
  assert.ok(bench.kernel.has(entry));
  assert.is(bench.events('reset')[0]?.outcome, 'refused');
  bench.engine.upkeep();
  assert.is(bench.sweepsAsked, 1);
});

test('nobody is let go for a flow that is not reset', async () => {
  const placed = await EngineBench.open(stickyPlan(), withSets('mwan3_rule_ipv4_app'));
  placed.begin(flowEntry(WAN));
  await placed.settle();
  assert.equal(placed.kernel.did('unpin'), []);
  const dry = await EngineBench.open(stickyPlan({ dryRun: true }), withSets('mwan3_rule_ipv4_app'));
  dry.begin(flowEntry(WANB));
  await dry.settle();
  assert.equal(dry.kernel.did('unpin'), []);
  const plain = await EngineBench.open(twoWans(), withSets('mwan3_rule_ipv4_app'));
  plain.begin(flowEntry(WANB));
  await plain.settle();
  assert.is(plain.totals.resets.deleted, 1);
  assert.equal(plain.kernel.did('unpin'), []);
});

test('plain and exempt rules at work: taken, moved off a dead uplink, left alone', async () => {
  const rules = [
    rule([], { name: 'exempt', set: 'exempt', exempt: 'required' }),
    rule([0], { name: 'mail', set: null, match: [], destinationPorts: [{ from: 25, to: 25 }] }),
    rule([0], { name: 'app' }),
  ];
  const prepare = (kernel: FakeKernel) => {
    kernel.addSet('set', ['203.0.113.10', '203.0.113.11']);
    kernel.addSet('exempt', ['203.0.113.11']);
  };
  const bench = await EngineBench.open(twoWans({ rules }), prepare);
  const moved = bench.begin(flowEntry(WANB));
  const exempt = bench.begin(flowEntry(WANB, { destination: '203.0.113.11' }));
  const taken = bench.begin(flowEntry(WANB, { destinationPort: 25 }));
  await bench.settle();
  assert.equal(
    [moved, exempt, taken].map((entry) => bench.kernel.has(entry)),
    [false, true, true],
  );
  assert.is(bench.totals.ignored['exempt-destination'], 1);
  bench.engine.setOnline([true, false]);
  bench.sweep(taken);
  bench.sweep(exempt);
  await bench.settle();
  assert.not(bench.kernel.has(taken), 'its uplink is dead');
  assert.ok(bench.kernel.has(exempt));
  assert.equal(
    bench.events('reset').map(({ rule: name, set }) => [name, set]),
    [
      ['app', 'set'],
      ['mail', null],
    ],
  );
});

test('sets that are missing or fit no rule are told of, with their place in the file, unless they are optional', async () => {
  const rules = [
    rule([], { name: 'mine', set: 'mine', exempt: 'required' }),
    rule([], { name: 'theirs', set: 'theirs', exempt: 'optional' }),
    rule([0], { name: 'named', set: 'gone', source: '/etc/config/mwan3: line 7' }),
    rule([0], { name: 'two', set: 'ports', source: '/etc/config/mwan3: line 9' }),
    rule([0]),
  ];
  const bench = await EngineBench.open(twoWans({ rules }), (kernel) => {
    kernel.addSet('set', []);
    kernel.addSet('ports', [], 'hash:ip,port');
  });
  const [first, second, third] = bench.events('warning').map(({ what, why }) => `${what}: ${why}`);
  assert.is(first, 'rule mine: there is no set mine');
  assert.is(second, 'rule named: /etc/config/mwan3: line 7: there is no set gone');
  assert.match(third!, /^rule two: \/etc\/config\/mwan3: line 9: set ports .hash:ip,port. has 2 dimensions/);
});

test.run();
