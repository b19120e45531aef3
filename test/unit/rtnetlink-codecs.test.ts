/**
 * Addresses, routes and links as a kernel sent them. Captured on Linux 6.18 (little-endian) in a namespace
 * made by: ip link add v0 type veth peer name v1; ip addr add 192.0.2.1/24 broadcast + dev v0;
 * ip addr add 10.9.0.1 peer 10.9.0.2/32 dev v1; ip addr add 2001:db8:9::1 peer 2001:db8:9::2/128 dev v1 nodad;
 * ip route add 198.51.100.0/24 via 192.0.2.9; ip route add default via 192.0.2.9;
 * ip route add 203.0.113.0/24 dev v1 table 1000; ip route add 2001:db8:5::/48 via 2001:db8:1::9;
 * with a Python socket that sent RTM_GETADDR, RTM_GETROUTE and RTM_GETLINK with NLM_F_DUMP and printed the
 * replies (`strace -e trace=recvmsg -xx ip -4 route show table all` shows the same).
 */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseAddress } from '../../src/nfnetlink/address.ts';
import { fromHex, hostIsLittleEndian, toHex } from '../../src/nfnetlink/bytes.ts';
import { type Codec, encodePayload } from '../../src/nfnetlink/codec.ts';
import { DecodeError, EncodeError } from '../../src/nfnetlink/errors.ts';
import { type Address, address } from '../../src/rtnetlink/address.ts';
import { link } from '../../src/rtnetlink/link.ts';
import { encodeAddressDump, encodeLinkDump, encodeRouteDump } from '../../src/rtnetlink/request.ts';
import { type Route, route, tableOf } from '../../src/rtnetlink/route.ts';
import { checkCodec, present } from '../support/checkCodec.ts';

const ip = (text: string) => parseAddress(text)!;
const always = 'ffffffffffffffff';
const times = 'a9500500a9500500';

/** Payloads behind the nlmsghdr, in the very order of our tables. */
const addresses: readonly { hex: string; value: Address }[] = [
  {
    hex: `02188000 03000000 08000100c0000201 08000200c0000201 08000400c00002ff 0700030076300000 0800080080000000 14000600${always}${times}`,
    value: {
      family: 2,
      prefixLength: 24,
      shortFlags: 0x80,
      scope: 0,
      index: 3,
      address: ip('192.0.2.1'),
      local: ip('192.0.2.1'),
      broadcast: ip('192.0.2.255'),
      label: 'v0',
      flags: 0x80,
      cacheInfo: fromHex(always + times)!,
    },
  },
  {
    hex: `02208000 02000000 080001000a090002 080002000a090001 0700030076310000 0800080080000000 14000600${always}${times}`,
    value: {
      family: 2,
      prefixLength: 32,
      shortFlags: 0x80,
      scope: 0,
      index: 2,
      address: ip('10.9.0.2'),
      local: ip('10.9.0.1'),
      label: 'v1',
      flags: 0x80,
      cacheInfo: fromHex(always + times)!,
    },
  },
];

const head = { sourcePrefix: 0, tos: 0, flags: 0 };
const routes: readonly { hex: string; value: Route }[] = [
  {
    hex: '02180000fe02fd0100000000 08000f00fe000000 08000100c0000200 08000700c0000201 0800040003000000',
    value: {
      ...head,
      family: 2,
      destinationPrefix: 24,
      shortTable: 254,
      protocol: 2,
      scope: 253,
      type: 1,
      table: 254,
      destination: ip('192.0.2.0'),
      preferredSource: ip('192.0.2.1'),
      outLink: 3,
    },
  },
  {
    hex: '02000000fe03000100000000 08000f00fe000000 08000500c0000209 0800040003000000',
    value: {
      ...head,
      family: 2,
      destinationPrefix: 0,
      shortTable: 254,
      protocol: 3,
      scope: 0,
      type: 1,
      table: 254,
      gateway: ip('192.0.2.9'),
      outLink: 3,
    },
  },
  {
    hex: '02180000fc03fd0100000000 08000f00e8030000 08000100cb007100 0800040002000000',
    value: {
      ...head,
      family: 2,
      destinationPrefix: 24,
      shortTable: 252,
      protocol: 3,
      scope: 253,
      type: 1,
      table: 1000,
      destination: ip('203.0.113.0'),
      outLink: 2,
    },
  },
  {
    hex:
      '0a300000fe03000100000000 08000f00fe000000 1400010020010db8000500000000000000000000 0800060000040000 ' +
      '1400050020010db8000100000000000000000009 0800040003000000 ' +
      '24000c000000000000000000000000000000000000000000000000000000000000000000 0500140000000000',
    value: {
      ...head,
      family: 10,
      destinationPrefix: 48,
      shortTable: 254,
      protocol: 3,
      scope: 0,
      type: 1,
      table: 254,
      destination: ip('2001:db8:5::'),
      priority: 1024,
      gateway: ip('2001:db8:1::9'),
      outLink: 3,
      cacheInfo: new Uint8Array(32),
      preference: 0,
    },
  },
];

/** IPv6 puts IFA_LOCAL first, and the flags behind the lifetimes. */
const peer6 =
  '0a8082000200000014000200 20010db8000900000000000000000001 14000100 20010db8000900000000000000000002 ' +
  `14000600${always}${times} 0800080082000000`;

/** The beginning of a veth's 1492 bytes, and the end of an address. */
const veth =
  '00000100 02000000 43100100 00000000 0700030076310000 08000d00e8030000 0500100006000000 08000400dc050000 ' +
  '0a0001005a29f8316bab0000 0800050003000000';

if (hostIsLittleEndian) {
  test('addresses', () => checkCodec(address, addresses));
  test('routes', () => checkCodec(route, routes));

  test('an IPv6 address with a peer, in an order of its own', () => {
    const bytes = fromHex(peer6)!;
    const value = address.decode(bytes, 0, bytes.length);
    assert.equal(value.local, ip('2001:db8:9::1'));
    assert.equal(value.address, ip('2001:db8:9::2'));
    assert.is(value.flags, 0x82);
    const again = encodePayload(address, value);
    assert.equal(present(address.decode(again, 0, again.length)), present(value));
  });

  test('a link, other attributes skipped', () => {
    const bytes = fromHex(veth)!;
    assert.equal(present(link.decode(bytes, 0, bytes.length)), {
      family: 0,
      padding: 0,
      type: 1,
      index: 2,
      flags: 0x11043,
      change: 0,
      name: 'v1',
      operationalState: 6,
      mtu: 1500,
      lower: 3,
      hardwareAddress: Uint8Array.of(0x5a, 0x29, 0xf8, 0x31, 0x6b, 0xab),
    });
  });

  test('dump requests', () => {
    const lead = (length: string, type: string) => `${length}000000${type}0001030000000000000000`;
    assert.is(toHex(encodeAddressDump(2)), `${lead('18', '16')}0200000000000000`);
    assert.is(toHex(encodeRouteDump(10)), `${lead('1c', '1a')}0a0000000000000000000000`);
    assert.is(toHex(encodeLinkDump()), `${lead('20', '12')}${'00'.repeat(16)}`);
  });
}

test("a route's table, also beyond eight bits", () => {
  const [main, , far] = routes.map(({ value }) => value);
  assert.is(tableOf(main!), 254);
  assert.is(tableOf(far!), 1000);
  assert.is(tableOf({ ...far!, table: undefined, shortTable: 255 }), 255);
});

test('a structure wants all of its fields, within their bounds', () => {
  const { value } = addresses[0]!;
  for (const [wrong, path] of [
    [{ ...value, prefixLength: 256 }, 'prefixLength'],
    [{ ...value, index: -1 }, 'index'],
    [{ ...value, scope: undefined as unknown as number }, 'scope'],
  ] as const) {
    try {
      address.byteLength(wrong);
      assert.unreachable(path);
    } catch (error) {
      assert.instance(error, EncodeError);
      assert.is((error as EncodeError).path, path);
    }
  }
});

test('any bytes are a value or a DecodeError', () => {
  const captured = [...addresses, ...routes].map(({ hex }) => fromHex(hex)!);
  const mutated = fc
    .tuple(fc.constantFrom(...captured), fc.array(fc.tuple(fc.nat(), fc.nat(255))))
    .map(([bytes, edits]) => {
      const copy = bytes.slice();
      for (const [at, byte] of edits) copy[at % copy.length] = byte;
      return copy;
    });
  const codecs: readonly Codec<unknown>[] = [address, route, link] as readonly Codec<unknown>[];
  fc.assert(
    fc.property(
      fc.constantFrom(...codecs),
      fc.oneof(mutated, fc.uint8Array({ maxLength: 96 })),
      (codec, bytes) => {
        try {
          codec.decode(bytes, 0, bytes.length);
        } catch (error) {
          assert.instance(error, DecodeError, String(error));
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test.run();
