/** Messages written from raw bytes, byte for byte those that the builders make of text. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type CompleteTuple,
  encodeDeleteFlow,
  encodeGetFlow,
  type FlowKey,
  flowAttributes,
  LONGEST_RAW_REQUEST,
  type RawFlowKey,
  writeDeleteFlow,
  writeGetFlow,
} from '../../src/ctnetlink/index.ts';
import { hasPorts, isIcmp } from '../../src/ctnetlink/protocol.ts';
import {
  AF,
  ATTRIBUTES_AT,
  formatAddress,
  parseAddress,
  toHex,
  writeMessageSeq,
} from '../../src/nfnetlink/index.ts';
import { fixture } from '../support/fixtures.ts';

/** The same flow as text and fields, for the builders. */
function keyOf(raw: RawFlowKey): FlowKey {
  const length = raw.family === AF.INET6 ? 16 : 4;
  const address = (at: number) => formatAddress(raw.bytes.subarray(at, at + length));
  const { sourcePort, destinationPort, zone } = raw;
  return {
    originalTuple: {
      source: address(raw.sourceAt),
      destination: address(raw.destinationAt),
      protocol: raw.protocol,
      ...(hasPorts(raw.protocol) && { sourcePort, destinationPort }),
      ...(isIcmp(raw.protocol) && {
        icmpId: sourcePort,
        icmpType: destinationPort >>> 8,
        icmpCode: destinationPort & 0xff,
      }),
      ...(raw.isTupleZone && { zone }),
    },
    ...(!raw.isTupleZone && zone !== 0 && { zone }),
  };
}

/** The key in a captured request, as bytes. */
function rawOf({ originalTuple, zone }: FlowKey): RawFlowKey {
  const tuple = originalTuple as CompleteTuple;
  const source = parseAddress(tuple.source)!;
  const bytes = new Uint8Array([...source, ...parseAddress(tuple.destination)!]);
  return {
    ...{ family: source.length === 4 ? AF.INET : AF.INET6, protocol: tuple.protocol, bytes },
    ...{ sourceAt: 0, destinationAt: source.length },
    sourcePort: tuple.sourcePort ?? tuple.icmpId ?? 0,
    destinationPort: tuple.destinationPort ?? ((tuple.icmpType ?? 0) << 8) | (tuple.icmpCode ?? 0),
    zone: tuple.zone ?? zone ?? 0,
    isTupleZone: tuple.zone !== undefined,
  };
}

/** What the function wrote, at an offset of a buffer whose other bytes stay as they are. */
function written(write: (target: Uint8Array, offset: number) => number, offset = 0): string {
  const target = new Uint8Array(offset + LONGEST_RAW_REQUEST + 8).fill(0xa5);
  const end = write(target, offset);
  assert.ok(end <= offset + LONGEST_RAW_REQUEST);
  assert.is(end % 4, offset % 4);
  assert.ok(target.subarray(0, offset).every((byte) => byte === 0xa5));
  assert.ok(target.subarray(end).every((byte) => byte === 0xa5));
  return toHex(target, offset, end);
}

const rawKeys: fc.Arbitrary<RawFlowKey> = fc.record({
  family: fc.constantFrom(AF.INET, AF.INET6),
  protocol: fc.oneof(fc.constantFrom(1, 6, 17, 33, 47, 58, 132, 136), fc.nat(255)),
  bytes: fc.uint8Array({ minLength: 48, maxLength: 48 }),
  sourceAt: fc.nat(16),
  destinationAt: fc.integer({ min: 16, max: 32 }),
  sourcePort: fc.nat(0xffff),
  destinationPort: fc.nat(0xffff),
  zone: fc.oneof(fc.constant(0), fc.nat(0xffff)),
  isTupleZone: fc.boolean(),
});
const ids = fc.oneof(fc.nat(), fc.constantFrom(0, 0x7fffffff, 0x80000000, 0xffffffff));

test('any key gives what the builders give, at any offset', () => {
  fc.assert(
    fc.property(rawKeys, ids, fc.nat(9), (raw, id, offset) => {
      const key = keyOf(raw);
      assert.is(
        written((target, at) => writeGetFlow(target, at, raw), offset),
        toHex(encodeGetFlow(key)),
      );
      assert.is(
        written((target, at) => writeDeleteFlow(target, at, raw, id), offset),
        toHex(encodeDeleteFlow({ ...key, id })),
      );
    }),
    { numRuns: 2000 },
  );
});

/** A captured request with the sequence number at 0, and what it holds. */
function captured(name: string) {
  const bytes = fixture('req', name).bytes.slice();
  writeMessageSeq(bytes, 0, 0);
  return { hex: toHex(bytes), values: flowAttributes.decode(bytes, ATTRIBUTES_AT, bytes.length) };
}

for (const name of ['req-get-icmp', 'req-get-icmpv6', 'req-get-missing']) {
  test(`${name}, as captured`, () => {
    const { hex, values } = captured(name);
    assert.is(
      written((target, at) => writeGetFlow(target, at, rawOf(values as FlowKey))),
      hex,
    );
  });
}

test('req-del-wrong-id, as captured', () => {
  const { hex, values } = captured('req-del-wrong-id');
  assert.is(
    written((target, at) => writeDeleteFlow(target, at, rawOf(values as FlowKey), values.id!)),
    hex,
  );
});

test('the longest message is as long as is said', () => {
  const raw = rawOf({
    originalTuple: { source: '::1', destination: '::2', protocol: 6, sourcePort: 1, destinationPort: 2 },
    zone: 7,
  });
  const lengths = [6, 58, 50].flatMap((protocol) =>
    [true, false].map((isTupleZone) => {
      const target = new Uint8Array(LONGEST_RAW_REQUEST);
      return writeDeleteFlow(target, 0, { ...raw, protocol, isTupleZone }, 1);
    }),
  );
  assert.is(Math.max(...lengths), LONGEST_RAW_REQUEST);
});

test.run();
