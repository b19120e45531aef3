import { isIP, isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { Address4, Address6 } from 'ip-address';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  formatAddress,
  formatIpv4,
  formatIpv6,
  parseAddress,
  parseIpv4,
  parseIpv6,
} from '../../src/nfnetlink/address.ts';

fc.configureGlobal({ seed: 4711 });

/** Addresses with the long runs of zeros that uniform bytes never have. */
const v6Bytes = fc
  .array(fc.oneof(fc.constant(0), fc.constant(0xffff), fc.nat(0xffff), fc.nat(0xf)), {
    minLength: 8,
    maxLength: 8,
  })
  .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])));

const v4Bytes = fc.uint8Array({ minLength: 4, maxLength: 4 });

/** What ip-address makes of the bytes, in RFC 5952's form. */
function oracleV6(bytes: Uint8Array): string {
  return Address6.fromByteArray([...bytes]).correctForm();
}

test('10,000 IPv6 addresses are written as ip-address writes them, and read back', () => {
  fc.assert(
    fc.property(v6Bytes, (bytes) => {
      const text = formatIpv6(bytes);
      assert.is(isIPv6(text), true, text);
      assert.equal(parseIpv6(text), bytes, text);
      // the one difference: a mapped or compatible address has a dotted tail here
      if (!text.includes('.')) assert.is(text, oracleV6(bytes));
      else assert.is(new Address6(text).correctForm(), oracleV6(bytes));
    }),
    { numRuns: 10_000 },
  );
});

test('the text of an IPv6 address is the one that inet_ntop prints', () => {
  const cases: Record<string, string> = {
    '00000000000000000000000000000000': '::',
    '00000000000000000000000000000001': '::1',
    '00010000000000000000000000000000': '1::',
    '20010db8000000000000000000000001': '2001:db8::1',
    '20010db8000000010001000100010001': '2001:db8:0:1:1:1:1:1',
    '20010db8000000000001000000000001': '2001:db8::1:0:0:1',
    '00010000000000000002000000000003': '1::2:0:0:3',
    '00000000000000000000ffff0a000001': '::ffff:10.0.0.1',
    '0000000000000000000000000a000001': '::10.0.0.1',
    '0000000000000000ffff00000a000001': '::ffff:0:a00:1',
    fe80000000000000020000fffe000001: 'fe80::200:ff:fe00:1',
    ffffffffffffffffffffffffffffffff: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    '00010002000300040005000600070000': '1:2:3:4:5:6:7:0',
    '00000002000300040005000600070008': '0:2:3:4:5:6:7:8',
    '00010002000300040005000600000000': '1:2:3:4:5:6::',
  };
  for (const [hex, text] of Object.entries(cases)) {
    const bytes = Uint8Array.from(hex.match(/../g)!, (pair) => Number.parseInt(pair, 16));
    assert.is(formatIpv6(bytes), text);
    assert.equal(parseIpv6(text), bytes);
  }
});

test('an IPv4 address is written and read at any offset', () => {
  fc.assert(
    fc.property(v4Bytes, fc.nat(9), (bytes, offset) => {
      const field = new Uint8Array(16).fill(0xee);
      field.set(bytes, offset);
      const text = formatIpv4(field, offset);
      assert.is(isIPv4(text), true);
      assert.is(text, new Address4(text).correctForm());
      assert.equal(parseIpv4(text), bytes);
      assert.equal(parseAddress(text), bytes);
      assert.is(formatAddress(bytes), text);
    }),
  );
});

test('an IPv6 address is written at any offset', () => {
  fc.assert(
    fc.property(v6Bytes, fc.nat(9), (bytes, offset) => {
      const field = new Uint8Array(32).fill(0xee);
      field.set(bytes, offset);
      assert.is(formatIpv6(field, offset), formatAddress(bytes));
      assert.equal(parseAddress(formatAddress(bytes)), bytes);
    }),
  );
});

const addressLike = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEFg:./% x'), maxLength: 24 }),
  fc.array(fc.nat(300), { minLength: 3, maxLength: 5 }).map((parts) => parts.join('.')),
  fc
    .array(fc.constantFrom('', '0', '1', 'ffff', '12345', '1.2.3.4'), { maxLength: 10 })
    .map((p) => p.join(':')),
);

test('what node:net calls an address is one, and nothing else', () => {
  fc.assert(
    fc.property(addressLike, (text) => {
      // a zone is no part of the sixteen bytes
      const zoned = text.includes('%');
      assert.is(parseIpv4(text) !== undefined, isIP(text) === 4, JSON.stringify(text));
      assert.is(parseIpv6(text) !== undefined, !zoned && isIP(text) === 6, JSON.stringify(text));
    }),
    { numRuns: 20_000 },
  );
});

test('other ways to write an address are read too', () => {
  const expected = formatIpv6;
  assert.is(expected(parseIpv6('2001:0DB8:0:0::0001')!), '2001:db8::1');
  assert.is(expected(parseIpv6('::ffff:0a00:1')!), '::ffff:10.0.0.1');
  assert.is(expected(parseIpv6('1:2:3:4:5:6:7.8.9.10')!), '1:2:3:4:5:6:708:90a');
});

test('a text is an IPv4 address where ip-address says so, and the same one', () => {
  const part = fc.oneof(
    fc.nat(300).map(String),
    fc.constantFrom('', '0', '00', '01', '007', '1e1', '0x1', ' 1', '+1', '-1', '256', '٣'),
  );
  const texts = fc.array(part, { minLength: 3, maxLength: 5 }).map((parts) => parts.join('.'));
  fc.assert(
    fc.property(texts, (text) => {
      let wanted: number[] | undefined;
      try {
        wanted = new Address4(text).toArray();
      } catch {
        wanted = undefined;
      }
      assert.equal(parseIpv4(text), wanted && Uint8Array.from(wanted), JSON.stringify(text));
    }),
    { numRuns: 10_000 },
  );
});

test.run();
