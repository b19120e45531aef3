/** Every attribute of connection tracking by itself: the rules of checkCodec, on bytes of the wire. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  countersAttributes,
  cpuStatisticsAttributes,
  dccpInfoAttributes,
  expectationAttributes,
  expectationNatAttributes,
  expectationStatisticsAttributes,
  type FlowAttributes,
  filterAttributes,
  flowAttributes,
  helperAttributes,
  natAttributes,
  protocolInfoAttributes,
  sctpInfoAttributes,
  securityContextAttributes,
  sequenceAdjustmentAttributes,
  synproxyAttributes,
  tableStatisticsAttributes,
  tcpFlags,
  tcpInfoAttributes,
  timestampAttributes,
  tupleCodec,
} from '../../src/ctnetlink/index.ts';
import {
  ATTRIBUTES_AT,
  DecodeError,
  EncodeError,
  encodePayload,
  formatIpv4,
  formatIpv6,
  hostIsLittleEndian,
} from '../../src/nfnetlink/index.ts';
import { checkCodec, present } from '../support/checkCodec.ts';
import { loadFixtures } from '../support/fixtures.ts';

const tupleHex =
  '14000180 08000100 0a090001 08000200 0a090002' +
  '1c000280 05000100 06000000 06000200 be540000 06000300 1f900000';
const tuple = {
  ...{ source: '10.9.0.1', destination: '10.9.0.2', protocol: 6 },
  ...{ sourcePort: 48724, destinationPort: 8080 },
};
const icmpv6Hex =
  '2c000180 14000300 fd090000000000000000000000000001 14000400 fd090000000000000000000000000002' +
  '24000280 05000100 3a000000 06000700 12350000 05000800 80000000 05000900 00000000 06000300 00070000';
const icmpv6 = {
  ...{ source: 'fd09::1', destination: 'fd09::2', protocol: 58 },
  ...{ icmpId: 0x1235, icmpType: 128, icmpCode: 0, zone: 7 },
};

// lengths and types of attributes are in host order: these bytes are those of a little-endian host
const codecs = hostIsLittleEndian ? test : test.skip;

codecs('tuples', () =>
  checkCodec(tupleCodec, [
    { hex: tupleHex, value: tuple },
    { hex: icmpv6Hex.replace('24000280', '24000280'), value: icmpv6 },
    { hex: '0c000280 05000100 2f000000', value: { protocol: 47 } },
    { hex: '', value: {} },
  ]),
);

codecs('TCP', () => {
  checkCodec(tcpFlags, [{ hex: '230a', value: { flags: 0x23, mask: 10 } }]);
  checkCodec(tcpInfoAttributes, [
    {
      hex: '05000100 03000000 05000200 0a000000 05000300 07000000 06000400 23000000 06000500 330f0000',
      value: {
        ...{ state: 3, windowScaleOriginal: 10, windowScaleReply: 7 },
        ...{ flagsOriginal: { flags: 0x23, mask: 0 }, flagsReply: { flags: 0x33, mask: 15 } },
      },
    },
  ]);
  assert.throws(() => encodePayload(tcpFlags, { flags: 256, mask: 0 }), isEncodeError);
});

codecs('the other protocols', () => {
  checkCodec(dccpInfoAttributes, [
    {
      hex: '05000100 03000000 05000200 01000000 0c000300 0000000100000002',
      value: { state: 3, role: 1, handshakeSequence: 0x100000002n },
    },
  ]);
  checkCodec(sctpInfoAttributes, [
    {
      hex: '05000100 04000000 08000200 22222222 08000300 11111111',
      value: { state: 4, verificationTagOriginal: 0x22222222, verificationTagReply: 0x11111111 },
    },
  ]);
  checkCodec(protocolInfoAttributes, [
    { hex: '0c000180 05000100 07000000', value: { tcp: { state: 7 } } },
    { hex: '0c000280 05000100 07000000', value: { dccp: { state: 7 } } },
    { hex: '0c000380 05000100 07000000', value: { sctp: { state: 7 } } },
  ]);
});

codecs('helpers, NAT, counters and the rest', () => {
  checkCodec(helperAttributes, [
    { hex: '08000100 66747000', value: { name: 'ftp' } },
    { hex: '06000200 01020000', value: { info: Uint8Array.from([1, 2]) } },
  ]);
  checkCodec(natAttributes, [
    {
      hex: '08000100 cb007107 08000200 cb007108 14000380 06000100 13880000 06000200 13920000',
      value: { minIpv4: '203.0.113.7', maxIpv4: '203.0.113.8', ports: { minPort: 5000, maxPort: 5010 } },
    },
    {
      hex: '14000400 fd090000000000000000000000000001 14000500 fd090000000000000000000000000002',
      value: { minIpv6: 'fd09::1', maxIpv6: 'fd09::2' },
    },
  ]);
  checkCodec(countersAttributes, [
    {
      hex: '0c000100 0000000000000004 0c000200 ffffffffffffffff',
      value: { packets: 4n, bytes: 2n ** 64n - 1n },
    },
  ]);
  checkCodec(timestampAttributes, [
    {
      hex: '0c000100 18e9e3b44f82b001 0c000200 18e9e3b49377a6d3',
      value: { start: 1795216290051436545n, stop: 1795216291191563987n },
    },
  ]);
  checkCodec(sequenceAdjustmentAttributes, [
    {
      hex: '08000100 000000de 08000200 fffffffe 08000300 00000004',
      value: { correctionPosition: 222, offsetBefore: -2, offsetAfter: 4 },
    },
  ]);
  checkCodec(synproxyAttributes, [
    {
      hex: '08000100 11111111 08000200 22222222 08000300 fffffff0',
      value: { isn: 0x11111111, its: 0x22222222, timestampOffset: 0xfffffff0 },
    },
  ]);
  checkCodec(securityContextAttributes, [{ hex: '06000100 61000000', value: { name: 'a' } }]);
  checkCodec(filterAttributes, [
    { hex: '08000100 09000000 08000200 02000000', value: { originalFlags: 9, replyFlags: 2 } },
  ]);
});

codecs('statistics', () => {
  checkCodec(tableStatisticsAttributes, [
    { hex: '08000100 00000009 08000200 00040000', value: { entries: 9, maxEntries: 262144 } },
  ]);
  checkCodec(cpuStatisticsAttributes, [
    {
      hex: '08000200 00000001 08000800 00000bcf 08000f00 00000002',
      value: { found: 1, insert: 3023, chainTooLong: 2 },
    },
  ]);
  checkCodec(expectationStatisticsAttributes, [
    { hex: '08000100 00000001 08000200 00000002 08000300 00000003', value: { new: 1, create: 2, delete: 3 } },
  ]);
});

codecs('expectations', () => {
  checkCodec(expectationNatAttributes, [
    { hex: `08000100 00000001 34000280 ${tupleHex}`, value: { direction: 1, tuple } },
  ]);
  checkCodec(expectationAttributes, [
    {
      hex: `34000180 ${tupleHex} 34000280 ${tupleHex} 08000400 0000003c 08000600 66747000 06000700 00050000`,
      value: { masterTuple: tuple, tuple, timeout: 60, helperName: 'ftp', zone: 5 },
    },
  ]);
});

codecs('flows', () =>
  checkCodec(flowAttributes, [
    {
      hex: `34000180 ${tupleHex} 08000700 0006977f 08000300 0000018e 08000800 00000000 06001200 00050000`,
      value: { originalTuple: tuple, timeout: 431999, status: 0x18e, mark: 0, zone: 5 },
    },
  ]),
);

test('a mark of 0 is a value, an absent one is not', () => {
  assert.is(encodePayload(flowAttributes, { mark: 0 }).length, 8);
  assert.is(encodePayload(flowAttributes, {}).length, 0);
  assert.is(encodePayload(flowAttributes, { mark: undefined }).length, 0);
});

test('bytes that are decoded outlive their buffer, also where that is a Buffer', () => {
  const labels = Uint8Array.from([8, 0, 0, 0]);
  const buffer = Buffer.from(encodePayload(flowAttributes, { labels }));
  const value = flowAttributes.decode(buffer, 0, buffer.length);
  buffer.fill(0xff);
  assert.equal(value.labels, labels);
});

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat({ max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const s32 = fc.integer();
const optional = <T extends Record<string, fc.Arbitrary<unknown>>>(fields: T) =>
  fc.record(fields, { requiredKeys: [] });
const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const ipv4Text = bytesOf(4).map((bytes) => formatIpv4(bytes));
const ipv6Text = bytesOf(16).map((bytes) => formatIpv6(bytes));
const label = fc.stringMatching(/^[a-z]{1,15}$/);
const tupleOf = (address: fc.Arbitrary<string>) => {
  const ends = { source: address, destination: address, zone: u16 };
  return fc.oneof(
    optional({ ...ends, protocol: u8, sourcePort: u16, destinationPort: u16 }),
    optional({ ...ends, protocol: fc.constantFrom(1), icmpId: u16, icmpType: u8, icmpCode: u8 }),
    fc.record({ ...ends, protocol: fc.constant(58), icmpId: u16, icmpType: u8, icmpCode: u8 }),
  );
};
const anyTuple = fc.oneof(tupleOf(ipv4Text), tupleOf(ipv6Text));
const counters = optional({ packets: u64, bytes: u64 });
const adjustment = optional({ correctionPosition: u32, offsetBefore: s32, offsetAfter: s32 });
const flags = fc.record({ flags: u8, mask: u8 });
const nat = optional({
  ...{ minIpv4: ipv4Text, maxIpv4: ipv4Text, minIpv6: ipv6Text, maxIpv6: ipv6Text },
  ports: optional({ minPort: u16, maxPort: u16 }),
});

/** Any flow that has an encoding. */
const anyFlow = optional({
  ...{ originalTuple: anyTuple, replyTuple: anyTuple, masterTuple: anyTuple },
  ...{ timeout: u32, status: u32, statusMask: u32, mark: u32, markMask: u32, zone: u16, id: u32, use: u32 },
  protocolInfo: optional({
    tcp: optional({
      ...{ state: u8, windowScaleOriginal: u8, windowScaleReply: u8 },
      ...{ flagsOriginal: flags, flagsReply: flags },
    }),
    dccp: optional({ state: u8, role: u8, handshakeSequence: u64 }),
    sctp: optional({ state: u8, verificationTagOriginal: u32, verificationTagReply: u32 }),
  }),
  ...{ helper: optional({ name: label, info: fc.uint8Array({ minLength: 1, maxLength: 9 }) }) },
  ...{ sourceNat: nat, destinationNat: nat, originalCounters: counters, replyCounters: counters },
  timestamps: optional({ start: u64, stop: u64 }),
  ...{ originalSequenceAdjustment: adjustment, replySequenceAdjustment: adjustment },
  synproxy: optional({ isn: u32, its: u32, timestampOffset: u32 }),
  ...{ labels: bytesOf(16), labelsMask: bytesOf(16), securityMark: u32, eventTimestamp: u64 },
  ...{
    securityContext: optional({ name: label }),
    filter: optional({ originalFlags: u32, replyFlags: u32 }),
  },
});

test('any flow survives the way onto the wire and back', () => {
  fc.assert(
    fc.property(anyFlow, (flow) => {
      const bytes = encodePayload(flowAttributes, flow as FlowAttributes);
      const decoded = flowAttributes.decode(bytes, 0, bytes.length);
      assert.equal(present(decoded), present(flow as FlowAttributes));
      assert.equal(encodePayload(flowAttributes, decoded), bytes);
    }),
    { numRuns: 300 },
  );
});

test('any expectation survives the way onto the wire and back', () => {
  const anyExpectation = optional({
    ...{ masterTuple: anyTuple, tuple: anyTuple, mask: anyTuple, timeout: u32, id: u32, flags: u32 },
    ...{ class: u32, helperName: label, zone: u16, functionName: label },
    nat: optional({ direction: u32, tuple: anyTuple }),
  });
  fc.assert(
    fc.property(anyExpectation, (expectation) => {
      const bytes = encodePayload(expectationAttributes, expectation as never);
      assert.equal(
        present(expectationAttributes.decode(bytes, 0, bytes.length)),
        present(expectation as never),
      );
    }),
    { numRuns: 200 },
  );
});

test('any bytes give a value or a DecodeError', () => {
  const captured = ['event', 'req', 'rep'].flatMap(loadFixtures).map(({ bytes }) => bytes);
  const input = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .tuple(fc.constantFrom(...captured), fc.nat(), u8)
      .map(([bytes, at, byte]) =>
        bytes.slice(ATTRIBUTES_AT).map((old, i) => (i === at % bytes.length ? byte : old)),
      ),
  );
  fc.assert(
    fc.property(input, (bytes) => {
      for (const codec of [flowAttributes, expectationAttributes, cpuStatisticsAttributes]) {
        try {
          codec.decode(bytes, 0, bytes.length);
        } catch (error) {
          assert.instance(error, DecodeError);
        }
      }
    }),
    { numRuns: 3000 },
  );
});

function isEncodeError(error: unknown): boolean {
  return error instanceof EncodeError;
}

test.run();
