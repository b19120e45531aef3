/** Filters against conntrack(8) and against the plain comparison, whatever part of them the kernel runs. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ConntrackClient as Client,
  type ConntrackClient,
  ctnetlink,
  encodeListFlows,
  type Flow,
  type FlowFilter,
  FlowView,
  IPPROTO,
  IPS,
  type KernelFeatures,
} from '../../src/ctnetlink/index.ts';
import { AF, EncodeError, openConnection, type Requester } from '../../src/nfnetlink/index.ts';
import { hasCommand, insideNamespace, sh, skipFile } from '../support/namespace.ts';

const everything: KernelFeatures = { tupleFilter: true, zoneFilter: true };
const nothing: KernelFeatures = { tupleFilter: false, zoneFilter: false };

await insideNamespace(import.meta.url, async () => {
  if (!hasCommand('conntrack'))
    skipFile(import.meta.url, 'no `conntrack` command (Debian package conntrack)');
  const connection = await openConnection({ subsystems: [ctnetlink] });
  const withKernel = new Client(connection, { features: everything });
  const without = new Client(connection, { features: nothing });
  await fill(withKernel);
  defineTests(connection, withKernel, without);
  test.after(() => connection.close());
  test.run();
});

/** A hundred flows that differ in all that a filter compares. */
async function fill(client: ConntrackClient): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const isIpv6 = i % 3 === 0;
    const protocol = [IPPROTO.TCP, IPPROTO.UDP, IPPROTO.UDPLITE, 253][i % 4]!;
    const ports = protocol === 253 ? {} : { sourcePort: 1000 + (i % 5), destinationPort: 80 + (i % 2) };
    const [source, destination] = isIpv6
      ? [`2001:db8::${(i % 7) + 1}`, `2001:db8:1::${i + 1}`]
      : [`192.0.2.${(i % 7) + 1}`, `198.51.100.${i + 1}`];
    await client.create({
      originalTuple: { source: source!, destination: destination!, protocol, ...ports },
      timeout: 600,
      mark: (i % 6) * 0x100 + (i % 2),
      status: i % 2 ? IPS.SEEN_REPLY : IPS.SEEN_REPLY | IPS.ASSURED,
      ...(i % 10 === 0 && { zone: 9 }),
    });
  }
}

async function ids(client: ConntrackClient, filter: FlowFilter): Promise<number[]> {
  const list: number[] = [];
  for await (const { id } of client.list(filter)) list.push(id);
  return list.sort((a, b) => a - b);
}

function defineTests(connection: Requester, withKernel: ConntrackClient, without: ConntrackClient): void {
  const conntrackCount = (...args: string[]) =>
    sh('conntrack', '-L', ...args)
      .split('\n')
      .filter((line) => line !== '').length;

  const filters: readonly (readonly [FlowFilter, readonly string[] | undefined])[] = [
    [{}, ['-f', 'ipv4']],
    [{ family: AF.INET }, ['-f', 'ipv4']],
    [{ family: AF.INET6 }, ['-f', 'ipv6']],
    [{ family: AF.INET, protocol: IPPROTO.TCP }, ['-f', 'ipv4', '-p', 'tcp']],
    [{ family: AF.INET6, protocol: IPPROTO.UDP }, ['-f', 'ipv6', '-p', 'udp']],
    [{ family: AF.INET, mark: 0x200 }, ['-f', 'ipv4', '-m', '512']],
    [{ family: AF.INET, mark: 0x200, markMask: 0xff00 }, ['-f', 'ipv4', '-m', '512/65280']],
    [{ family: AF.INET6, mark: 0 }, ['-f', 'ipv6', '-m', '0']],
    [{ family: AF.INET, status: IPS.ASSURED }, ['-f', 'ipv4', '-u', 'ASSURED']],
    [{ family: AF.INET, status: 0, statusMask: IPS.ASSURED }, undefined],
    [{ family: AF.INET, zone: 9 }, ['-f', 'ipv4', '-w', '9']],
    [{ family: AF.INET, zone: 0 }, ['-f', 'ipv4', '-w', '0']],
    [{ original: { source: '192.0.2.2' } }, ['-f', 'ipv4', '-s', '192.0.2.2']],
    [{ original: { source: '192.0.2.0/30' } }, ['-f', 'ipv4', '-s', '192.0.2.0/30']],
    [{ original: { destination: '198.51.100.2' } }, ['-f', 'ipv4', '-d', '198.51.100.2']],
    [{ original: { source: '2001:db8::2' } }, ['-f', 'ipv6', '-s', '2001:db8::2']],
    [{ original: { destination: '2001:db8:1::/64' } }, ['-f', 'ipv6', '-d', '2001:db8:1::/64']],
    [{ reply: { source: '198.51.100.2' } }, ['-f', 'ipv4', '-r', '198.51.100.2']],
    [
      { family: AF.INET, protocol: IPPROTO.TCP, original: { destinationPort: 80 } },
      ['-f', 'ipv4', '-p', 'tcp', '--dport', '80'],
    ],
    [
      { family: AF.INET6, protocol: IPPROTO.UDP, original: { sourcePort: 1001, destinationPort: 81 } },
      ['-f', 'ipv6', '-p', 'udp', '--sport', '1001', '--dport', '81'],
    ],
    [{ family: AF.INET, protocol: IPPROTO.UDPLITE, original: { sourcePort: 1001 } }, undefined],
    [{ original: { destinationPort: 80 } }, undefined],
    [
      {
        ...{ family: AF.INET, protocol: IPPROTO.TCP, mark: 0x200, markMask: 0xff00, zone: 0 },
        ...{ original: { source: '192.0.2.0/29' }, reply: { sourcePort: 80 } },
      },
      undefined,
    ],
  ];

  for (const [filter, args] of filters) {
    test(`${JSON.stringify(filter)}`, async () => {
      const found = await ids(withKernel, filter);
      assert.equal(found, await ids(without, filter), 'the kernel takes part, or not');
      assert.is(new Set(found).size, found.length);
      if (Object.keys(filter).length > 0) {
        assert.ok(found.length > 0, 'the filter fits some flows');
        assert.ok(found.length < 100, 'and not all');
      }
      if (!args) return;
      const others = Object.keys(filter).length === 0 ? conntrackCount('-f', 'ipv6') : 0;
      assert.is(found.length, conntrackCount(...args) + others);
    });
  }

  test('visiting tells the same as listing', async () => {
    const filter: FlowFilter = { protocol: IPPROTO.UDP };
    const seen: number[] = [];
    await withKernel.visit(filter, (view) => seen.push(view.id));
    assert.equal(
      seen.sort((a, b) => a - b),
      await ids(withKernel, filter),
    );
  });

  test('the kernel itself compares what the plan hands to it', async () => {
    const { attributes, family, inKernel, inUserSpace, matches } = withKernel.plan({
      ...{ family: AF.INET, protocol: IPPROTO.TCP, mark: 0x200, markMask: 0xff00 },
      ...{ status: IPS.ASSURED, original: { source: '192.0.2.2', destinationPort: 80 } },
    });
    assert.equal(inKernel, [
      ...['family', 'mark', 'status', 'protocol'],
      ...['original.source', 'original.destinationPort'],
    ]);
    assert.equal(inUserSpace, []);
    // asked without the comparison of user space, it lists no flow too many
    const view = new FlowView();
    let listed = 0;
    await connection.visit(encodeListFlows(family, attributes), (bytes, start, end) => {
      listed += 1;
      assert.ok(matches(view.attach(bytes, start, end)));
    });
    assert.ok(listed > 0);
  });

  test('a filter that cannot be is an EncodeError before anything is sent', async () => {
    for (const filter of [
      { mark: 1, markMask: 2 },
      { markMask: 2 },
      { status: 0 },
      { family: 7 },
      { family: AF.INET6, original: { source: '192.0.2.1' } },
      { original: { source: '192.0.2.0/33' } },
      { original: { source: '192.0.2.0/x' } },
      { original: { source: 'fd00::1' }, reply: { source: '192.0.2.1' } },
      { zone: 65543 },
      { original: { sourcePort: 65536 } },
    ] as FlowFilter[]) {
      assert.throws(
        () => withKernel.list(filter),
        (error: unknown) => error instanceof EncodeError,
        JSON.stringify(filter),
      );
    }
  });

  test('leaving a list early leaves the connection usable', async () => {
    let first: Flow | undefined;
    for await (const flow of withKernel.list({ family: AF.INET })) {
      first = flow;
      break;
    }
    assert.is((await withKernel.get(first!))?.id, first!.id);
  });
}
