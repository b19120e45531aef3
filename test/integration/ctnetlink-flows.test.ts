/** Flows made by ours and read by conntrack(8), and the reverse, for every protocol that the kernel tracks. */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type CompleteTuple,
  type ConntrackClient,
  type Flow,
  type FlowFilter,
  IPPROTO,
  IPS,
  type NewFlow,
  openConntrack,
  TCP_CONNTRACK,
} from '../../src/ctnetlink/index.ts';
import { AF, KernelError } from '../../src/nfnetlink/index.ts';
import { hasCommand, insideNamespace, sh, skipFile } from '../support/namespace.ts';

await insideNamespace(import.meta.url, async () => {
  if (!hasCommand('conntrack'))
    skipFile(import.meta.url, 'no `conntrack` command (Debian package conntrack)');
  const client = await openConntrack();
  defineTests(client);
  test.after(() => client.close());
  test.run();
});

function defineTests(client: ConntrackClient): void {
  test.before.each(() => client.flushTable());

  const conntrack = (...args: string[]) => sh('conntrack', ...args);
  const listed = (family: string, ...args: string[]) =>
    conntrack('-L', '-f', family, '-o', 'extended,id', ...args)
      .split('\n')
      .filter((line) => line !== '');

  interface Made {
    readonly name: string;
    readonly family: 'ipv4' | 'ipv6';
    readonly flow: NewFlow;
    /** What conntrack(8) prints of it. */
    readonly prints: RegExp;
  }
  const ports = { sourcePort: 4001, destinationPort: 443 };
  const v4 = { source: '192.0.2.1', destination: '198.51.100.2' };
  const v6 = { source: '2001:db8::1', destination: '2001:db8::2' };
  const icmp = { icmpId: 77, icmpType: 8, icmpCode: 0 };
  const protocols: Made[] = [
    {
      name: 'tcp',
      family: 'ipv4',
      flow: {
        originalTuple: { ...v4, protocol: IPPROTO.TCP, ...ports },
        timeout: 100,
        status: IPS.SEEN_REPLY | IPS.ASSURED,
        protocolInfo: { tcp: { state: TCP_CONNTRACK.ESTABLISHED } },
      },
      prints:
        /tcp +6 \d+ ESTABLISHED src=192\.0\.2\.1 dst=198\.51\.100\.2 sport=4001 dport=443 .*\[ASSURED\]/,
    },
    {
      name: 'udp',
      family: 'ipv4',
      flow: { originalTuple: { ...v4, protocol: IPPROTO.UDP, ...ports }, timeout: 100, mark: 0xdeadbeef },
      prints: /udp +17 .*sport=4001 dport=443 .*mark=3735928559/,
    },
    {
      name: 'udp over IPv6',
      family: 'ipv6',
      flow: { originalTuple: { ...v6, protocol: IPPROTO.UDP, ...ports }, timeout: 100 },
      prints: /udp +17 \d+ src=2001:db8::1 dst=2001:db8::2 sport=4001 dport=443/,
    },
    {
      name: 'udplite',
      family: 'ipv4',
      flow: { originalTuple: { ...v4, protocol: IPPROTO.UDPLITE, ...ports }, timeout: 100 },
      prints: /udplite +136 .*sport=4001 dport=443/,
    },
    {
      name: 'sctp',
      family: 'ipv4',
      flow: {
        originalTuple: { ...v4, protocol: IPPROTO.SCTP, ...ports },
        timeout: 100,
        protocolInfo: { sctp: { state: 4, verificationTagOriginal: 7, verificationTagReply: 8 } },
      },
      prints: /sctp +132 \d+ ESTABLISHED .*sport=4001 dport=443/,
    },
    {
      name: 'gre',
      family: 'ipv4',
      flow: {
        originalTuple: { ...v4, protocol: IPPROTO.GRE, sourcePort: 0, destinationPort: 0x1234 },
        timeout: 100,
      },
      prints: /gre +47 .*srckey=0x0 dstkey=0x1234/,
    },
    {
      name: 'icmp',
      family: 'ipv4',
      flow: { originalTuple: { ...v4, protocol: IPPROTO.ICMP, ...icmp }, timeout: 100 },
      prints: /icmp +1 \d+ .*type=8 code=0 id=77 .*type=0 code=0 id=77/,
    },
    {
      name: 'icmpv6',
      family: 'ipv6',
      flow: { originalTuple: { ...v6, protocol: IPPROTO.ICMPV6, ...icmp, icmpType: 128 }, timeout: 100 },
      prints: /icmpv6 +58 \d+ .*type=128 code=0 id=77 .*type=129 code=0 id=77/,
    },
    {
      name: 'a protocol without ports',
      family: 'ipv4',
      flow: { originalTuple: { ...v4, protocol: 253 }, timeout: 100 },
      prints: /unknown +253 \d+ src=192\.0\.2\.1 dst=198\.51\.100\.2/,
    },
    {
      name: 'dccp',
      family: 'ipv4',
      flow: { originalTuple: { ...v4, protocol: IPPROTO.DCCP, ...ports }, timeout: 100 },
      prints: /dccp +33 /,
    },
  ];

  for (const { name, family, flow, prints } of protocols) {
    test(`${name}: made by ours, read by conntrack(8) and by ours, deleted by ours`, async () => {
      await client.create(flow);
      const lines = listed(family);
      assert.is(lines.length, 1);
      assert.match(lines[0]!, prints);
      const found = await client.get({ originalTuple: flow.originalTuple });
      assert.ok(found);
      assert.is(found.family, family === 'ipv4' ? AF.INET : AF.INET6);
      assert.is(found.mark, flow.mark ?? 0);
      assert.match(lines[0]!, new RegExp(`id=${found.id}\\b`));
      assert.equal(await all(client), [found].map(withoutAge), 'the list says the same');
      // by the reply tuple too, whatever ICMP types were turned round
      assert.is((await client.get({ replyTuple: found.replyTuple }))?.id, found.id);
      assert.is(await client.delete({ ...found, id: (found.id ^ 1) >>> 0 }), 'absent');
      assert.is(await client.delete(found), 'deleted');
      assert.is(await client.delete(found), 'absent');
      assert.is(await client.get(found), undefined);
      assert.equal(listed(family), []);
    });
  }

  const byConntrack: readonly (readonly [string, readonly string[], Partial<CompleteTuple>])[] = [
    ['tcp', ['--state', 'SYN_SENT', '--sport', '5', '--dport', '6'], { sourcePort: 5, destinationPort: 6 }],
    ['udp', ['--sport', '5', '--dport', '6'], { sourcePort: 5, destinationPort: 6 }],
    [
      'sctp',
      [
        ...['--sport', '5', '--dport', '6', '--state', 'ESTABLISHED'],
        '--orig-vtag',
        '1',
        '--reply-vtag',
        '2',
      ],
      { sourcePort: 5, destinationPort: 6 },
    ],
    [
      'icmp',
      ['--icmp-type', '8', '--icmp-code', '0', '--icmp-id', '9'],
      { icmpId: 9, icmpType: 8, icmpCode: 0 },
    ],
    ['gre', ['--srckey', '1', '--dstkey', '2'], { sourcePort: 1, destinationPort: 2 }],
    ['udplite', ['--sport', '5', '--dport', '6'], { sourcePort: 5, destinationPort: 6 }],
    [
      'icmpv6',
      ['--icmpv6-type', '128', '--icmpv6-code', '0', '--icmpv6-id', '9'],
      { icmpId: 9, icmpType: 128, icmpCode: 0 },
    ],
    // this kernel tracks DCCP as it does a protocol that it does not know: by its number alone
    ['dccp', ['--sport', '5', '--dport', '6', '--state', 'REQUEST', '--role', 'client'], { protocol: 33 }],
    ['253', [], { protocol: 253 }],
  ];
  for (const [protocol, args, expected] of byConntrack) {
    test(`${protocol}: made by conntrack(8), read by ours`, async () => {
      const [source, destination] =
        protocol === 'icmpv6' ? ['2001:db8::9', '2001:db8::a'] : ['192.0.2.9', '198.51.100.9'];
      conntrack('-I', '-p', protocol, '-s', source, '-d', destination, '-t', '90', '-m', '42', ...args);
      const flows = await all(client);
      assert.is(flows.length, 1);
      const [flow] = flows;
      assert.is(flow!.originalTuple.source, source);
      assert.is(flow!.replyTuple.destination, source);
      assert.is(flow!.mark, 42);
      for (const [field, value] of Object.entries(expected)) {
        assert.is(flow!.originalTuple[field as keyof CompleteTuple], value, field);
      }
    });
  }

  const udp = (last: number, more: Partial<NewFlow> = {}): NewFlow => ({
    originalTuple: { source: '192.0.2.1', destination: `198.51.100.${last}`, protocol: 17, ...ports },
    timeout: 100,
    ...more,
  });

  test('an existing flow is not made again, unless asked to update it', async () => {
    await client.create(udp(1));
    try {
      await client.create(udp(1));
      assert.unreachable();
    } catch (error) {
      assert.instance(error, KernelError);
      assert.is((error as KernelError).code, 'EEXIST');
      assert.match((error as Error).message, /update it, or delete it first/);
    }
    await client.create(udp(1, { mark: 5 }), { updateExisting: true });
    assert.is((await client.get(udp(1)))?.mark, 5);
  });

  test('a mark changes under its mask, or whole', async () => {
    await client.create(udp(1, { mark: 0xff00ff00 }));
    const key = udp(1);
    assert.is(await client.update(key, { mark: 0x1200, markMask: 0xff00 }), 'updated');
    assert.is((await client.get(key))?.mark, 0xff001200);
    assert.match(listed('ipv4')[0]!, /mark=4278194688/);
    await client.update(key, { mark: 0 });
    assert.is((await client.get(key))?.mark, 0);
    assert.is(await client.update(udp(2), { mark: 1 }), 'absent');
  });

  test('a timeout changes, and 0 ends the flow', async () => {
    await client.create(udp(1));
    await client.update(udp(1), { timeout: 5000 });
    const timeout = (await client.get(udp(1)))!.timeout!;
    assert.ok(timeout > 4900 && timeout <= 5000, `${timeout}`);
    await client.update(udp(1), { timeout: 0 });
    assert.is(await client.get(udp(1)), undefined);
  });

  test('status bits are added; a fixed timeout is refused with what it means', async () => {
    await client.create(udp(1));
    const before = (await client.get(udp(1)))!.status!;
    await client.update(udp(1), { status: before | IPS.ASSURED | IPS.FIXED_TIMEOUT });
    assert.is((await client.get(udp(1)))!.status, before | IPS.ASSURED | IPS.FIXED_TIMEOUT);
    assert.match(await refusal(client.update(udp(1), { timeout: 1 })), /EPERM.*timeout is fixed/);
    assert.match(await refusal(client.update(udp(1), { status: before })), /EBUSY.*cannot be changed/);
  });

  test('a zone of both directions, and of one', async () => {
    await client.create(udp(1, { zone: 9 }));
    assert.is(await client.get(udp(1)), undefined);
    assert.is((await client.get({ ...udp(1), zone: 9 }))?.zone, 9);
    assert.match(listed('ipv4', '-w', '9')[0]!, /zone=9/);
    assert.is(await client.delete(udp(1)), 'absent');
    const inZone = await client.get({ ...udp(1), zone: 9 });
    assert.is(await client.delete(inZone!), 'deleted');

    const { originalTuple } = udp(2);
    await client.create(udp(2, { originalTuple: { ...originalTuple, zone: 7 } } as Partial<NewFlow>));
    assert.match(listed('ipv4')[0]!, /zone-orig=7/);
    const [flow] = await all(client);
    assert.is(flow!.originalTuple.zone, 7);
    assert.is(flow!.zone, undefined);
    assert.is((await client.get(flow!))?.id, flow!.id);
    assert.is((await all(client, { zone: 7 })).length, 1);
    assert.is((await all(client, { zone: 0 })).length, 0);
    assert.is(await client.delete(flow!), 'deleted');
  });

  test('NAT: the kernel makes the reply tuple', async () => {
    await client.create(
      udp(1, { sourceNat: { minIpv4: '203.0.113.7', ports: { minPort: 5000, maxPort: 5010 } } }),
    );
    const snat = (await client.get(udp(1)))!;
    assert.is(snat.replyTuple.destination, '203.0.113.7');
    assert.ok(snat.replyTuple.destinationPort! >= 5000 && snat.replyTuple.destinationPort! <= 5010);
    assert.ok(snat.status! & IPS.SRC_NAT);
    assert.is(listed('ipv4', '--src-nat').length, 1);
    await client.create(udp(2, { destinationNat: { minIpv4: '203.0.113.8' } }));
    const dnat = (await client.get(udp(2)))!;
    assert.is(dnat.replyTuple.source, '203.0.113.8');
    assert.ok(dnat.status! & IPS.DST_NAT);
  });

  test('labels need a rule that sets them; then they change under a mask', async () => {
    await client.create(udp(1));
    const labels = Uint8Array.from([8, 0, 0, 0]);
    assert.match(await refusal(client.update(udp(1), { labels })), /ENOSPC.*a rule must use labels/);
    if (spawnSync('nft', ['add', 'table', 'ip', 'l']).status !== 0) return;
    sh('nft', 'add', 'chain', 'ip', 'l', 'c', '{ type filter hook input priority 0; }');
    sh('nft', 'add', 'rule', 'ip', 'l', 'c', 'ct', 'label', 'set', '1');
    await client.create(udp(2, { labels: Uint8Array.from([8, 0, 0, 0]) }));
    const whole = (bytes: number[]) => Uint8Array.from([...bytes, ...new Array(16 - bytes.length).fill(0)]);
    assert.equal((await client.get(udp(2)))?.labels, whole([8]));
    const mask = Uint8Array.from([2, 0, 0, 0]);
    await client.update(udp(2), { labels: mask, labelsMask: mask });
    assert.equal((await client.get(udp(2)))?.labels, whole([10]));
  });

  test('sequence adjustments and synproxy come back as they were given', async () => {
    const originalTuple = { ...v4, protocol: IPPROTO.TCP, ...ports };
    const originalSequenceAdjustment = { correctionPosition: 111, offsetBefore: 2, offsetAfter: 4 };
    const replySequenceAdjustment = { correctionPosition: 222, offsetBefore: -2, offsetAfter: -4 };
    const synproxy = { isn: 0x11111111, its: 0x22222222, timestampOffset: 0xfffffff0 };
    const status = IPS.SEQ_ADJUST;
    await client.create({
      ...{ originalTuple, timeout: 100, status, originalSequenceAdjustment, replySequenceAdjustment },
      ...{ sourceNat: { minIpv4: '192.0.2.1' }, synproxy },
    });
    const found = (await client.get({ originalTuple }))!;
    assert.equal(found.originalSequenceAdjustment, originalSequenceAdjustment);
    assert.equal(found.replySequenceAdjustment, replySequenceAdjustment);
    if (found.synproxy) assert.equal(found.synproxy, synproxy);
  });

  test('counters and timestamps, and zeroing', async () => {
    const sysctl = '/proc/sys/net/netfilter/nf_conntrack_';
    sh('sh', '-c', `echo 1 > ${sysctl}acct; echo 1 > ${sysctl}timestamp`);
    await client.create(udp(1));
    const found = (await client.get(udp(1)))!;
    assert.equal(found.originalCounters, { packets: 0n, bytes: 0n });
    const age = Date.now() - Number(found.timestamps!.start! / 1000000n);
    assert.ok(Math.abs(age) < 60000, `${age}`);
    assert.is((await client.getAndZero(udp(1)))?.id, found.id);
    const zeroed: Flow[] = [];
    for await (const flow of client.listAndZero()) zeroed.push(flow);
    assert.is(zeroed.length, 1);
    sh('sh', '-c', `echo 0 > ${sysctl}acct; echo 0 > ${sysctl}timestamp`);
  });

  test('many are deleted at once, each with its outcome', async () => {
    for (let i = 1; i <= 100; i++) await client.create(udp(i));
    const keys = Array.from({ length: 150 }, (_, i) => udp(i + 1));
    const outcomes = await client.deleteMany(keys);
    assert.is(outcomes.length, 150);
    outcomes.forEach(({ outcome }, i) => {
      assert.is(outcome, i < 100 ? 'deleted' : 'absent');
    });
    assert.equal(await client.deleteMany([]), []);
    assert.is((await all(client)).length, 0);
  });

  test('flushing one family leaves the other', async () => {
    await client.create(udp(1));
    await client.create(protocols.find(({ name }) => name === 'udp over IPv6')!.flow);
    await client.flushTable(AF.INET6);
    assert.equal(
      (await all(client)).map(({ family }) => family),
      [AF.INET],
    );
    await client.flushTable();
    assert.is((await all(client)).length, 0);
  });

  test('counts, statistics, dying and unconfirmed', async () => {
    await client.create(udp(1));
    const { entries, maxEntries } = await client.count();
    assert.is(entries, 1);
    assert.ok(maxEntries! > 0);
    const cpus = await client.statistics();
    assert.is(cpus.length, conntrack('-S').trim().split('\n').length);
    assert.equal(
      cpus.map(({ cpu }) => cpu),
      [...cpus.keys()],
    );
    assert.type(cpus[0]!.insert, 'number');
    for await (const flow of client.listDying()) assert.type(flow.id, 'number');
    for await (const flow of client.listUnconfirmed()) assert.unreachable(`${flow.id}`);
  });
}

async function all(client: ConntrackClient, filter: FlowFilter = {}): Promise<Flow[]> {
  const flows: Flow[] = [];
  for await (const flow of client.list(filter)) flows.push(withoutAge(flow));
  return flows;
}

/** A flow without what changes while it is looked at. */
function withoutAge(flow: Flow): Flow {
  return { ...flow, timeout: undefined, use: undefined };
}

async function refusal(asked: Promise<unknown>): Promise<string> {
  try {
    await asked;
  } catch (error) {
    assert.instance(error, KernelError);
    return (error as Error).message;
  }
  throw new Error('the kernel did not refuse');
}
