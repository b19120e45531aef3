/** The plan of a filter, and the client and the event reader without a kernel. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ConntrackClient,
  CTA_FILTER_FLAG,
  checkFilter,
  ctnetlink,
  ctnetlinkExp,
  EventReader,
  type FlowEvent,
  FlowView,
  flowAttributes,
  IPCTNL_MSG_CT,
  IPPROTO,
  IPS,
  kernelFeatures,
  matchesFilter,
  planFilter,
} from '../../src/ctnetlink/index.ts';
import {
  AF,
  ATTRIBUTES_AT,
  DecodeError,
  EncodeError,
  KernelError,
  type MessageDecoder,
  NFNLGRP,
  type PipelineHandler,
  type Requester,
} from '../../src/nfnetlink/index.ts';
import { fixture } from '../support/fixtures.ts';

const everything = { tupleFilter: true, zoneFilter: true };

test('a plan says what the kernel compares and what it cannot be trusted with', () => {
  const plan = planFilter(
    {
      ...{ protocol: IPPROTO.TCP, mark: 0x100, zone: 3, status: IPS.ASSURED },
      original: { source: '192.0.2.1', destination: '198.51.100.0/24', destinationPort: 443 },
    },
    everything,
  );
  assert.is(plan.family, AF.INET);
  assert.equal(plan.inKernel, [
    ...['family', 'mark', 'status', 'zone', 'protocol'],
    ...['original.source', 'original.destinationPort'],
  ]);
  assert.equal(plan.inUserSpace, ['original.destination']);
  const { IP_SRC, PROTO_NUM, PROTO_DST_PORT } = CTA_FILTER_FLAG;
  assert.is(plan.attributes.filter?.originalFlags, IP_SRC | PROTO_NUM | PROTO_DST_PORT);
  assert.is(plan.attributes.filter?.replyFlags, undefined);
  assert.equal(plan.attributes.originalTuple, { source: '192.0.2.1', protocol: 6, destinationPort: 443 });
  assert.is(plan.attributes.markMask, 0xffffffff);
});

test('IPv6 addresses are never handed to the kernel, which would list all others', () => {
  const plan = planFilter(
    {
      protocol: IPPROTO.UDP,
      original: { source: 'fd00::1', sourcePort: 5 },
      reply: { destination: 'fd00::2' },
    },
    everything,
  );
  const { IP_SRC, IP_DST } = CTA_FILTER_FLAG;
  assert.is((plan.attributes.filter?.originalFlags ?? 0) & (IP_SRC | IP_DST), 0);
  assert.is((plan.attributes.filter?.replyFlags ?? 0) & (IP_SRC | IP_DST), 0);
  assert.is(plan.attributes.originalTuple?.source, undefined);
  assert.equal(plan.inUserSpace, ['original.source', 'reply.destination']);
});

test('ports of protocols that the kernel does not compare stay in user space', () => {
  const plan = planFilter(
    { family: AF.INET, protocol: IPPROTO.SCTP, original: { sourcePort: 5 } },
    everything,
  );
  assert.equal(plan.inKernel, ['family', 'protocol']);
  assert.equal(plan.inUserSpace, ['original.sourcePort']);
});

test('without a family, or on an older kernel, tuples are compared in user space', () => {
  assert.equal(planFilter({ protocol: 6 }, everything).attributes, {});
  const old = planFilter({ original: { source: '192.0.2.1' }, zone: 0 }, kernelFeatures('5.4.0-150-generic'));
  assert.equal(old.inKernel, ['family']);
  assert.equal(old.inUserSpace, ['zone', 'original.source']);
  assert.equal(kernelFeatures('6.1.0-28-amd64'), { tupleFilter: true, zoneFilter: false });
  assert.equal(kernelFeatures('6.12.3'), everything);
  assert.equal(kernelFeatures('unknown'), { tupleFilter: false, zoneFilter: false });
});

/** Whether the captured flow fits a filter. */
function fits(name: string, filter: Parameters<typeof checkFilter>[0]): boolean {
  const { bytes } = fixture('rep', name);
  return matchesFilter(checkFilter(filter), new FlowView().attach(bytes, 0, bytes.length));
}

test('user space compares every field', () => {
  const tcp = 'rep-get-tcp4-established';
  assert.is(fits(tcp, {}), true);
  assert.is(fits(tcp, { family: AF.INET }), true);
  assert.is(fits(tcp, { family: AF.INET6 }), false);
  assert.is(fits(tcp, { original: { source: '10.9.0.1', destinationPort: 8080 } }), true);
  assert.is(fits(tcp, { original: { source: '10.9.0.0/29' } }), true);
  assert.is(fits(tcp, { original: { source: '10.9.0.8/29' } }), false);
  assert.is(fits(tcp, { original: { source: '0.0.0.0/0' } }), true);
  assert.is(fits(tcp, { original: { source: '::/0' } }), false);
  assert.is(fits(tcp, { reply: { source: '10.9.0.2', sourcePort: 8080 } }), true);
  assert.is(fits(tcp, { reply: { sourcePort: 8081 } }), false);
  assert.is(fits(tcp, { status: IPS.ASSURED }), true);
  assert.is(fits(tcp, { status: IPS.ASSURED | IPS.DYING }), false);
  assert.is(fits(tcp, { status: 0, statusMask: IPS.DYING }), true);
  assert.is(fits(tcp, { mark: 0 }), true);
  assert.is(fits(tcp, { mark: 1, markMask: 1 }), false);
  assert.is(fits(tcp, { zone: 0 }), true);
  assert.is(fits('rep-get-udp4-origzone7', { zone: 7 }), true);
  assert.is(fits('rep-get-udp4-origzone7', { zone: 0 }), false);
  assert.is(fits('rep-get-proto253', { original: { sourcePort: 0 } }), false, 'no ports is not port 0');
});

/** Answers from captures; counts what was sent. */
class FakeRequester implements Requester {
  readonly sent: Uint8Array[] = [];
  data: Uint8Array[] = [];
  refusal: KernelError | undefined;
  pipelineAcks: readonly { errno: number; bytes: Uint8Array }[] = [];
  isClosed = false;

  async acknowledge(message: Uint8Array): Promise<void> {
    this.sent.push(message);
    if (this.refusal) throw this.refusal;
  }
  async query<T>(message: Uint8Array, decode: MessageDecoder<T>): Promise<T[]> {
    await this.acknowledge(message);
    return this.data.map((bytes) => decode(bytes, 0, bytes.length));
  }
  async pipeline(messages: Uint8Array, handler: PipelineHandler): Promise<void> {
    this.sent.push(messages);
    this.pipelineAcks.forEach(({ errno, bytes }, i) => {
      handler.onAck(i, errno, bytes, 0, bytes.length);
    });
  }
  async *dump<T>(message: Uint8Array, decode: MessageDecoder<T>): AsyncIterable<T> {
    yield* await this.query(message, decode);
  }
  async visit(message: Uint8Array, visitor: MessageDecoder<void>): Promise<void> {
    await this.query(message, visitor);
  }
  async close(): Promise<void> {
    this.isClosed = true;
  }
}

function refusalOf(errno: number, command: number): KernelError {
  const { code, meaning } = ctnetlink.describeErrno!(errno, command)!;
  return new KernelError({ errno, code, meaning, command: 'IPCTNL_MSG_CT_GET', seq: 1 });
}

const originalTuple = {
  ...{ source: '10.9.0.1', destination: '10.9.0.2', protocol: 6 },
  ...{ sourcePort: 48724, destinationPort: 8080 },
};

test('what is absent is a value; every other refusal is thrown', async () => {
  const requester = new FakeRequester();
  const client = new ConntrackClient(requester, { features: everything });
  requester.refusal = refusalOf(2, IPCTNL_MSG_CT.GET);
  assert.is(await client.get({ originalTuple }), undefined);
  assert.is(await client.delete({ originalTuple }), 'absent');
  assert.is(await client.update({ originalTuple }, { mark: 1 }), 'absent');
  requester.refusal = refusalOf(16, IPCTNL_MSG_CT.DELETE);
  let thrown: unknown;
  await client.delete({ originalTuple }).catch((error) => {
    thrown = error;
  });
  assert.is(thrown, requester.refusal);
  assert.match(String(thrown), /offloaded/);
});

test('wrong values are never sent', async () => {
  const requester = new FakeRequester();
  const client = new ConntrackClient(requester, { features: everything });
  const attempts = [
    () => client.update({ originalTuple }, { mark: 2 ** 32 }),
    () => client.get({ originalTuple: { ...originalTuple, sourcePort: 70000 } }),
    () => client.delete({} as never),
    () => client.deleteMany([{ originalTuple }, { originalTuple, zone: 65543 }]),
    () => client.flushTable(3),
  ];
  for (const attempt of attempts) {
    let thrown: unknown;
    await attempt().catch((error) => {
      thrown = error;
    });
    assert.instance(thrown, EncodeError);
  }
  assert.is(requester.sent.length, 0);
});

test('many deletions: outcomes in the order of the keys, refusals with their meaning', async () => {
  const requester = new FakeRequester();
  const client = new ConntrackClient(requester, { features: everything });
  const refused = fixture('rep', 'rep-update-status-ebusy').bytes;
  requester.pipelineAcks = [
    { errno: 0, bytes: new Uint8Array(0) },
    { errno: 2, bytes: fixture('rep', 'rep-del-missing-enoent').bytes },
    { errno: 16, bytes: refused },
  ];
  const outcomes = await client.deleteMany(
    [1, 2, 3].map((sourcePort) => ({ originalTuple: { ...originalTuple, sourcePort } })),
  );
  assert.equal(outcomes.slice(0, 2), [{ outcome: 'deleted' }, { outcome: 'absent' }]);
  const last = outcomes[2]!;
  assert.is(last.outcome, 'refused');
  assert.match(
    last.outcome === 'refused' ? last.error.message : '',
    /IPCTNL_MSG_CT_DELETE: EBUSY.*offloaded/,
  );
});

test('the list leaves out what the filter does not fit, whatever the kernel listed', async () => {
  const requester = new FakeRequester();
  const client = new ConntrackClient(requester, { features: everything });
  requester.data = ['rep-get-udp4', 'rep-get-udp6', 'rep-get-tcp4-established'].map(
    (name) => fixture('rep', name).bytes,
  );
  const list = async (filter: Parameters<typeof client.list>[0]) => {
    const protocols: number[] = [];
    for await (const flow of client.list(filter)) protocols.push(flow.originalTuple.protocol);
    return protocols;
  };
  assert.equal(await list({}), [17, 17, 6]);
  assert.equal(await list({ protocol: 6 }), [6]);
  assert.equal(await list({ family: AF.INET6 }), [17]);
  const seen: number[] = [];
  await client.visit({ family: AF.INET }, (view) => seen.push(view.original.protocol));
  assert.equal(seen, [17, 6]);
  await client.close();
  assert.is(requester.isClosed, true);
});

test('every errno of a request has its name, and the usual ones say what to do', () => {
  const meaning = (errno: number, command: number) => ctnetlink.describeErrno!(errno, command)?.meaning;
  for (const command of Object.values(IPCTNL_MSG_CT))
    assert.match(meaning(1, command) ?? '', /CAP_NET_ADMIN/);
  // a kernel without ctnetlink: nfnetlink_rcv_msg() knows no such subsystem
  assert.match(meaning(22, IPCTNL_MSG_CT.GET) ?? '', /nf_conntrack_netlink/);
  assert.match(meaning(95, IPCTNL_MSG_CT.NEW) ?? '', /helper/);
  assert.is(ctnetlink.describeErrno!(71, 0)?.code, 'EPROTO');
  assert.is(meaning(71, 0), undefined);
  assert.match(ctnetlinkExp.describeErrno!(2, 0)?.meaning ?? '', /master/);
});

test('the event reader joins the groups that its handlers need', () => {
  const { CONNTRACK_NEW, CONNTRACK_UPDATE, CONNTRACK_DESTROY } = NFNLGRP;
  assert.equal(new EventReader({}).groups, []);
  assert.equal(new EventReader({ onView: () => {} }).groups, [
    CONNTRACK_NEW,
    CONNTRACK_UPDATE,
    CONNTRACK_DESTROY,
  ]);
  assert.equal(new EventReader({ onFlow: () => {}, kinds: ['new'] }).groups, [CONNTRACK_NEW]);
  assert.equal(new EventReader({ onExpectation: () => {} }).groups, [
    NFNLGRP.CONNTRACK_EXP_NEW,
    NFNLGRP.CONNTRACK_EXP_DESTROY,
  ]);
});

test('a malformed event is counted and dropped; what a handler throws is not', () => {
  const heard: FlowEvent[] = [];
  const errors: DecodeError[] = [];
  const reader = new EventReader({
    onFlow: (event) => heard.push(event),
    onMalformedEvent: (e) => errors.push(e),
  });
  const { bytes } = fixture('event', 'event-new-icmp');
  const broken = bytes.slice();
  broken[ATTRIBUTES_AT] = 2;
  reader.read(broken, 0, broken.length);
  reader.read(bytes, 0, 18);
  reader.read(bytes, 0, bytes.length);
  assert.is(reader.malformed, 2);
  assert.ok(errors.every((error) => error instanceof DecodeError));
  assert.equal(
    heard.map(({ kind, flow }) => [kind, flow.originalTuple.icmpId]),
    [['new', 4660]],
  );
  const throwing = new EventReader({
    onView: () => {
      throw new RangeError('of the handler');
    },
  });
  assert.throws(() => throwing.read(bytes, 0, bytes.length), /of the handler/);
  assert.is(throwing.malformed, 0);
});

test('a flow of an event outlives the bytes that it came in', () => {
  const events: FlowEvent[] = [];
  const reader = new EventReader({ onFlow: (event) => events.push(event) });
  const buffer = Buffer.from(fixture('event', 'event-new-udp4-labels').bytes);
  reader.read(buffer, 0, buffer.length);
  const before = flowAttributes.decode(buffer, ATTRIBUTES_AT, buffer.length);
  buffer.fill(0xee);
  assert.equal(events[0]!.flow.labels, before.labels);
  assert.is(events[0]!.flow.originalTuple.source, before.originalTuple!.source);
});

test('expectation events', () => {
  const heard: unknown[] = [];
  const reader = new EventReader({
    onExpectation: ({ kind, expectation }) => heard.push([kind, expectation.family, expectation.helperName]),
  });
  for (const name of ['event-exp-new-nat', 'event-exp-destroy-ftp']) {
    const { bytes } = fixture('event', name);
    reader.read(bytes, 0, bytes.length);
  }
  assert.equal(heard, [
    ['new', AF.INET, 'ftp'],
    ['destroy', AF.INET, 'ftp'],
  ]);
});

test.run();
