import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { align4, attributeLength, typeOf, writeAttributeHeader } from '../../src/nfnetlink/attribute.ts';
import { fromHex, hostIsLittleEndian, toHex } from '../../src/nfnetlink/bytes.ts';
import {
  attr,
  attrs,
  type Codec,
  encodePayload,
  isNest,
  mapped,
  netByteOrder,
  repeated,
} from '../../src/nfnetlink/codec.ts';
import { NLA } from '../../src/nfnetlink/constants.ts';
import { DecodeError, EncodeError } from '../../src/nfnetlink/errors.ts';
import { bytes, ipv4, ipv6, text, u8, u16be, u32be, u64be } from '../../src/nfnetlink/scalar.ts';
import { checkCodec, present } from '../support/checkCodec.ts';

fc.configureGlobal({ seed: 4711 });

const INNER = { PORT: 1, ADDRESS: 2, MAC: 3 } as const;
const OUTER = { ID: 12, NAME: 2, INNER: 4, BIG: 1, LIST: 9, PAD: 27 } as const;

const inner = attrs('T_INNER', INNER, {
  port: netByteOrder(attr(INNER.PORT, u16be)),
  address: attr(INNER.ADDRESS, ipv6),
  mac: attr(INNER.MAC, bytes(6)),
});
// the declared order is not the order of the numbers, and not that of an object's fields
const outer = attrs('T', OUTER, {
  id: attr(OUTER.ID, u32be),
  name: attr(OUTER.NAME, text(31)),
  inner: attr(OUTER.INNER, inner),
  big: attr(OUTER.BIG, u64be),
  list: repeated(attr(OUTER.LIST, inner)),
  pad: attr(OUTER.PAD, u8),
});

const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const innerValue = fc.record({
  port: optional(fc.nat(0xffff)),
  address: optional(fc.constantFrom('::', '2001:db8::1', 'fe80::1', '::ffff:10.0.0.1')),
  mac: optional(fc.uint8Array({ minLength: 6, maxLength: 6 })),
});
const outerValue = fc.record({
  id: optional(fc.nat(0xffffffff)),
  name: optional(fc.string({ unit: fc.constantFrom(...'abc.-\u00e9'), maxLength: 15 })),
  inner: optional(innerValue),
  big: optional(fc.bigInt(0n, 0xffffffffffffffffn)),
  list: optional(fc.array(innerValue, { minLength: 1, maxLength: 5 })),
  pad: optional(fc.nat(255)),
});

test('a nest carries any value there and back', () => {
  fc.assert(
    fc.property(outerValue, (value) => {
      const encoded = encodePayload(outer, value);
      assert.is(encoded.length % 4, 0);
      assert.equal(present(outer.decode(encoded, 0, encoded.length)), present(value));
    }),
    { numRuns: 1000 },
  );
});

// network order inside, host order in the headers: these bytes are those of a little-endian machine
if (hostIsLittleEndian) {
  test('the bytes are those of the wire', () => {
    checkCodec(outer, [
      { hex: '', value: {} },
      { hex: '08000c00 00000007', value: { id: 7 } },
      { hex: '06000200 61 00 0000', value: { name: 'a' } },
      {
        hex: '08000c00 00000000 0c000480 06000140 0050 0000',
        value: { id: 0, inner: { port: 80 } },
      },
    ]);
    checkCodec(inner, [
      {
        hex: '06000140 01bb 0000 0a000300 020000000001 0000',
        value: { port: 443, mac: fromHex('020000000001')! },
      },
    ]);
    const listed = encodePayload(outer, { list: [{ port: 1 }, { port: 2 }], id: 5 });
    assert.is(toHex(listed), '08000c00000000050c00098006000140000100000c0009800600014000020000');
  });
}

test('encoding follows the table, never the object', () => {
  const one = encodePayload(outer, { pad: 1, big: 2n, id: 3 });
  const other = encodePayload(outer, { id: 3, pad: 1, big: 2n });
  assert.equal(one, other);
  const order: number[] = [];
  for (let at = 0; at < one.length; at += align4(one[at]! | (one[at + 1]! << 8))) order.push(typeOf(one, at));
  if (hostIsLittleEndian) assert.equal(order, [OUTER.ID, OUTER.BIG, OUTER.PAD]);
});

test('nests and network order are told by flag bits, which reading ignores', () => {
  const nested = encodePayload(outer, { inner: { port: 443 } });
  assert.is(nested[3]! & 0x80, 0x80);
  assert.is(nested[7]! & 0x40, 0x40);
  nested[3]! &= ~0x80;
  nested[7]! &= ~0x40;
  assert.equal(outer.decode(nested, 0, nested.length), { inner: { port: 443 } });
});

function attribute(type: number, payload: Uint8Array): Uint8Array {
  const whole = new Uint8Array(attributeLength(payload.length));
  whole.set(payload, writeAttributeHeader(whole, 0, type, payload.length));
  return whole;
}

const join = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

test('unknown attributes, anywhere, change nothing', () => {
  const unknown = fc.tuple(
    fc.integer({ min: 100, max: NLA.TYPE_MASK }),
    fc.constantFrom(0, NLA.F_NESTED, NLA.F_NET_BYTEORDER),
    fc.uint8Array({ maxLength: 40 }),
  );
  fc.assert(
    fc.property(outerValue, unknown, fc.boolean(), (value, [type, flags, payload], before) => {
      const stranger = attribute(type | flags, payload);
      const known = encodePayload(outer, value);
      const both = before ? join(stranger, known) : join(known, stranger);
      assert.equal(present(outer.decode(both, 0, both.length)), present(value));
    }),
  );
});

test('of two equal attributes the last wins, as in nla_parse', () => {
  const twice = join(encodePayload(outer, { id: 1 }), encodePayload(outer, { id: 2 }));
  assert.equal(outer.decode(twice, 0, twice.length), { id: 2 });
});

test('an empty attribute is a pad, but an empty nest and an empty text are values', () => {
  const padded = join(attribute(OUTER.ID, new Uint8Array(0)), encodePayload(outer, { big: 9n }));
  assert.equal(outer.decode(padded, 0, padded.length), { big: 9n });
  const behind = join(encodePayload(outer, { id: 7 }), attribute(OUTER.ID, new Uint8Array(0)));
  assert.equal(outer.decode(behind, 0, behind.length), { id: 7 });
  const nest = attribute(OUTER.INNER | NLA.F_NESTED, new Uint8Array(0));
  assert.equal(outer.decode(nest, 0, nest.length), { inner: {} });
  const name = attribute(OUTER.NAME, new Uint8Array(0));
  assert.equal(outer.decode(name, 0, name.length), { name: '' });
});

test('a missing tail padding is accepted, an attribute over the end is not', () => {
  const name = encodePayload(outer, { name: 'a' });
  assert.equal(outer.decode(name, 0, 6), { name: 'a' });
  assert.throws(
    () => outer.decode(name, 0, 5),
    (error: unknown) => error instanceof DecodeError && error.offset === 0,
  );
});

test('attributes stand at multiples of four from the start of their nest, wherever that is', () => {
  fc.assert(
    fc.property(outerValue, fc.nat(7), (value, shift) => {
      const encoded = encodePayload(outer, value);
      const moved = new Uint8Array(shift + encoded.length + 3).fill(0xee);
      outer.encode(value, moved, shift);
      assert.equal(moved.slice(shift, shift + encoded.length), encoded);
      assert.equal(present(outer.decode(moved, shift, shift + encoded.length)), present(value));
    }),
  );
});

test('an error names the way to the fault, and where it is', () => {
  const short = attribute(OUTER.INNER, attribute(INNER.PORT, Uint8Array.of(1)));
  const found = caught(() => outer.decode(short, 0, short.length));
  assert.instance(found, DecodeError);
  assert.is((found as DecodeError).path, 'T_INNER.T_INNER_PORT');
  assert.is((found as DecodeError).offset, 8);
  const bad = caught(() => encodePayload(outer, { inner: { port: 65536 } }));
  assert.instance(bad, EncodeError);
  assert.is((bad as EncodeError).path, 'inner.port');
  const inList = caught(() => encodePayload(outer, { list: [{ port: 1 }, { address: '1.2.3.4' }] }));
  assert.is((inList as EncodeError).path, 'list.address');
});

function caught(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

test('an attribute of 65535 bytes is the longest', () => {
  const codec = attrs('T', { DATA: 1 }, { data: attr(1, bytes()) });
  const longest = new Uint8Array(0xffff - 4).fill(1);
  const encoded = encodePayload(codec, { data: longest });
  assert.is(encoded.length, 0x10000);
  assert.equal(codec.decode(encoded, 0, encoded.length), { data: longest });
  assert.throws(
    () => encodePayload(codec, { data: new Uint8Array(0xffff - 3) }),
    /data: 65532 bytes do not fit/,
  );
  const nest = attrs('T', { NEST: 1 }, { nest: attr(1, codec) });
  assert.throws(() => encodePayload(nest, { nest: { data: longest } }), /nest: 65536 bytes do not fit/);
});

test('nests lie as deep as their tables', () => {
  let codec: Codec<unknown> = u8 as Codec<unknown>;
  let value: unknown = 7;
  for (let depth = 0; depth < 200; depth++) {
    codec = attrs('T', { IN: 1 }, { in: attr(1, codec) }) as Codec<unknown>;
    value = { in: value };
  }
  const encoded = encodePayload(codec, value);
  assert.equal(codec.decode(encoded, 0, encoded.length), value);
});

test('any bytes give a value or a DecodeError', () => {
  let values = 0;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (source) => {
      try {
        outer.decode(source, 0, source.length);
        values++;
      } catch (error) {
        assert.instance(error, DecodeError);
        assert.ok((error as DecodeError).offset <= source.length);
      }
    }),
    { numRuns: 5000 },
  );
  assert.ok(values > 0);
});

test('two rows of one number are refused when the table is made', () => {
  assert.throws(
    () => attrs('T', { A: 1 }, { a: attr(1, u8), b: attr(1, u8) }),
    /T has two rows for attribute 1/,
  );
});

test('a table tells names', () => {
  assert.ok(isNest(outer as Codec<unknown>));
  assert.not(isNest(u8 as Codec<unknown>));
  assert.is(outer.byType[OUTER.INNER]?.name, 'T_INNER');
  assert.is(outer.byType[OUTER.INNER]?.field, 'inner');
  const nameless = attrs('T', {}, { x: attr(5, u8) });
  assert.is(nameless.table[0]?.name, 'T_5');
});

test('a mapped codec has the same bytes', () => {
  const host = mapped(attrs('T', { IP: 1 }, { ip: attr(1, ipv4) }), {
    decode: ({ ip }) => ip ?? 'none',
    encode: (ip: string) => ({ ip }),
  });
  const encoded = encodePayload(host, '10.0.0.1');
  assert.is(host.byteLength('10.0.0.1'), 8);
  assert.is(host.decode(encoded, 0, 8), '10.0.0.1');
  assert.is(host.decode(encoded, 0, 0), 'none');
});

test.run();
