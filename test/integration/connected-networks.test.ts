/** The directly connected networks of a namespace, followed while links, addresses and routes come and go. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { networkText } from '../../src/daemon/config/networks.ts';
import { CONNECTED_GROUPS, ConnectedNetworks } from '../../src/daemon/connectedNetworks.ts';
import { systemSockets } from '../../src/daemon/sockets.ts';
import { MESSAGE_HEADER } from '../../src/nfnetlink/message.ts';
import { encodeLinkDump, link } from '../../src/rtnetlink/index.ts';
import { insideNamespace, sh } from '../support/namespace.ts';
import { until } from '../support/waiting.ts';

const ip = (line: string) => sh('ip', ...line.split(' '));

await insideNamespace(import.meta.url, () => {
  test('networks come and go', async () => {
    const failures: unknown[] = [];
    const connection = await systemSockets.openRoute();
    const connected = new ConnectedNetworks(connection, { onFailure: (error) => failures.push(error) });
    const subscription = await systemSockets.openRouteEvents({
      groups: CONNECTED_GROUPS,
      onMessage: (bytes, start, end) => connected.heard(bytes, start, end),
      onOverrun: () => connected.overrun(),
    });
    const has = (...networks: string[]) => {
      const known = new Set(connected.list.map(networkText));
      return networks.every((network) => known.has(network));
    };
    const hasNone = (...networks: string[]) => networks.every((network) => !has(network));
    try {
      await connected.read();
      assert.ok(has('127.0.0.0/8', '127.0.0.1/32', '::1/128'), connected.list.map(networkText).join(' '));

      ip('link add v0 type veth peer name v1');
      ip('link set v0 up');
      ip('link set v1 up');
      ip('addr add 192.0.2.1/24 broadcast + dev v0');
      ip('addr add 2001:db8:1::1/64 dev v0 nodad');
      ip('addr add 10.9.0.1 peer 10.9.0.2/32 dev v1');
      ip('addr add 2001:db8:9::1 peer 2001:db8:9::2/128 dev v1 nodad');
      const own = ['192.0.2.1/32', '192.0.2.255/32', '192.0.2.0/24', '2001:db8:1::1/128', '2001:db8:1::/64'];
      const peers = ['10.9.0.1/32', '10.9.0.2/32', '2001:db8:9::1/128', '2001:db8:9::2/128'];
      await until('addresses and peers are known', () => has(...own, ...peers));

      ip('route add 198.51.100.0/25 dev v1');
      ip('-6 route add 2001:db8:5::/48 dev v1');
      await until('routes to a link are known', () => has('198.51.100.0/25', '2001:db8:5::/48'));
      ip('route add 198.51.100.128/25 via 192.0.2.9');
      ip('-6 route add 2001:db8:6::/48 via 2001:db8:1::9');
      ip('route add default via 192.0.2.9');
      ip('-6 route add default dev v0');
      ip('route add 0.0.0.0/1 dev v0');
      ip('route add 203.0.113.0/24 dev v1 table 1000');
      ip('route add unreachable 10.77.0.0/16');
      ip('route add 198.18.0.0/15 dev v1');
      await until('the last route is known', () => has('198.18.0.0/15'));
      assert.ok(hasNone('198.51.100.128/25', '2001:db8:6::/48', '0.0.0.0/0', '::/0', '0.0.0.0/1'));
      assert.ok(hasNone('203.0.113.0/24', '10.77.0.0/16'));

      ip('route replace 198.18.0.0/15 via 192.0.2.9');
      await until('a replaced route is gone', () => hasNone('198.18.0.0/15'));
      ip('route del 198.51.100.0/25 dev v1');
      ip('addr del 2001:db8:1::1/64 dev v0');
      await until('what was deleted is gone', () =>
        hasNone('198.51.100.0/25', '2001:db8:1::1/128', '2001:db8:1::/64'),
      );
      assert.ok(has('192.0.2.0/24', '2001:db8:5::/48'));

      ip('route add 198.51.100.0/25 dev v1');
      await until('a route to a link is known again', () => has('198.51.100.0/25'));
      ip('link set v1 down');
      await until("a dead link's route, which goes in silence, is gone", () => hasNone('198.51.100.0/25'));
      ip('link del v0');
      await until('a deleted link leaves nothing', () => hasNone(...own, ...peers, '2001:db8:5::/48'));
      assert.ok(has('127.0.0.0/8'));
      assert.equal(failures, []);
    } finally {
      connected.close();
      await Promise.all([subscription.close(), connection.close()]);
    }
  });

  test('the links of the namespace', async () => {
    const connection = await systemSockets.openRoute();
    try {
      ip('link add v2 mtu 1400 type veth peer name v3');
      const names = new Map<string | undefined, number | undefined>();
      await connection.visit(encodeLinkDump(), (bytes, start, end) => {
        const { name, mtu } = link.decode(bytes, start + MESSAGE_HEADER, end);
        names.set(name, mtu);
      });
      assert.is(names.get('v2'), 1400);
      assert.ok(names.has('lo') && names.has('v3'));
    } finally {
      await connection.close();
    }
  });

  test.run();
});
