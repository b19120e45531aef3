import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hostIsLittleEndian } from '../../src/nfnetlink/bytes.ts';
import { type Codec, encodePayload } from '../../src/nfnetlink/codec.ts';
import { DecodeError, EncodeError } from '../../src/nfnetlink/errors.ts';
import {
  bytes,
  ipv4,
  ipv6,
  s32be,
  text,
  u8,
  u16be,
  u32be,
  u32host,
  u64be,
  u64host,
} from '../../src/nfnetlink/scalar.ts';

fc.configureGlobal({ seed: 4711 });

const U32 = 0xffffffff;
const U64 = 0xffffffffffffffffn;

interface Scalar<T> {
  readonly codec: Codec<T>;
  readonly size: number;
  readonly values: fc.Arbitrary<T>;
  readonly limits: readonly T[];
  readonly refused: readonly unknown[];
  /** DataView's own idea of the same bytes. */
  readonly oracle: (view: DataView) => T;
}

const notIntegers = [undefined, null, '1', 1.5, Number.NaN, Number.POSITIVE_INFINITY, -1];
const notBigints = [undefined, null, '1', 1, 1.5, -1n, U64 + 1n];

const numbers: readonly Scalar<number>[] = [
  {
    codec: u8,
    size: 1,
    values: fc.nat(0xff),
    limits: [0, 0xff],
    refused: [...notIntegers, 256],
    oracle: (view) => view.getUint8(0),
  },
  {
    codec: u16be,
    size: 2,
    values: fc.nat(0xffff),
    limits: [0, 0xffff],
    refused: [...notIntegers, 65536],
    oracle: (view) => view.getUint16(0),
  },
  {
    codec: u32be,
    size: 4,
    values: fc.nat(U32),
    limits: [0, 0x7fffffff, 0x80000000, U32],
    refused: [...notIntegers, U32 + 1],
    oracle: (view) => view.getUint32(0),
  },
  {
    codec: u32host,
    size: 4,
    values: fc.nat(U32),
    limits: [0, 0x7fffffff, 0x80000000, U32],
    refused: [...notIntegers, U32 + 1],
    oracle: (view) => view.getUint32(0, hostIsLittleEndian),
  },
  {
    codec: s32be,
    size: 4,
    values: fc.integer(),
    limits: [-0x80000000, -1, 0, 0x7fffffff],
    refused: [undefined, null, '1', 1.5, Number.NaN, -0x80000001, 0x80000000],
    oracle: (view) => view.getInt32(0),
  },
];

const bigints: readonly Scalar<bigint>[] = [
  {
    codec: u64be,
    size: 8,
    values: fc.bigInt(0n, U64),
    limits: [0n, 0xffffffffn, 0x100000000n, U64],
    refused: notBigints,
    oracle: (view) => view.getBigUint64(0),
  },
  {
    codec: u64host,
    size: 8,
    values: fc.bigInt(0n, U64),
    limits: [0n, 0xffffffffn, 0x100000000n, U64],
    refused: notBigints,
    oracle: (view) => view.getBigUint64(0, hostIsLittleEndian),
  },
];

function checkScalar<T>({ codec, size, values, limits, refused, oracle }: Scalar<T>): void {
  const check = (value: T): void => {
    const encoded = encodePayload(codec, value);
    assert.is(encoded.length, size);
    assert.is(oracle(new DataView(encoded.buffer)), value);
    // somewhere in a larger buffer, whose other bytes stay as they are, and with bytes behind the value
    const field = new Uint8Array(size + 7).fill(0xa5);
    codec.encode(value, field, 3);
    assert.is(codec.decode(field, 3, 3 + size), value);
    assert.is(codec.decode(field, 3, field.length), value, 'a longer attribute is read from its first bytes');
    assert.equal(field.subarray(0, 3), new Uint8Array(3).fill(0xa5));
    assert.equal(field.subarray(3 + size), new Uint8Array(4).fill(0xa5));
  };
  for (const value of limits) check(value);
  fc.assert(fc.property(values, check), { numRuns: 300 });
  for (const value of refused) {
    assert.throws(
      () => codec.byteLength(value as T),
      (error: unknown) => error instanceof EncodeError,
      `${codec.format} takes ${String(value)}`,
    );
  }
  for (let short = 0; short < size; short++) {
    assert.throws(
      () => codec.decode(new Uint8Array(16), 4, 4 + short),
      (error: unknown) => error instanceof DecodeError && error.offset === 4,
    );
  }
}

for (const scalar of numbers)
  test(`${scalar.codec.format}, from ${scalar.limits[0]}`, () => checkScalar(scalar));
for (const scalar of bigints) test(scalar.codec.format, () => checkScalar(scalar));

test('text carries any string without a zero character', () => {
  const codec = text();
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (value) => {
      fc.pre(!value.includes('\0'));
      const encoded = encodePayload(codec, value);
      assert.is(encoded.at(-1), 0);
      assert.is(codec.decode(encoded, 0, encoded.length), value);
      assert.is(codec.decode(encoded, 0, encoded.length - 1), value, 'the zero may be missing');
    }),
  );
});

test('text counts bytes, not characters, against its limit', () => {
  assert.is(text(31).byteLength('x'.repeat(31)), 32);
  assert.throws(() => text(31).byteLength('x'.repeat(32)), /32 bytes, at most 31/);
  assert.throws(() => text(31).byteLength('\u00e9'.repeat(16)), /32 bytes, at most 31/);
  assert.throws(() => text().byteLength('a\0b'), /zero character/);
  assert.throws(() => text().byteLength(7 as never), /not a string/);
});

test('text ends at the first zero of its own attribute', () => {
  const source = Uint8Array.from([0x61, 0x62, 0, 0x63, 0x64, 0]);
  assert.is(text().decode(source, 0, 6), 'ab');
  assert.is(text().decode(source, 0, 2), 'ab', 'a zero behind the end is not its own');
  assert.is(text().decode(source, 3, 4), 'c');
  assert.is(text().decode(source, 2, 6), '');
  assert.is(text().decode(source, 6, 6), '');
});

test('bytes are a copy', () => {
  const source = Uint8Array.from([1, 2, 3, 4]);
  const copy = bytes().decode(source, 1, 3);
  source.fill(9);
  assert.equal(copy, Uint8Array.from([2, 3]));
  assert.equal(bytes(2).decode(Uint8Array.from([1, 2, 3]), 0, 3), Uint8Array.from([1, 2]));
  assert.throws(() => bytes(4).decode(source, 1, 4), /3 bytes where 4/);
  assert.throws(() => bytes(4).byteLength(new Uint8Array(5)), /5 bytes where 4/);
  assert.throws(() => bytes().byteLength('abc' as never), /not a Uint8Array/);
});

test('an address that is none is refused before anything is written', () => {
  for (const wrong of ['', '10.0.0', '10.0.0.256', '10.0.0.1/8', '::1', ' 10.0.0.1', 'host', undefined]) {
    assert.throws(() => ipv4.byteLength(wrong as string), /is not an IPv4 address/, String(wrong));
  }
  for (const wrong of ['', '10.0.0.1', ':::', '1::2::3', 'fe80::1%eth0', '2001:db8::/32', 'g::', undefined]) {
    assert.throws(() => ipv6.byteLength(wrong as string), /is not an IPv6 address/, String(wrong));
  }
  assert.throws(() => ipv4.decode(new Uint8Array(8), 0, 3), /3 bytes where ipv4 needs 4/);
  assert.throws(() => ipv6.decode(new Uint8Array(20), 0, 15), /15 bytes where ipv6 needs 16/);
});

test.run();
