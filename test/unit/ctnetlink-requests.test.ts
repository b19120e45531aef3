/** Requests byte for byte as captured, and what must never be built. */
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type CompleteTuple,
  CTA,
  CTA_TUPLE,
  encodeCreateExpectation,
  encodeCreateFlow,
  encodeDeleteExpectation,
  encodeDeleteFlow,
  encodeFlushTable,
  encodeGetFlow,
  encodeGetFlowAndZero,
  encodeGetTableStatistics,
  encodeListDying,
  encodeListExpectationStatistics,
  encodeListExpectations,
  encodeListFlows,
  encodeListUnconfirmed,
  encodeUpdateExpectation,
  encodeUpdateFlow,
  expectationAttributes,
  type FlowKey,
  flowAttributes,
  invertTuple,
  type NewExpectation,
} from '../../src/ctnetlink/index.ts';
import {
  AF,
  ATTRIBUTES_AT,
  align4,
  EncodeError,
  fromHex,
  lengthOf,
  messageFamily,
  messageFlags,
  messageLength,
  NLM_F,
  toHex,
  typeOf,
  writeMessageSeq,
} from '../../src/nfnetlink/index.ts';
import { fixture } from '../support/fixtures.ts';

const tcp = (source: string, destination: string, sourcePort: number, destinationPort: number) => ({
  ...{ source, destination, sourcePort, destinationPort },
  protocol: 6,
});

/** What was captured, with the sequence number that the connection sets at 0. */
function captured(name: string): string {
  const bytes = fixture('req', name).bytes.slice();
  writeMessageSeq(bytes, 0, 0);
  return toHex(bytes);
}

/** The tuples and other values of a captured request. */
function valuesOf(name: string) {
  const { bytes } = fixture('req', name);
  return flowAttributes.decode(bytes, ATTRIBUTES_AT, bytes.length);
}

const keyOf = (name: string) => valuesOf(name) as FlowKey;

for (const name of ['req-get-icmp', 'req-get-icmpv6', 'req-get-missing', 'req-get-tcp4-by-reply']) {
  test(name, () => assert.is(toHex(encodeGetFlow(keyOf(name))), captured(name)));
}
test('req-get-ctrzero-tcp4', () =>
  assert.is(toHex(encodeGetFlowAndZero(keyOf('req-get-ctrzero-tcp4'))), captured('req-get-ctrzero-tcp4')));
for (const name of [
  'req-del-tcp4-by-orig',
  'req-del-tcp4-by-reply',
  'req-del-udp4-zone5',
  'req-del-wrong-id',
]) {
  test(name, () => assert.is(toHex(encodeDeleteFlow(keyOf(name))), captured(name)));
}
for (const name of [
  ...[
    'req-create-icmp',
    'req-create-tcp4-established-mark',
    'req-create-tcp4-natdst',
    'req-create-tcp4-natsrc',
  ],
  ...['req-create-tcp4-seqadj', 'req-create-tcp4-zone9', 'req-create-udp6'],
]) {
  test(name, () => assert.is(toHex(encodeCreateFlow(valuesOf(name) as never)), captured(name)));
}
for (const name of ['req-update-labels-mask', 'req-update-mark-mask', 'req-update-timeout']) {
  test(name, () => assert.is(toHex(encodeUpdateFlow(keyOf(name), valuesOf(name))), captured(name)));
}
for (const [name, bytes] of [
  ['req-dump-all', encodeListFlows()],
  ['req-dump-family-inet', encodeListFlows(AF.INET)],
  ['req-dump-mark', encodeListFlows(AF.UNSPEC, { mark: 0x61 })],
  ['req-dump-zone9', encodeListFlows(AF.UNSPEC, { zone: 9 })],
  ['req-dump-filter-src', encodeListFlows(AF.INET, valuesOf('req-dump-filter-src'))],
  ['req-dying', encodeListDying()],
  ['req-unconfirmed', encodeListUnconfirmed()],
  ['req-stats', encodeGetTableStatistics()],
  ['req-flush-all', encodeFlushTable()],
  ['req-flush-family-inet6-v1', encodeFlushTable(AF.INET6)],
  ['req-exp-dump', encodeListExpectations()],
  ['req-exp-stats-cpu', encodeListExpectationStatistics()],
] as const) {
  test(name, () => assert.is(toHex(bytes), captured(name)));
}

/** The values of a captured request about expectations. */
function expectationOf(name: string): NewExpectation {
  const { bytes } = fixture('req', name);
  return expectationAttributes.decode(bytes, ATTRIBUTES_AT, bytes.length) as NewExpectation;
}

test('req-exp-update-timeout', () =>
  assert.is(
    toHex(encodeUpdateExpectation(expectationOf('req-exp-update-timeout'))),
    captured('req-exp-update-timeout'),
  ));
test('req-exp-dump-master', () =>
  assert.is(
    toHex(encodeListExpectations(expectationOf('req-exp-dump-master').masterTuple)),
    captured('req-exp-dump-master'),
  ));
test('req-exp-del', () =>
  assert.is(toHex(encodeDeleteExpectation(expectationOf('req-exp-del'))), captured('req-exp-del')));

test('an expectation is created like it is updated, with CREATE and EXCL', () => {
  const expectation = expectationOf('req-exp-update-timeout');
  const create = encodeCreateExpectation(expectation);
  assert.is(messageFlags(create, 0), NLM_F.REQUEST | NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL);
  assert.is(toHex(create, 8), toHex(encodeUpdateExpectation(expectation), 8));
});

test('a created flow gets its reply tuple by turning the original round', () => {
  const icmp = {
    source: '10.0.0.1',
    destination: '10.0.0.2',
    protocol: 1,
    icmpId: 5,
    icmpType: 8,
    icmpCode: 0,
  };
  assert.equal(invertTuple(icmp).icmpType, 0);
  assert.equal(invertTuple({ ...icmp, icmpType: 13 }).icmpType, 14);
  assert.equal(invertTuple({ ...icmp, protocol: 58, icmpType: 128 }).icmpType, 129);
  const values = valuesOf('req-create-udp6');
  const { replyTuple, ...withoutReply } = values;
  assert.is(toHex(encodeCreateFlow(withoutReply as never)), captured('req-create-udp6'));
});

test('a created flow is confirmed, as the kernel demands, whatever status is asked', () => {
  const bytes = encodeCreateFlow({ originalTuple: tcp('10.0.0.1', '10.0.0.2', 1, 2), timeout: 9, status: 4 });
  assert.is(flowAttributes.decode(bytes, ATTRIBUTES_AT, bytes.length).status, 12);
});

/** The path of the EncodeError that a builder throws. */
function refusedAt(build: () => unknown): string {
  try {
    build();
  } catch (error) {
    assert.instance(error, EncodeError);
    return (error as EncodeError).path;
  }
  throw new assert.Assertion({ message: 'nothing was thrown' } as never);
}

const good = tcp('10.0.0.1', '10.0.0.2', 1000, 80);

test('bad input is an EncodeError that says where', () => {
  const key = { originalTuple: good };
  const at = (tuple: Partial<CompleteTuple>) =>
    refusedAt(() => encodeGetFlow({ originalTuple: { ...good, ...tuple } }));
  assert.is(at({ sourcePort: 65536 }), 'originalTuple.sourcePort');
  assert.is(at({ destinationPort: undefined }), 'originalTuple.destinationPort');
  assert.is(at({ source: '10.0.0.256' }), 'originalTuple.source');
  assert.is(at({ source: '10.0.0.0/8' }), 'originalTuple.source');
  assert.is(at({ destination: 'fd00::1' }), 'originalTuple.destination');
  assert.is(at({ protocol: 256 }), 'originalTuple.protocol');
  assert.is(at({ protocol: 1 }), 'originalTuple.icmpId');
  assert.is(at({ zone: 65543 }), 'originalTuple.zone');
  assert.is(
    refusedAt(() => encodeGetFlow({ ...key, zone: 65543 })),
    'zone',
  );
  assert.is(
    refusedAt(() => encodeDeleteFlow({ ...key, id: -1 })),
    'id',
  );
  assert.is(
    refusedAt(() => encodeUpdateFlow(key, { mark: 0x1_0000_0000 })),
    'mark',
  );
  assert.is(
    refusedAt(() => encodeUpdateFlow(key, { markMask: 1 })),
    'markMask',
  );
  assert.is(
    refusedAt(() => encodeUpdateFlow(key, { timeout: -1 })),
    'timeout',
  );
  assert.is(
    refusedAt(() => encodeUpdateFlow(key, { labels: new Uint8Array(17) })),
    'labels',
  );
  const labels = new Uint8Array(16);
  assert.is(
    refusedAt(() => encodeUpdateFlow(key, { labels, labelsMask: new Uint8Array(4) })),
    'labelsMask',
  );
  assert.is(
    refusedAt(() => encodeUpdateFlow(key, { helper: { name: 'x'.repeat(16) } })),
    'helper.name',
  );
  assert.is(
    refusedAt(() => encodeCreateFlow({ originalTuple: good } as never)),
    'timeout',
  );
  const replyTuple = tcp('fd00::1', 'fd00::2', 1, 2);
  assert.is(
    refusedAt(() => encodeCreateFlow({ originalTuple: good, replyTuple, timeout: 1 })),
    'replyTuple',
  );
  assert.is(
    refusedAt(() => encodeFlushTable(7)),
    'family',
  );
  assert.is(
    refusedAt(() => encodeDeleteExpectation({} as never)),
    'tuple',
  );
});

/** Whether a message holds a tuple that has a nest of addresses and one of the protocol, told from the bytes. */
function namesFlow(message: Uint8Array): boolean {
  for (let at = ATTRIBUTES_AT; at < message.length; at += align4(lengthOf(message, at))) {
    const type = typeOf(message, at);
    if (type !== CTA.TUPLE_ORIG && type !== CTA.TUPLE_REPLY) continue;
    const nests = new Map<number, number>();
    for (let inner = at + 4; inner < at + lengthOf(message, at); inner += align4(lengthOf(message, inner))) {
      nests.set(typeOf(message, inner), lengthOf(message, inner));
    }
    return (nests.get(CTA_TUPLE.IP) ?? 0) >= 20 && (nests.get(CTA_TUPLE.PROTO) ?? 0) >= 12;
  }
  return false;
}

test('the types ask a delete for a complete tuple', () => {
  // @ts-expect-error without a tuple
  assert.throws(() => encodeDeleteFlow({}), /complete tuple/);
  // @ts-expect-error without addresses
  assert.throws(() => encodeDeleteFlow({ originalTuple: { protocol: 6 } }), /originalTuple.source/);
  const replyTuple = { source: '10.0.0.1', destination: '10.0.0.2' };
  // @ts-expect-error without a protocol
  assert.throws(() => encodeDeleteFlow({ replyTuple }), /protocol/);
});

test('no value whatever makes a delete that would empty the table', () => {
  const anyTuple = fc.oneof(
    fc.anything(),
    fc.record(
      {
        source: fc.oneof(fc.anything(), fc.ipV4(), fc.ipV6()),
        destination: fc.oneof(fc.anything(), fc.ipV4(), fc.ipV6()),
        protocol: fc.oneof(fc.anything(), fc.nat(300)),
        sourcePort: fc.oneof(fc.anything(), fc.nat(70000)),
        destinationPort: fc.oneof(fc.anything(), fc.nat(70000)),
        icmpId: fc.oneof(fc.anything(), fc.nat(70000)),
        icmpType: fc.oneof(fc.anything(), fc.nat(300)),
        icmpCode: fc.oneof(fc.anything(), fc.nat(300)),
        zone: fc.oneof(fc.anything(), fc.nat(70000)),
      },
      { requiredKeys: [] },
    ),
    fc.record({
      ...{ source: fc.ipV4(), destination: fc.ipV4(), protocol: fc.nat(255) },
      ...{ sourcePort: fc.nat(0xffff), destinationPort: fc.nat(0xffff) },
    }),
  );
  const anyKey = fc.oneof(
    fc.anything(),
    fc.record(
      {
        originalTuple: anyTuple,
        replyTuple: anyTuple,
        zone: fc.oneof(fc.anything(), fc.nat(70000)),
        id: fc.oneof(fc.anything(), fc.nat()),
        filter: fc.anything(),
        family: fc.anything(),
      },
      { requiredKeys: [] },
    ),
  );
  let built = 0;
  fc.assert(
    fc.property(anyKey, (key) => {
      let message: Uint8Array;
      try {
        message = encodeDeleteFlow(key as FlowKey);
      } catch (error) {
        assert.instance(error, EncodeError, String((error as Error).stack));
        return;
      }
      built += 1;
      assert.ok(namesFlow(message), toHex(message));
      assert.is(messageLength(message, 0), message.length);
      assert.ok(messageFamily(message, 0) === AF.INET || messageFamily(message, 0) === AF.INET6);
    }),
    { numRuns: 5000 },
  );
  assert.ok(built > 100, `only ${built} keys made a message`);
});

/** Where deletions are asked for: of one flow that is named, but for the file that empties the table by intent. */
const deleteRequests = ['delete.ts', 'flush.ts', 'viewed.ts'].map((name) => `ctnetlink/requests/${name}`);
/** Where the kernel's event of a deletion is made up, which is read and never sent to a kernel. */
const deleteEvents = ['cli/conntrack/flowRecords.ts', 'model/conntrackEntry.ts'];

test('a message about deleting flows is built in few files, each known', () => {
  const root = new URL('../../src/', import.meta.url);
  const builders = readdirSync(root, { recursive: true })
    .map(String)
    .filter((path) => path.endsWith('.ts'))
    .filter((path) => {
      const code = readFileSync(new URL(path, root), 'utf8');
      return (
        /IPCTNL_MSG_CT\s*(?:\.\s*DELETE|\[)/.test(code) &&
        /messageTypeOf|writeRequest|encodeRequest/.test(code)
      );
    });
  assert.equal(builders.sort(), [...deleteRequests, ...deleteEvents].sort());
});

test('labels are bytes of the wire, bit n in byte n/8', () => {
  const labels = fromHex('08000000')!;
  const bytes = encodeUpdateFlow({ originalTuple: good }, { labels });
  assert.equal(flowAttributes.decode(bytes, ATTRIBUTES_AT, bytes.length).labels, labels);
});

test.run();
