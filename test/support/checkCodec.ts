/** What every codec must do, checked on bytes that were not made by it. */
import * as assert from 'uvu/assert';
import { align4, attributeLength, writeAttributeHeader } from '../../src/nfnetlink/attribute.ts';
import { fromHex, toHex } from '../../src/nfnetlink/bytes.ts';
import { type Codec, encodePayload, isNest } from '../../src/nfnetlink/codec.ts';
import { NLA } from '../../src/nfnetlink/constants.ts';
import { DecodeError } from '../../src/nfnetlink/errors.ts';

export interface CodecCase<T> {
  /** The payload in hexadecimal, white space allowed; as requests write it. */
  readonly hex: string;
  readonly value: T;
}

/**
 * Bytes to value, value to bytes, encoding between the bytes of others, truncation at every byte
 * (a value or DecodeError, no other throw), and, of nests, an unknown attribute behind the known ones.
 */
export function checkCodec<T>(codec: Codec<T>, cases: readonly CodecCase<T>[]): void {
  for (const { hex, value } of cases) {
    const bytes = fromHex(hex);
    if (!bytes) throw new TypeError(`not hexadecimal: ${hex}`);
    assert.equal(present(codec.decode(bytes, 0, bytes.length)), present(value), `decode ${hex}`);
    assert.is(toHex(encodePayload(codec, value)), toHex(bytes), `encode ${hex}`);
    checkNeighbours(codec, value, bytes);
    checkTruncation(codec, bytes);
    if (isNest(codec as Codec<unknown>)) checkUnknownAttribute(codec, value, bytes);
  }
}

// an odd offset, and a pattern that neither zero padding nor forgotten bytes can pass for
const BEFORE = 5;
const PATTERN = 0xa5;

function checkNeighbours<T>(codec: Codec<T>, value: T, bytes: Uint8Array): void {
  const buffer = new Uint8Array(BEFORE + bytes.length + 9).fill(PATTERN);
  codec.encode(value, buffer, BEFORE);
  const end = BEFORE + bytes.length;
  assert.is(toHex(buffer, BEFORE, end), toHex(bytes), 'encode at an offset');
  assert.ok(
    buffer.every((byte, i) => (i >= BEFORE && i < end) || byte === PATTERN),
    'bytes around the value are left alone',
  );
  assert.equal(present(codec.decode(buffer, BEFORE, end)), present(value), 'decode at an offset');
}

function checkTruncation<T>(codec: Codec<T>, bytes: Uint8Array): void {
  for (let end = 0; end < bytes.length; end++) {
    try {
      codec.decode(bytes, 0, end);
    } catch (error) {
      assert.instance(error, DecodeError, `truncated at byte ${end}: ${String(error)}`);
    }
  }
}

function checkUnknownAttribute<T>(codec: Codec<T>, value: T, bytes: Uint8Array): void {
  const start = align4(bytes.length);
  const longer = new Uint8Array(start + attributeLength(3));
  longer.set(bytes);
  longer.fill(PATTERN, writeAttributeHeader(longer, start, NLA.TYPE_MASK, 3), start + 7);
  assert.equal(present(codec.decode(longer, 0, longer.length)), present(value), 'an unknown attribute');
}

/** Absent is undefined, whether the field is there or not. */
export function present<T>(value: T): T {
  if (Array.isArray(value)) return value.map(present) as T;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(fields.map(([name, field]) => [name, present(field)])) as T;
}
