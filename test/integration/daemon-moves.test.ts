// run: timeout=400
/** Which flows the daemon moves, and which it leaves alone, on the real kernel. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LoggedEvent } from '../../src/cli/demo/routerDaemon.ts';
import type { Echo } from '../../src/lab/index.ts';
import {
  addresses,
  appSet,
  configWith,
  entryOf,
  families,
  requireLab,
  uplinks,
  withDaemon,
} from '../support/daemonLab.ts';

requireLab(import.meta.url);

const path = ({ wan, resets, connections }: Echo) => ({ wan, resets, connections });
const onWanb = ({ wan }: Echo) => wan === 2;
/** A flow that waits for its recheck while a sweep finds it is judged twice; the second reset finds it changed. */
const resetsOf = (events: readonly LoggedEvent[]) =>
  events.flatMap((event) => (event.event === 'reset' && event.outcome === 'deleted' ? [event] : []));

for (const family of families) {
  const [address, second, third] = addresses[family];
  const set = appSet[family];

  for (const masquerade of [true, false]) {
    const how = masquerade ? 'masqueraded' : 'not masqueraded';

    test(
      `${family}: TCP and UDP flows that are recognised late move, ${how}`,
      withDaemon({ masquerade }, async ({ lab, daemon }) => {
        for (const protocol of ['tcp', 'udp'] as const) {
          const flow = await lab.client(1)[protocol]({ address });
          assert.is((await flow.send()).wan, 1);
          const before = await entryOf(lab, flow, address);
          await lab.addToSet(set, address);

          const reset = await daemon.event('reset', ({ flow: { protocol: its } }) => its === protocol);
          assert.is(reset.outcome, 'deleted');
          assert.is(reset.flow.id, before.id);
          const cut = protocol === 'tcp' && masquerade ? 1 : 0;
          assert.equal(path(await flow.sendUntil(onWanb)), { wan: 2, resets: cut, connections: 1 + cut });
          const moved = await daemon.event('moved', (event) => event.flow.protocol === protocol);
          assert.equal([moved.from, moved.to, moved.expected], ['wan', 'wanb', ['wanb']]);
          assert.is((await entryOf(lab, flow, address)).mark, 0x200);
          await lab.removeFromSet(set, address);
        }
        assert.is(resetsOf(daemon.events).length, 2);
      }),
    );
  }

  test(
    `${family}: an ICMP flow moves`,
    withDaemon({}, async ({ lab, daemon }) => {
      const ping = () => lab.client(1).ping(address, { identifier: 4711 });
      assert.is(await ping(), 1);
      await lab.addToSet(set, address);
      const reset = await daemon.event('reset', ({ flow }) => flow.destination === address);
      assert.is(reset.outcome, 'deleted');
      assert.equal(
        [reset.flow.protocol, reset.flow.icmpId, reset.flow.icmpType, reset.flow.icmpCode],
        [family === 'ipv4' ? 'icmp' : 'icmpv6', 4711, family === 'ipv4' ? 8 : 128, 0],
      );
      assert.is(await ping(), 1);
      await daemon.event('moved', ({ flow }) => flow.destination === address);
      const rows = (await lab.conntrack(family)).filter((row) => row.destination === address);
      assert.equal(
        rows.map(({ mark }) => mark),
        [0x200],
      );
    }),
  );

  test(
    `${family}: of two clients of one address only the misplaced one is touched; nor is who is right, or in no set`,
    withDaemon({}, async ({ lab, daemon }) => {
      const misplaced = await lab.client(1).tcp({ address });
      assert.is((await misplaced.send()).wan, 1);
      const inNoSet = await lab.client(2).tcp({ address: second });
      assert.is((await inNoSet.send()).wan, 1);
      await lab.addToSet(set, third);
      const placed = await lab.client(2).udp({ address: third });
      assert.is((await placed.send()).wan, 2);
      await lab.addToSet(set, address);
      const neighbour = await lab.client(2).tcp({ address });
      assert.is((await neighbour.send()).wan, 2);

      const bystanders = [
        { flow: inNoSet, address: second, wan: 1 },
        { flow: placed, address: third, wan: 2 },
        { flow: neighbour, address, wan: 2 },
      ] as const;
      const entries = bystanders.map(({ flow, address: to }) => entryOf(lab, flow, to, 2));
      const before = await Promise.all(entries);
      await daemon.event('reset');
      await misplaced.sendUntil(onWanb);
      await daemon.event('moved');
      // whatever else is wrong in the table, this would find it
      daemon.signal('SIGHUP');
      await daemon.event('sweep', ({ cause }) => cause === 'reload');

      const source = lab.plan.lan.clients[0]![family];
      assert.equal(
        resetsOf(daemon.events).map(({ flow }) => [flow.source, flow.destination]),
        [[source, address]],
      );
      for (const [index, { flow, address: to, wan }] of bystanders.entries()) {
        assert.is((await entryOf(lab, flow, to, 2)).id, before[index]!.id);
        assert.equal(path(await flow.send()), { wan, resets: 0, connections: 1 });
      }
    }),
  );
}

test(
  'an address in two sets belongs to the first rule that has it',
  withDaemon(
    {
      sets: [
        { name: 'one', type: 'hash:ip', family: 'ipv4' },
        { name: 'two', type: 'hash:ip', family: 'ipv4' },
      ],
      rules: [
        { family: 'ipv4', set: 'one', wan: 1 },
        { family: 'ipv4', set: 'two', wan: 2 },
      ],
      config: configWith({
        rules: [
          { name: 'first', set: 'one', interfaces: ['wan'] },
          { name: 'second', set: 'two', interfaces: ['wanb'] },
        ],
      }),
    },
    async ({ lab, daemon, resteer }) => {
      const [address, other] = addresses.ipv4;
      const both = await lab.client(1).tcp({ address });
      const onlySecond = await lab.client(1).tcp({ address: other });
      for (const flow of [both, onlySecond]) assert.is((await flow.send()).wan, 1);
      await lab.addToSet('one', address);
      await lab.addToSet('two', address);
      await lab.addToSet('two', other);
      const reset = await daemon.event('reset');
      assert.equal([reset.flow.destination, reset.rule, reset.set], [other, 'second', 'two']);
      await onlySecond.sendUntil(onWanb);
      const swept = await resteer('control', 'sweep', '--control', daemon.controlPath);
      assert.match(swept.out, /^\d+ flows read, 0 misplaced, in \d+ ms\n$/);
      assert.equal(path(await both.send()), { wan: 1, resets: 0, connections: 1 });
    },
  ),
);

test(
  'sets of networks, and of addresses with ports',
  withDaemon(
    {
      sets: [
        { name: 'ports', type: 'hash:ip,port', family: 'ipv4' },
        { name: 'nets', type: 'hash:net', family: 'ipv6' },
      ],
      rules: [
        { family: 'ipv4', set: 'ports', match: 'dst,dst', wan: 2 },
        { family: 'ipv6', set: 'nets', wan: 2 },
      ],
      config: configWith({
        rules: [
          { name: 'ports', set: 'ports', match: ['dst', 'dport'], interfaces: ['wanb'] },
          { name: 'nets', set: 'nets', interfaces: ['wanb'] },
        ],
      }),
    },
    async ({ lab, daemon, resteer }) => {
      const ipv4 = addresses.ipv4[0];
      const ipv6 = addresses.ipv6[0];
      const udp = await lab.client(1).udp({ address: ipv4 });
      const tcp = await lab.client(1).tcp({ address: ipv4 });
      const inNet = await lab.client(1).tcp({ address: ipv6 });
      for (const flow of [udp, tcp, inNet]) assert.is((await flow.send()).wan, 1);
      await lab.addToSet('ports', `${ipv4},udp:443`);
      await lab.addToSet('nets', '2001:db8:113::/112');
      await daemon.event('reset', ({ rule }) => rule === 'ports');
      await daemon.event('reset', ({ rule }) => rule === 'nets');
      assert.is((await udp.sendUntil(onWanb)).wan, 2);
      assert.is((await inNet.sendUntil(onWanb)).wan, 2);
      await resteer('control', 'sweep', '--control', daemon.controlPath);
      assert.equal(path(await tcp.send()), { wan: 1, resets: 0, connections: 1 });
      assert.is(resetsOf(daemon.events).length, 2);
    },
  ),
);

test(
  'an entry that has timed out claims no flow any more',
  withDaemon(
    {
      config: configWith({ recheck: [] }),
    },
    async ({ lab, daemon, resteer }) => {
      const [address, other] = addresses.ipv4;
      await lab.addToSet(appSet.ipv4, address, { timeout: 1 });
      const gone = async () =>
        !(await lab.router.exec('ipset', ['list', appSet.ipv4])).stdout.includes(address);
      const limit = Date.now() + 10_000;
      while (!(await gone())) assert.ok(Date.now() < limit, 'the entry goes');
      const flow = await lab.client(1).tcp({ address });
      assert.is((await flow.send()).wan, 1);
      const swept = await resteer('control', 'sweep', '--control', daemon.controlPath);
      assert.match(swept.out, / 0 misplaced/);
      await lab.addToSet(appSet.ipv4, other, { timeout: 600 });
      await lab.addToSet(appSet.ipv4, address, { timeout: 600 });
      const reset = await daemon.event('reset');
      assert.equal([reset.outcome, reset.flow.destination], ['deleted', address]);
    },
  ),
);

test(
  'without nf_conntrack_tcp_loose the entry goes and the flow falls silent, until it is set again',
  withDaemon({ sysctls: { 'net.netfilter.nf_conntrack_tcp_loose': 0 } }, async ({ lab, daemon, resteer }) => {
    const [address] = addresses.ipv4;
    const flow = await lab.client(1).tcp({ address });
    assert.is((await flow.send()).wan, 1);
    await lab.addToSet(appSet.ipv4, address);
    const explained = await resteer(
      'explain',
      address,
      '--interface',
      'wan',
      '--control',
      daemon.controlPath,
    );
    assert.is((await daemon.event('reset')).outcome, 'deleted');
    assert.match(explained.out, /nf_conntrack_tcp_loose is 0: a masqueraded TCP flow falls silent/);
    const silent = await flow.send('lost', { timeoutMs: 500 }).catch((error) => error.code);
    assert.is(silent, 'ETIMEDOUT');
    await lab.setSysctl(lab.router, 'net.netfilter.nf_conntrack_tcp_loose', 1);
    assert.equal(path(await flow.sendUntil(onWanb, { withinMs: 10_000 })), {
      wan: 2,
      resets: 1,
      connections: 2,
    });
  }),
);

test(
  'a flow whose address is known before it begins is right at once, and no reset is made',
  withDaemon({}, async ({ lab, daemon }) => {
    const [address] = addresses.ipv4;
    await lab.addToSet(appSet.ipv4, address);
    const flow = await lab.client(1).tcp({ address });
    assert.equal(path(await flow.send()), { wan: 2, resets: 0, connections: 1 });
    // the firewall forgets its rule, the daemon does not: the next flow is wrong from its NEW on
    await lab.router.exec('iptables', ['-t', 'mangle', '-F', 'mwan3_rules']);
    await lab.router.exec('iptables', ['-t', 'mangle', '-A', 'mwan3_rules', '-j', 'mwan3_default']);
    const wrong = await lab.client(2).udp({ address });
    // the reset may be quicker than the answer, which then finds no entry
    await wrong.sendUntil(() => true);
    const reset = await daemon.event('reset');
    assert.is(reset.flow.source, lab.plan.lan.clients[1]!.ipv4);
    assert.type(reset.sinceNewMs, 'number');
    // and it comes back, since the firewall sends it there: the guards end this
    await wrong.send();
    const returned = await daemon.event('returned');
    assert.equal([returned.to, returned.expected, uplinks.wan.mark], ['wan', ['wanb'], '0x100']);
    await daemon.event('suppressed', ({ reason }) => reason === 'cooldown');
    assert.is((await wrong.send()).wan, 1);
    assert.is(resetsOf(daemon.events).length, 1);
  }),
);

test.run();
