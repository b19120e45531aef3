/** Whether a network, or one of a set of networks, holds an address. */
import fc from 'fast-check';
import { Address4, Address6 } from 'ip-address';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { networkText } from '../../src/daemon/config/networks.ts';
import { contains, NetworkSet } from '../../src/daemon/network.ts';
import type { Network } from '../../src/daemon/plan.ts';
import { formatAddress, parseAddress } from '../../src/nfnetlink/address.ts';
import { INET, INET6, network } from '../support/plans.ts';

const cases: readonly [net: string, address: string, holds: boolean][] = [
  ['192.0.2.0/24', '192.0.2.0', true],
  ['192.0.2.0/24', '192.0.2.255', true],
  ['192.0.2.0/24', '192.0.3.0', false],
  ['192.0.2.0/24', '192.0.1.255', false],
  ['192.0.2.128/25', '192.0.2.127', false],
  ['192.0.2.7/32', '192.0.2.7', true],
  ['192.0.2.7/32', '192.0.2.6', false],
  ['0.0.0.0/0', '255.255.255.255', true],
  ['128.0.0.0/1', '128.0.0.0', true],
  ['128.0.0.0/1', '127.255.255.255', false],
  ['192.0.2.6/31', '192.0.2.7', true],
  ['192.0.2.6/31', '192.0.2.8', false],
  ['2001:db8::/32', '2001:db8:ffff::1', true],
  ['2001:db8::/32', '2001:db9::', false],
  ['2001:db8::/33', '2001:db8:8000::', false],
  ['2001:db8::1/128', '2001:db8::1', true],
  ['2001:db8::1/128', '2001:db8::', false],
  ['::/0', 'ffff::', true],
  ['fe80::/10', 'febf::1', true],
  ['fe80::/10', 'fec0::1', false],
];

for (const [net, address, holds] of cases) {
  test(`${net} ${holds ? 'holds' : 'does not hold'} ${address}`, () => {
    const bytes = Uint8Array.of(0xa5, 0xa5, 0xa5, ...parseAddress(address)!, 0xa5);
    const family = address.includes(':') ? INET6 : INET;
    assert.is(contains(network(net), bytes, 3), holds);
    assert.is(new NetworkSet([network(net)]).has(family, bytes, 3), holds);
    assert.is(new NetworkSet([]).has(family, bytes, 3), false);
  });
}

test('the families do not mix', () => {
  const all = new NetworkSet([network('0.0.0.0/0')]);
  assert.is(all.has(INET6, new Uint8Array(16), 0), false);
  assert.is(new NetworkSet([network('::/0')]).has(INET, new Uint8Array(4), 0), false);
});

// few different bits, so that networks and addresses meet
const octet = fc.constantFrom(0, 1, 127, 128, 129, 192, 254, 255);
const addressOf = (length: number) =>
  fc.array(octet, { minLength: length, maxLength: length }).map((bytes) => Uint8Array.from(bytes));
const networkOf = (length: number): fc.Arbitrary<Network> =>
  fc.tuple(addressOf(length), fc.nat(8 * length)).map(([bytes, prefix]) => {
    const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
    const kept = bits.slice(0, prefix).padEnd(8 * length, '0');
    return { address: bytes.map((_, i) => Number.parseInt(kept.slice(8 * i, 8 * i + 8), 2)), prefix };
  });

for (const [length, family, Address] of [
  [4, INET, Address4],
  [16, INET6, Address6],
] as const) {
  test(`a set of IPv${family === INET ? 4 : 6} networks holds what ip-address says that one of them holds`, () => {
    const found = { true: 0, false: 0 };
    const near = fc.tuple(networkOf(length), addressOf(length)).map(([{ address, prefix }, bytes]) => {
      // the network's own bits, then those of the address
      return bytes.map((byte, i) => {
        const mask = (0xff00 >> Math.min(8, Math.max(0, prefix - 8 * i))) & 0xff;
        return (address[i]! & mask) | (byte & ~mask);
      });
    });
    fc.assert(
      fc.property(
        fc.array(networkOf(length), { maxLength: 5 }),
        fc.oneof(addressOf(length), near),
        (networks, bytes) => {
          const text = formatAddress(bytes);
          const expected = networks.some((each) =>
            (new Address(text) as Address4).isInSubnet(new Address(networkText(each)) as Address4),
          );
          found[`${expected}`]++;
          assert.is(
            new NetworkSet(networks).has(family, bytes, 0),
            expected,
            `${text} in ${networks.map(networkText)}`,
          );
          // networks of the other family change nothing
          const mixed = [...networks, network(family === INET ? '::/0' : '0.0.0.0/0')];
          assert.is(new NetworkSet(mixed).has(family, bytes, 0), expected);
        },
      ),
      { numRuns: 1500 },
    );
    assert.ok(found.true > 50 && found.false > 50, JSON.stringify(found));
  });
}

test.run();
