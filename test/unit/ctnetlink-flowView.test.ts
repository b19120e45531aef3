/** The view is read by hand for speed; the tables, which are slower and plainer, say what is right. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type CompleteTuple,
  CTA,
  type Flow,
  type FlowAttributes,
  FlowView,
  flowAttributes,
  IPPROTO,
  TCP_CONNTRACK,
} from '../../src/ctnetlink/index.ts';
import {
  AF,
  ATTRIBUTES_AT,
  align4,
  attr,
  attrs,
  DecodeError,
  fromHex,
  messageFamily,
  messageType,
  typeOf,
  writeAttributeHeader,
} from '../../src/nfnetlink/index.ts';
import { present } from '../support/checkCodec.ts';
import { fixture, loadFixtures } from '../support/fixtures.ts';

const flowTypes = [0x100, 0x102];
const messages = ['event', 'rep']
  .flatMap(loadFixtures)
  .filter(({ bytes }) => flowTypes.includes(messageType(bytes, 0)));

/** What stands in requests alone is not looked at. */
const requestOnly = [
  'filter',
  'statusMask',
  'markMask',
  'labelsMask',
  'sourceNat',
  'destinationNat',
  'securityMark',
];
const sentAttributes = attrs(
  'CTA',
  CTA,
  Object.fromEntries(
    flowAttributes.table
      .filter(({ field }) => !requestOnly.includes(field))
      .map(({ field, type, codec }) => [field, attr(type, codec)]),
  ),
);

/** What the tables make of a message; undefined where it names no flow. */
function byTables(bytes: Uint8Array): Flow | undefined {
  const value: FlowAttributes = sentAttributes.decode(bytes, ATTRIBUTES_AT, bytes.length);
  const { originalTuple, replyTuple, id } = value;
  if (!isComplete(originalTuple) || !isComplete(replyTuple) || id === undefined) return undefined;
  return present({ ...value, family: messageFamily(bytes, 0), originalTuple, replyTuple, id });
}

function isComplete(tuple: FlowAttributes['originalTuple']): tuple is CompleteTuple {
  return tuple?.source !== undefined && tuple.destination !== undefined && tuple.protocol !== undefined;
}

function checkAgainstTables(bytes: Uint8Array, view: FlowView): void {
  let expected: Flow | undefined;
  try {
    expected = byTables(bytes);
  } catch (error) {
    assert.instance(error, DecodeError);
  }
  try {
    const flow = view.attach(bytes, 0, bytes.length).toFlow();
    // of a repeated attribute the view reads the last alone, so that it may accept what the tables refuse
    if (!expected && repeatsAttributes(bytes)) return;
    assert.equal(present(flow), expected);
    checkGetters(view, flow);
  } catch (error) {
    assert.instance(error, DecodeError, String((error as Error).stack));
    assert.is(expected, undefined);
  }
}

function checkGetters(view: FlowView, flow: Flow): void {
  for (const [tuple, of] of [
    [view.original, flow.originalTuple],
    [view.reply, flow.replyTuple],
  ] as const) {
    assert.is(tuple.protocol, of.protocol);
    assert.is(tuple.sourcePort, of.sourcePort ?? 0);
    assert.is(tuple.destinationPort, of.destinationPort ?? 0);
    assert.is(tuple.icmpId, of.icmpId);
    assert.is(tuple.zone, of.zone);
    assert.is(dotted(tuple.sourceIpv4), of.source.includes(':') ? '0.0.0.0' : of.source);
    assert.is(dotted(tuple.destinationIpv4), of.destination.includes(':') ? '0.0.0.0' : of.destination);
  }
  assert.is(view.family, flow.family);
  assert.is(view.id, flow.id);
  assert.is(view.status, flow.status ?? 0);
  assert.is(view.timeout, flow.timeout ?? 0);
  assert.is(view.mark, flow.mark ?? 0);
  assert.is(view.hasMark, flow.mark !== undefined);
  assert.is(view.zone, flow.zone ?? 0);
  assert.is(view.tcpState, flow.protocolInfo?.tcp?.state);
  const start = flow.timestamps?.start;
  assert.is(view.startedAt, start === undefined ? undefined : Number(start) / 1e6);
}

const dotted = (u32: number) => [u32 >>> 24, (u32 >>> 16) & 255, (u32 >>> 8) & 255, u32 & 255].join('.');

function repeatsAttributes(bytes: Uint8Array): boolean {
  const seen = new Set<number>();
  for (let at = ATTRIBUTES_AT; at < bytes.length; at += align4(bytes[at]! | (bytes[at + 1]! << 8))) {
    if (seen.has(typeOf(bytes, at))) return true;
    seen.add(typeOf(bytes, at));
  }
  return false;
}

test('every captured flow reads the same by the view and by the tables', () => {
  const view = new FlowView();
  assert.ok(messages.length > 40);
  for (const { bytes } of messages) {
    assert.ok(byTables(bytes));
    checkAgainstTables(bytes, view);
  }
});

test('mutated bytes give a value or a DecodeError, by the view as by the tables', () => {
  const view = new FlowView();
  const mutation = fc.record({ at: fc.nat(1000), byte: fc.nat(255) });
  fc.assert(
    fc.property(
      fc.constantFrom(...messages.map(({ bytes }) => bytes)),
      fc.array(mutation, { minLength: 1, maxLength: 6 }),
      fc.nat(400),
      (bytes, mutations, cut) => {
        const length = cut < bytes.length / 4 ? bytes.length - cut : bytes.length;
        const mutated = bytes.slice(0, length);
        for (const { at, byte } of mutations) {
          mutated[ATTRIBUTES_AT + (at % (length - ATTRIBUTES_AT))] = byte;
        }
        checkAgainstTables(mutated, view);
      },
    ),
    { numRuns: 5000 },
  );
});

test('a view reads a message in the middle of a buffer that holds others', () => {
  const one = fixture('event', 'event-new-tcp6').bytes;
  const buffer = new Uint8Array(one.length + 200).fill(0xff);
  buffer.set(one, 100);
  const view = new FlowView().attach(buffer.subarray(4), 96, 96 + one.length);
  assert.equal(present(view.toFlow()), byTables(one));
});

test('an empty attribute before a 64-bit one is padding, whatever its number', () => {
  const { bytes } = fixture('event', 'event-new-icmp');
  // nla_put_be64() before CTA_TIMESTAMP_EVENT: the pad has the number of CTA_STATUS
  const at = bytes.length - 12;
  const padded = new Uint8Array(bytes.length + 4);
  padded.set(bytes.subarray(0, at));
  writeAttributeHeader(padded, at, CTA.STATUS, 0);
  padded.set(bytes.subarray(at), at + 4);
  const view = new FlowView();
  assert.equal(view.attach(padded, 0, padded.length).toFlow(), view.attach(bytes, 0, bytes.length).toFlow());
  assert.is(view.status, 392);
  checkAgainstTables(padded, view);
});

test('what the view says of a TCP event', () => {
  const { bytes } = fixture('event', 'event-new-tcp4-syn-sent');
  const view = new FlowView().attach(bytes, 0, bytes.length);
  assert.is(view.kind, 'new');
  assert.is(view.portId, 0);
  assert.is(view.family, AF.INET);
  assert.is(view.tcpState, TCP_CONNTRACK.SYN_SENT);
  assert.is(view.original.protocol, IPPROTO.TCP);
  assert.is(view.original.hasPorts, true);
  assert.is(view.reply.sourceIpv4, view.original.destinationIpv4);
});

test('the kind of an event is told by type and flags', () => {
  const kind = (name: string) => {
    const { bytes } = fixture('event', name);
    return new FlowView().attach(bytes, 0, bytes.length).kind;
  };
  assert.is(kind('event-new-icmp'), 'new');
  assert.is(kind('event-update-icmp'), 'update');
  assert.is(kind('event-destroy-udp6'), 'destroy');
});

test('addresses are copied and compared without text', () => {
  const { bytes } = fixture('event', 'event-new-tcp6');
  const { original } = new FlowView().attach(bytes, 0, bytes.length);
  const target = new Uint8Array(18);
  assert.is(original.copySource(target, 1), 16);
  const source = fromHex('fd090000000000000000000000000001')!;
  assert.equal(target.subarray(1, 17), source);
  assert.is(original.isSourceIn(source, 128), true);
  assert.is(original.isDestinationIn(source, 128), false);
  // fd09::2 and fd09::1 differ in their last two bits
  assert.is(original.isDestinationIn(source, 126), true);
  assert.is(original.isDestinationIn(source, 127), false);
  assert.is(original.isSourceIn(new Uint8Array(4), 0), false, 'a prefix of 0 is still of one family');
  assert.is(original.isSourceIn(new Uint8Array(16), 0), true);
});

test('a message that names no flow is a DecodeError that says what is missing', () => {
  const { bytes } = fixture('req', 'req-get-icmp');
  try {
    new FlowView().attach(bytes, 0, bytes.length);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, DecodeError);
    assert.is((error as DecodeError).path, 'CTA_TUPLE_REPLY');
  }
});

test.run();
