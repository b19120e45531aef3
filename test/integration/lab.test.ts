import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  buildLab,
  type ConntrackRow,
  type Echo,
  type Family,
  type Lab,
  type LabOptions,
  labRequirements,
  missingText,
  type TrafficFlow,
} from '../../src/lab/index.ts';
import { hasCommand, skipFile } from '../support/namespace.ts';

const { how, missing } = labRequirements();
if (how !== 'root') skipFile(import.meta.url, missing.map(missingText).join('; ') || 'needs root');
if (!hasCommand('conntrack')) skipFile(import.meta.url, 'no `conntrack` command (Debian package conntrack)');

const server = { ipv4: '203.0.113.10', ipv6: '2001:db8:113::10' } as const;
const other = { ipv4: '203.0.113.11', ipv6: '2001:db8:113::11' } as const;
const appSet = { ipv4: 'app_1.v4', ipv6: 'app_1.v6' } as const;
const families: readonly Family[] = ['ipv4', 'ipv6'];

const inLab = (options: LabOptions, body: (lab: Lab) => Promise<void>) => async () => {
  const lab = await buildLab(options);
  try {
    await body(lab);
  } finally {
    await lab.close();
  }
};

const familyOf = (address: string): Family => (address.includes(':') ? 'ipv6' : 'ipv4');

/** The one entry of a client's flow to the server. */
async function entryOf(
  lab: Lab,
  flow: TrafficFlow,
  address: string,
  client: 1 | 2 = 1,
): Promise<ConntrackRow> {
  const family = familyOf(address);
  const source = lab.plan.lan.clients[client - 1]![family];
  const rows = (await lab.conntrack(family)).filter(
    (row) =>
      row.protocol === flow.protocol &&
      row.source === source &&
      row.destination === address &&
      row.sourcePort === flow.localPort,
  );
  assert.is(rows.length, 1, JSON.stringify(rows));
  return rows[0]!;
}

const tupleOptions = (row: ConntrackRow) => [
  ...['-f', familyOf(row.source), '-p', row.protocol, '-s', row.source, '-d', row.destination],
  ...['--sport', String(row.sourcePort), '--dport', String(row.destinationPort)],
];

async function deleteEntry(lab: Lab, row: ConntrackRow): Promise<void> {
  const { stderr } = await lab.router.exec('conntrack', ['-D', ...tupleOptions(row)]);
  assert.match(stderr, /: 1 flow entries have been deleted/);
}

/** The code of what a send failed with; undefined if it was answered. */
const failure = (sent: Promise<Echo>): Promise<string | undefined> =>
  sent.then(
    () => undefined,
    (error) => error.code,
  );

const path = (echo: Echo) => ({ wan: echo.wan, resets: echo.resets, connections: echo.connections });

for (const family of families) {
  const address = server[family];

  test(
    `${family}: a flow leaves by the default WAN, masqueraded and marked`,
    inLab({}, async (lab) => {
      for (const flow of [await lab.client(1).tcp({ address }), await lab.client(1).udp({ address })]) {
        const echo = await flow.send('words');
        assert.is(echo.text, 'words');
        assert.is(echo.wan, 1);
        assert.is(echo.peerAddress, lab.plan.wans[0]!.routerAddress[family]);
        const entry = await entryOf(lab, flow, address);
        assert.is(entry.mark, 0x100);
        assert.is(entry.replyDestination, lab.plan.wans[0]!.routerAddress[family]);
      }
    }),
  );

  test(
    `${family}: a TCP flow recognised late stays, until its one entry is deleted: then it is reset and moves`,
    inLab({}, async (lab) => {
      const flow = await lab.client(1).tcp({ address });
      const neighbour = await lab.client(2).tcp({ address });
      assert.is((await flow.send()).wan, 1);
      assert.is((await neighbour.send()).wan, 1);

      await lab.addToSet(appSet[family], address);
      assert.equal(path(await flow.send()), { wan: 1, resets: 0, connections: 1 });
      const later = await lab.client(1).tcp({ address });
      assert.is((await later.send()).wan, 2);

      const before = await entryOf(lab, flow, address);
      await deleteEntry(lab, before);
      assert.equal(path(await flow.send()), { wan: 2, resets: 1, connections: 2 });
      assert.is((await entryOf(lab, flow, address)).mark, 0x200);
      assert.equal(path(await neighbour.send()), { wan: 1, resets: 0, connections: 1 });
      assert.is((await entryOf(lab, neighbour, address, 2)).mark, 0x100);
    }),
  );

  test(
    `${family}: without tcp_loose a deletion is a black hole for TCP`,
    inLab({ sysctls: { 'net.netfilter.nf_conntrack_tcp_loose': 0 } }, async (lab) => {
      const flow = await lab.client(1).tcp({ address });
      await flow.send();
      await lab.addToSet(appSet[family], address);
      await deleteEntry(lab, await entryOf(lab, flow, address));
      assert.is(await failure(flow.send('lost', { timeoutMs: 700 })), 'ETIMEDOUT');
      await lab.setSysctl(lab.router, 'net.netfilter.nf_conntrack_tcp_loose', 1);
      const saved = await flow.sendUntil(() => true, { withinMs: 10_000 });
      assert.equal(path(saved), { wan: 2, resets: 1, connections: 2 });
    }),
  );

  test(
    `${family}: deleted with no rule that claims it, a TCP flow goes on as it was`,
    inLab({}, async (lab) => {
      const flow = await lab.client(1).tcp({ address });
      await flow.send();
      await deleteEntry(lab, await entryOf(lab, flow, address));
      assert.equal(path(await flow.send()), { wan: 1, resets: 0, connections: 1 });
    }),
  );

  test(
    `${family}: a UDP flow moves with the first packet after the deletion`,
    inLab({}, async (lab) => {
      const flow = await lab.client(1).udp({ address });
      assert.is((await flow.send()).wan, 1);
      await lab.addToSet(appSet[family], address);
      assert.is((await flow.send()).wan, 1);
      await deleteEntry(lab, await entryOf(lab, flow, address));
      const moved = await flow.send();
      assert.is(moved.wan, 2);
      assert.is(moved.localPort, flow.localPort);
      assert.is((await entryOf(lab, flow, address)).mark, 0x200);
    }),
  );

  test(
    `${family}: a flow that is not masqueraded moves without a break, by deletion and by a new mark`,
    inLab({ masquerade: false }, async (lab) => {
      for (const protocol of ['tcp', 'udp'] as const) {
        const remarked = await lab.client(1)[protocol]({ address });
        const deleted = await lab.client(2)[protocol]({ address });
        for (const flow of [remarked, deleted]) assert.is((await flow.send()).wan, 1, protocol);
        await lab.addToSet(appSet[family], address);
        const source = lab.plan.lan.clients[0]![family];
        assert.is((await remarked.send()).peerAddress, source);

        const entry = await entryOf(lab, remarked, address);
        assert.is(entry.replyDestination, source);
        await lab.router.exec('conntrack', ['-U', ...tupleOptions(entry), '--mark', '0x200']);
        assert.equal(path(await remarked.send()), { wan: 2, resets: 0, connections: 1 }, protocol);
        await deleteEntry(lab, await entryOf(lab, deleted, address, 2));
        assert.equal(path(await deleted.send()), { wan: 2, resets: 0, connections: 1 }, protocol);
        await lab.removeFromSet(appSet[family], address);
      }
    }),
  );

  test(
    `${family}: a new mark in place costs a masqueraded flow a packet and its entry (nf_nat_oif_changed)`,
    inLab({}, async (lab) => {
      const flow = await lab.client(1).udp({ address });
      await flow.send();
      await lab.addToSet(appSet[family], address);
      const entry = await entryOf(lab, flow, address);
      await lab.router.exec('conntrack', ['-U', ...tupleOptions(entry), '--mark', '0x200']);
      assert.is(await failure(flow.send('lost', { timeoutMs: 500 })), 'ETIMEDOUT');
      assert.equal(
        (await lab.conntrack(family)).filter((row) => row.destination === address),
        [],
      );
      assert.is((await flow.send()).wan, 2);
    }),
  );

  test(
    `${family}: a forwarded connection carries the mark of the WAN that it came by`,
    inLab({ portForwards: [{ protocol: 'tcp', port: 8080, client: 1 }] }, async (lab) => {
      const client = lab.plan.lan.clients[0]![family];
      await lab.client(1).listen('tcp', 8080, [client]);
      for (const wan of lab.plan.wans) {
        const flow = await lab.server.tcp({ address: wan.routerAddress[family], port: 8080 });
        assert.is((await flow.send('inbound')).text, 'inbound');
        const rows = (await lab.conntrack(family)).filter((row) => row.sourcePort === flow.localPort);
        assert.equal(
          rows.map(({ mark, replySource }) => ({ mark, replySource })),
          [{ mark: wan.mark, replySource: client }],
        );
      }
    }),
  );

  test(
    `${family}: what is on a connected network carries the default mark`,
    inLab({}, async (lab) => {
      assert.is(await lab.client(1).ping(lab.plan.lan.router[family]), 1);
      const rows = (await lab.conntrack(family)).filter((row) => /^icmp/.test(row.protocol));
      assert.equal(
        rows.map((row) => row.mark),
        [0x3f00],
      );
    }),
  );

  test(
    `${family}: an ICMP flow moves with the first packet after the deletion`,
    inLab({}, async (lab) => {
      const ping = async () => {
        assert.is(await lab.client(1).ping(address, { identifier: 4711 }), 1);
        const rows = (await lab.conntrack(family)).filter((row) => row.destination === address);
        assert.is(rows.length, 1);
        return rows[0]!.mark;
      };
      assert.is(await ping(), 0x100);
      await lab.addToSet(appSet[family], address);
      assert.is(await ping(), 0x100);
      await lab.router.exec('conntrack', ['-D', '-f', family, '-d', address]);
      assert.is(await ping(), 0x200);
    }),
  );

  test(
    `${family}: another default WAN is for new flows only`,
    inLab({}, async (lab) => {
      const old = await lab.client(1).tcp({ address });
      await old.send();
      await lab.setDefaultWan(family, 2);
      const young = await lab.client(1).tcp({ address });
      assert.is((await young.send()).wan, 2);
      assert.is((await old.send()).wan, 1);
      const elsewhere = families.find((each) => each !== family)!;
      const untouched = await lab.client(1).udp({ address: server[elsewhere] });
      assert.is((await untouched.send()).wan, 1);
    }),
  );
}

test(
  'sets of each type claim what is in them, and the first rule that fits wins',
  inLab(
    {
      wans: 3,
      markMask: 0xff00,
      sets: [
        { name: 'ports', type: 'hash:ip,port', family: 'ipv4' },
        { name: 'nets', type: 'hash:net', family: 'ipv4' },
      ],
      rules: [
        { family: 'ipv4', set: 'ports', match: 'dst,dst', protocol: 'udp', wan: 3 },
        { family: 'ipv4', set: 'nets', destinationPorts: [443], protocol: 'tcp', wan: 2 },
      ],
    },
    async (lab) => {
      await lab.addToSet('ports', `${server.ipv4},udp:443`);
      await lab.addToSet('ports', `${server.ipv4},tcp:443`);
      await lab.addToSet('nets', '203.0.113.8/30');
      const wanOf = async (protocol: 'tcp' | 'udp', address: string) =>
        (await (await lab.client(1)[protocol]({ address })).send()).wan;
      assert.is(await wanOf('udp', server.ipv4), 3);
      assert.is(await wanOf('tcp', server.ipv4), 2);
      assert.is(await wanOf('udp', other.ipv4), 1);
      assert.is(await wanOf('tcp', other.ipv4), 2);
      assert.is(await wanOf('tcp', '203.0.113.12'), 1);
      assert.equal(
        lab.plan.wans.map((wan) => wan.mark),
        [0x100, 0x200, 0x300],
      );
    },
  ),
);

test(
  'an entry that times out claims no longer',
  inLab({}, async (lab) => {
    await lab.addToSet('app_1.v4', server.ipv4, { timeout: 600 });
    const during = await lab.client(1).tcp({ address: server.ipv4 });
    assert.is((await during.send()).wan, 2);
    await lab.addToSet('app_1.v4', server.ipv4, { timeout: 1 });
    const end = performance.now() + 10_000;
    let wan: number | undefined;
    while (wan !== 1 && performance.now() < end) {
      const flow = await lab.client(1).tcp({ address: server.ipv4 });
      wan = (await flow.send()).wan;
      await flow.close();
    }
    assert.is(wan, 1);
    assert.is((await during.send()).wan, 2);
  }),
);

test(
  'a provider lets nothing pass that is not from its customer',
  inLab({}, async (lab) => {
    await lab.router.exec('iptables', ['-t', 'nat', '-F', 'POSTROUTING']);
    const flow = await lab.client(1).udp({ address: server.ipv4 });
    assert.is(await failure(flow.send('lost', { timeoutMs: 300 })), 'ETIMEDOUT');
  }),
);

test.run();
