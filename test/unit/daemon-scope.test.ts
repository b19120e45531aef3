/** What a flow's ends say of whether it is any of the daemon's business, and what its mark says. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MarkTable } from '../../src/daemon/intake.ts';
import { NetworkSet } from '../../src/daemon/network.ts';
import { outOfScope, type Surroundings } from '../../src/daemon/scope.ts';
import type { IgnoreReason } from '../../src/daemon/verdict.ts';
import { flow, network, uplink } from '../support/plans.ts';

const nothing: Surroundings = {
  connected: new NetworkSet([]),
  exemptDestinations: new NetworkSet([]),
  exemptSources: new NetworkSet([]),
  exemptPorts: [],
};
const some: Surroundings = {
  connected: new NetworkSet(['192.168.1.0/24', '192.0.2.1', '2001:db8:1::/64'].map(network)),
  exemptDestinations: new NetworkSet(['198.51.100.0/24', '2001:db8:ee::/48'].map(network)),
  exemptSources: new NetworkSet(['192.168.9.0/24', '2001:db8:9::/64'].map(network)),
  exemptPorts: [{ protocol: 17, ports: { from: 53, to: 53 } }, { ports: { from: 5000, to: 5010 } }],
};
const [lan4, lan6] = ['192.168.1.7', '2001:db8:1::7'];

const ends: readonly [source: string, destination: string, reason: IgnoreReason | undefined][] = [
  [lan4, '203.0.113.10', undefined],
  [lan6, '2001:db8:2::10', undefined],
  [lan4, '127.0.0.1', 'loopback'],
  [lan4, '127.255.255.255', 'loopback'],
  [lan4, '126.255.255.255', undefined],
  [lan4, '128.0.0.1', undefined],
  [lan4, '169.254.0.1', 'link-local'],
  [lan4, '169.253.255.255', undefined],
  [lan4, '169.255.0.0', undefined],
  [lan4, '223.255.255.255', undefined],
  [lan4, '224.0.0.0', 'multicast'],
  [lan4, '239.255.255.250', 'multicast'],
  [lan4, '240.0.0.1', undefined],
  [lan4, '255.255.255.254', undefined],
  [lan4, '255.255.255.255', 'broadcast'],
  [lan6, '::1', 'loopback'],
  [lan6, '::2', undefined],
  [lan6, '1::1', undefined],
  [lan6, 'fe80::1', 'link-local'],
  [lan6, 'febf:ffff::1', 'link-local'],
  [lan6, 'fec0::1', undefined],
  [lan6, 'fe7f::1', undefined],
  [lan6, 'ff02::fb', 'multicast'],
  [lan6, 'feff::1', undefined],
  [lan4, '192.168.1.255', 'connected'],
  [lan4, '192.168.2.0', undefined],
  [lan4, '192.0.2.1', 'connected'],
  [lan4, '192.0.2.2', undefined],
  [lan6, '2001:db8:1::ffff', 'connected'],
  [lan6, '2001:db8:1:1::1', undefined],
  [lan4, '198.51.100.200', 'exempt-destination'],
  [lan6, '2001:db8:ee:1::1', 'exempt-destination'],
  ['192.168.9.9', '203.0.113.10', 'exempt-source'],
  ['2001:db8:9::9', '2001:db8:2::10', 'exempt-source'],
  ['198.51.100.200', '203.0.113.10', undefined],
  [lan4, '192.168.9.9', undefined],
];

for (const [source, destination, reason] of ends) {
  test(`${source} to ${destination}: ${reason ?? 'in scope'}`, () => {
    assert.is(outOfScope(flow(source, destination), some), reason);
  });
}

test('with nothing around, only addresses with a meaning of their own are out of scope', () => {
  for (const [source, destination, reason] of ends) {
    const isSpecial = ['loopback', 'link-local', 'multicast', 'broadcast'].includes(reason ?? '');
    assert.is(outOfScope(flow(source, destination), nothing), isSpecial ? reason : undefined, destination);
  }
});

const exemptPorts: readonly [protocol: number, port: number, reason: IgnoreReason | undefined][] = [
  [17, 53, 'exempt-port'],
  [6, 53, undefined],
  [17, 54, undefined],
  [6, 5000, 'exempt-port'],
  [132, 5010, 'exempt-port'],
  [6, 5011, undefined],
  [6, 4999, undefined],
  // type and code of ICMP, call ids of GRE
  [1, 5000, undefined],
  [58, 5001, undefined],
  [47, 5002, undefined],
];

for (const [protocol, destinationPort, reason] of exemptPorts) {
  test(`protocol ${protocol} to port ${destinationPort}: ${reason ?? 'in scope'}`, () => {
    for (const [source, destination] of [
      [lan4, '203.0.113.10'],
      [lan6, '2001:db8:2::10'],
    ] as const) {
      assert.is(outOfScope(flow(source, destination, { protocol, destinationPort }), some), reason);
      assert.is(outOfScope(flow(source, destination, { protocol, destinationPort }), nothing), undefined);
    }
  });
}

test('a family that is neither', () => {
  assert.is(outOfScope({ ...flow(lan4, '127.0.0.1'), family: 7 }, some), 'unsupported-family');
});

test('a mark names an interface by the bits within the mask alone', () => {
  const interfaces = [
    uplink('a', { mark: 0x100 }),
    uplink('b', { mark: 0x200 }),
    uplink('c', { mark: 0x80000000 }),
  ];
  const marks = new MarkTable({ markMask: 0x80003f00, interfaces });
  const cases: readonly [mark: number, expected: ReturnType<MarkTable['interfaceOf']>][] = [
    [0x100, 0],
    [0x200, 1],
    [0x80000000, 2],
    [0x00ff01ff, 0],
    [0x7fffc2ff, 1],
    [0xfffc00ff, 2],
    [0, 'unmarked'],
    [0x7fffc0ff, 'unmarked'],
    [0x300, 'foreign-mark'],
    [0x3f00, 'foreign-mark'],
    [0x80000100, 'foreign-mark'],
  ];
  for (const [mark, expected] of cases)
    assert.is(marks.interfaceOf(mark), expected, `0x${mark.toString(16)}`);
});

test.run();
