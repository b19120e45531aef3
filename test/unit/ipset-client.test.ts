/** The client against a kernel that follows a script: what cannot be provoked on a real one. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { protocolReply, setReply } from '../../src/ipset/attributes.ts';
import {
  describeErrno,
  type Element,
  findSetType,
  IPSET_CMD,
  IPSET_ERR,
  IpsetClient,
  IpsetError,
  ipset,
  type SetShape,
  type SetTypeName,
  testTemplate,
} from '../../src/ipset/index.ts';
import { RequestConnection } from '../../src/nfnetlink/connection.ts';
import {
  AF,
  ATTRIBUTES_AT,
  commandOf,
  DecodeError,
  EncodeError,
  encodeRequest,
  messageTypeOf,
  NFNL_SUBSYS,
  NLM_F,
  toHex,
} from '../../src/nfnetlink/index.ts';
import {
  ack,
  data,
  dump,
  type Reply,
  type ScriptedRequest,
  ScriptedTransport,
} from '../../src/testing/index.ts';
import { fixture, loadFixtures } from '../support/fixtures.ts';

const ENOENT = 2;
const EINVAL = 22;

function reply(command: number, value: Parameters<typeof setReply.encode>[0], flags = 0): Uint8Array {
  return encodeRequest(
    { type: messageTypeOf(NFNL_SUBSYS.IPSET, command), flags, family: AF.INET },
    setReply,
    value,
  );
}

function protocolIs(protocol: number, protocolMin?: number): Reply[] {
  const type = messageTypeOf(NFNL_SUBSYS.IPSET, IPSET_CMD.PROTOCOL);
  return [data(encodeRequest({ type, flags: 0 }, protocolReply, { protocol, protocolMin })), ack()];
}

const headerOf = (typeName: string, family: number = AF.INET): Reply[] => [
  data(reply(IPSET_CMD.HEADER, { protocol: 7, setName: 's', typeName, family, revision: 6 })),
  ack(),
];

interface Kernel {
  readonly client: IpsetClient;
  /** The requests so far, without the first one for the protocol. */
  readonly commands: () => number[];
  readonly requests: readonly ScriptedRequest[];
}

/** A kernel that answers each command by a function. */
function kernel(answers: Readonly<Record<number, (request: ScriptedRequest) => Reply[]>>): Kernel {
  const transport = new ScriptedTransport({ subsystems: [ipset] });
  transport.program((request) => {
    const command = commandOf(request.type);
    const answer = answers[command];
    if (answer) return answer(request);
    return command === IPSET_CMD.PROTOCOL ? protocolIs(7, 6) : undefined;
  });
  const client = new IpsetClient(new RequestConnection(transport, { subsystems: [ipset] }));
  return {
    client,
    requests: transport.requests,
    commands: () => transport.requests.map(({ type }) => commandOf(type)),
  };
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

/** Requests as ipset(8) would send them, but for sequence numbers. */
function sent(request: ScriptedRequest): string {
  return toHex(request.bytes.slice(0, 8)) + toHex(request.bytes.slice(16));
}

function captured(name: string): string {
  const { bytes } = fixture('ipset', name);
  return toHex(bytes.slice(0, 8)) + toHex(bytes.slice(16));
}

test('the protocol is asked once, also by requests at the same time', async () => {
  const { client, commands } = kernel({ [IPSET_CMD.FLUSH]: () => [ack()] });
  await Promise.all([client.flush('a'), client.flush('b'), client.protocol()]);
  assert.equal(commands(), [IPSET_CMD.PROTOCOL, IPSET_CMD.FLUSH, IPSET_CMD.FLUSH]);
});

test('a kernel that speaks protocol 6', async () => {
  const { client, requests } = kernel({
    [IPSET_CMD.PROTOCOL]: () => protocolIs(6),
    [IPSET_CMD.FLUSH]: () => [ack()],
  });
  assert.is(await client.protocol(), 6);
  await client.flush('a');
  // PROTOCOL is the first attribute
  assert.is(requests[1]!.bytes[ATTRIBUTES_AT + 4], 6);
  for (const work of [client.indexOf('a'), client.nameOf(1)]) {
    const error = await failure(work);
    assert.instance(error, EncodeError);
    assert.match((error as Error).message, /protocol 7/);
  }
});

test('kernels of the past and of the future', async () => {
  for (const replies of [protocolIs(5), protocolIs(9, 8)]) {
    const { client } = kernel({ [IPSET_CMD.PROTOCOL]: () => replies });
    assert.instance(await failure(client.names()), EncodeError);
  }
  assert.is(await kernel({ [IPSET_CMD.PROTOCOL]: () => protocolIs(9, 6) }).client.protocol(), 7);
});

test('a kernel without ipset', async () => {
  const { client } = kernel({ [IPSET_CMD.PROTOCOL]: () => [ack(EINVAL)] });
  const error = (await failure(client.test('s', { ip: '10.0.0.1' }))) as IpsetError;
  assert.instance(error, IpsetError);
  assert.is(error.code, 'EINVAL');
  assert.match(error.message, /no ipset.*modprobe ip_set/);
  // a failure is not remembered: the module may be loaded by now
  assert.instance(await failure(client.protocol()), IpsetError);
});

test('no privileges', async () => {
  const { client } = kernel({ [IPSET_CMD.PROTOCOL]: () => [ack(1)] });
  const error = (await failure(client.names())) as IpsetError;
  assert.is(error.code, 'EPERM');
  assert.match(error.message, /CAP_NET_ADMIN/);
});

test('a kernel without a set type', async () => {
  const { client, commands } = kernel({ [IPSET_CMD.TYPE]: () => [ack(IPSET_ERR.FIND_TYPE)] });
  const error = (await failure(client.create('s', 'hash:mac'))) as IpsetError;
  assert.is(error.code, 'IPSET_ERR_FIND_TYPE');
  assert.match(error.message, /modprobe/);
  assert.equal(commands(), [IPSET_CMD.PROTOCOL, IPSET_CMD.TYPE]);
});

test('the revision is what both know; options that it lacks are not sent', async () => {
  const typeReply = (revision: number, revisionMin: number) => () => [
    data(reply(IPSET_CMD.TYPE, { protocol: 7, typeName: 'hash:ip', family: AF.INET, revision, revisionMin })),
    ack(),
  ];
  const old = kernel({ [IPSET_CMD.TYPE]: typeReply(3, 1), [IPSET_CMD.CREATE]: () => [ack()] });
  await old.client.create('s', 'hash:ip', { comment: true });
  const error = (await failure(old.client.create('s', 'hash:ip', { skbinfo: true }))) as EncodeError;
  assert.is(error.path, 'skbinfo');
  assert.match(error.message, /since revision 4, and revision 3/);
  assert.is(
    ((await failure(old.client.create('s', 'hash:ip', { revision: 0 }))) as EncodeError).path,
    'revision',
  );
  // asked once
  assert.equal(old.commands(), [IPSET_CMD.PROTOCOL, IPSET_CMD.TYPE, IPSET_CMD.CREATE]);

  const recent = kernel({ [IPSET_CMD.TYPE]: typeReply(99, 0), [IPSET_CMD.CREATE]: () => [ack()] });
  await recent.client.create('h4', 'hash:ip', { timeout: 600, counters: true, comment: true, skbinfo: true });
  assert.is(sent(recent.requests[1]!), captured('ipset-x-type-req'));
  await recent.client.create(
    'h4',
    'hash:ip',
    { timeout: 600, counters: true, comment: true, skbinfo: true },
    { exist: true },
  );
  assert.is(sent(recent.requests[3]!), captured('ipset-create-exist-flag-req0'));
});

test('requests are those of ipset(8)', async () => {
  const { client, requests } = kernel({
    [IPSET_CMD.HEADER]: () => headerOf('hash:net'),
    [IPSET_CMD.DESTROY]: () => [ack()],
    [IPSET_CMD.FLUSH]: () => [ack()],
    [IPSET_CMD.TEST]: () => [ack()],
    [IPSET_CMD.LIST]: () => [dump([])],
  });
  const last = () => sent(requests.at(-1)!);
  await client.destroy('bp');
  assert.is(last(), captured('ipset-destroy-req0'));
  await client.flush('bp');
  assert.is(last(), captured('ipset-flush-req0'));
  assert.equal(await client.names(), []);
  assert.is(last(), captured('ipset-list-names-req0'));
  assert.is(await client.test('n4', { ip: '10.1.1.1' }), true);
  assert.is(last(), captured('ipset-test-hash-net-ip-hit-req2'));
});

test('a miss is a value, and every other refusal an error', async () => {
  let errno: number = IPSET_ERR.EXIST;
  const { client } = kernel({
    [IPSET_CMD.HEADER]: () => headerOf('hash:ip'),
    [IPSET_CMD.TEST]: () => [ack(errno)],
  });
  assert.is(await client.test('s', { ip: '10.0.0.1' }), false);
  const tester = await client.tester('s');
  assert.equal([...(await tester.testMany(Uint8Array.of(10, 0, 0, 1)))], [0]);
  errno = IPSET_ERR.PROTOCOL;
  assert.is(((await failure(client.test('s', { ip: '10.0.0.1' }))) as IpsetError).code, 'IPSET_ERR_PROTOCOL');
  const error = (await failure(tester.testMany(new Uint8Array(8)))) as IpsetError;
  assert.equal([error.code, error.index, error.set], ['IPSET_ERR_PROTOCOL', 0, 's']);
});

test('a set that was made again is learned again', async () => {
  let typeName = 'hash:ip';
  const { client, commands } = kernel({
    [IPSET_CMD.HEADER]: () => headerOf(typeName),
    [IPSET_CMD.ADD]: () => [ack()],
    [IPSET_CMD.TEST]: () => [ack()],
  });
  await client.add('s', { ip: '10.0.0.1' });
  await client.add('s', { ip: '10.0.0.2' });
  assert.equal(commands().slice(1), [IPSET_CMD.HEADER, IPSET_CMD.ADD, IPSET_CMD.ADD]);
  typeName = 'hash:net';
  await client.add('s', { ip: '10.0.0.0', cidr: 8, nomatch: true });
  assert.equal(commands().slice(4), [IPSET_CMD.HEADER, IPSET_CMD.ADD]);
  typeName = 'hash:ip';
  const error = (await failure(client.test('s', { ip: '10.0.0.0', cidr: 8 }))) as EncodeError;
  assert.is(error.path, 'cidr');
});

test('testers answer in turn, and a call waits for the one before', async () => {
  const { client } = kernel({
    [IPSET_CMD.HEADER]: () => headerOf('hash:ip'),
    // the last byte of the address decides
    [IPSET_CMD.TEST]: ({ bytes }) => [ack(bytes.at(-1)! % 2 === 1 ? 0 : IPSET_ERR.EXIST)],
  });
  const tester = await client.tester('s');
  const keys = (first: number, count: number) => {
    const list = new Uint8Array(4 * count);
    for (let i = 0; i < count; i++) list.set([10, 0, 0, (first + i) & 255], 4 * i);
    return list;
  };
  const [few, many] = await Promise.all([tester.testMany(keys(1, 3)), tester.testMany(keys(0, 10_000))]);
  assert.equal([...few], [1, 0, 1]);
  assert.ok(many.every((found, i) => found === i % 2));
  const results = new Uint8Array(5).fill(9);
  assert.is(await tester.testMany(keys(0, 2), results), results);
  assert.equal([...results], [0, 1, 9, 9, 9]);
});

test('a set that vanishes between', async () => {
  let isThere = true;
  const { client } = kernel({
    [IPSET_CMD.HEADER]: () => (isThere ? headerOf('hash:ip') : [ack(ENOENT)]),
    [IPSET_CMD.TEST]: () => [ack(isThere ? 0 : ENOENT)],
  });
  const tester = await client.tester('s');
  isThere = false;
  for (const work of [tester.testMany(new Uint8Array(4)), client.test('s', { ip: '10.0.0.1' })]) {
    assert.is(((await failure(work)) as IpsetError).code, 'ENOENT');
  }
});

test('a type that this library does not know', async () => {
  const { client } = kernel({ [IPSET_CMD.HEADER]: () => headerOf('hash:new') });
  const error = (await failure(client.shape('s'))) as DecodeError;
  assert.instance(error, DecodeError);
  assert.is(error.path, 'IPSET_ATTR_TYPENAME');
});

test('a listing in several messages, of several sets', async () => {
  const set = (setName: string, ips: string[]) =>
    reply(
      IPSET_CMD.LIST,
      {
        protocol: 7,
        setName,
        typeName: 'hash:ip',
        family: AF.INET,
        revision: 6,
        index: 1,
        data: { hashSize: 64, references: 2, memorySize: 9, elements: 3 },
        elements: { data: ips.map((ip) => ({ ip })) },
      },
      NLM_F.MULTI,
    );
  const more = (setName: string, ips: string[]) =>
    reply(
      IPSET_CMD.LIST,
      { protocol: 7, setName, elements: { data: ips.map((ip) => ({ ip })) } },
      NLM_F.MULTI,
    );
  const { client } = kernel({
    [IPSET_CMD.LIST]: () => [
      dump([
        set('a', ['10.0.0.1']),
        more('a', ['10.0.0.2']),
        more('a', ['10.0.0.3']),
        set('b', []),
        set('c', ['10.0.0.4']),
      ]),
    ],
  });
  const seen: unknown[] = [];
  for await (const { header, elements } of client.list()) {
    seen.push([header.name, header.references, header.memorySize, elements.map(({ ip }: Element) => ip)]);
  }
  assert.equal(seen, [
    ['a', 2, 9, ['10.0.0.1', '10.0.0.2', '10.0.0.3']],
    ['b', 2, 9, []],
    ['c', 2, 9, ['10.0.0.4']],
  ]);
  let parts = 0;
  for await (const part of client.listParts()) {
    parts++;
    if (part.header.name === 'b') break;
  }
  assert.is(parts, 4);
});

test('tests from raw keys are those of ipset(8)', () => {
  const cases: [string, SetTypeName, number, number[]][] = [
    ['ipset-test-hash-ip6-hit-req2', 'hash:ip', AF.INET6, [0x20, 1, 0x0d, 0xb8, ...Array(11).fill(0), 1]],
    ['ipset-test-hash-net-ip-hit-req2', 'hash:net', AF.INET, [10, 1, 1, 1]],
    ['ipset-test-hash-ip-port-req2', 'hash:ip,port', AF.INET, [10, 0, 0, 1, 6, 0, 80]],
    ['ipset-test-hash-ip-port-net-req2', 'hash:ip,port,net', AF.INET, [10, 0, 0, 1, 6, 1, 187, 10, 9, 1, 1]],
    ['ipset-test-bitmap-ip-req2', 'bitmap:ip', AF.INET, [10, 0, 0, 7]],
    ['ipset-test-hash-net-iface-req2', 'hash:net,iface', AF.INET, [10, 4, 1, 1]],
  ];
  for (const [name, typeName, family, key] of cases) {
    const { decoded } = fixture('ipset', name);
    const setName = decoded.messages[0]!.attrs!.find(({ attr }) => attr === 'IPSET_ATTR_SETNAME')!
      .value as string;
    const type = findSetType(typeName)!;
    const set: SetShape = { name: setName, type, family, revision: type.revision };
    const template = testTemplate(set, 7, { iface: 'eth0' });
    assert.is(template.keyLength, key.length, name);
    const bytes = new Uint8Array(template.messageLength + 8);
    template.prepare(bytes, 4);
    template.fill(bytes, 4, Uint8Array.of(99, ...key), 1);
    const message = bytes.slice(4, 4 + template.messageLength);
    assert.is(
      toHex(message.slice(0, 8)) + toHex(message.slice(16)),
      captured(name).replace(/(.)$/, '$1'),
      name,
    );
  }
});

test('every refusal has a name that says what to do', () => {
  for (const errno of Object.values(IPSET_ERR)) {
    const found = describeErrno(errno, IPSET_CMD.ADD)!;
    assert.match(found.code, /^IPSET_ERR_/);
    assert.ok(found.meaning, `${errno}`);
  }
  assert.is(describeErrno(4352, IPSET_CMD.ADD, 'hash')!.code, 'IPSET_ERR_HASH_FULL');
  assert.is(describeErrno(4352, IPSET_CMD.ADD, 'bitmap')!.code, 'IPSET_ERR_BITMAP_RANGE');
  assert.is(describeErrno(4352, IPSET_CMD.ADD, 'list')!.code, 'IPSET_ERR_NAME');
  assert.is(
    describeErrno(4352, IPSET_CMD.ADD)!.code,
    'IPSET_ERR_HASH_FULL or IPSET_ERR_BITMAP_RANGE or IPSET_ERR_NAME',
  );
  assert.match(
    describeErrno(4352, IPSET_CMD.ADD)!.meaning!,
    /in a hash set: .*; in a bitmap set: .*; in a list set: /,
  );
  assert.is(describeErrno(4357, IPSET_CMD.ADD, 'bitmap')!.code, 'IPSET_ERR_TYPE_SPECIFIC+5');
  assert.is(describeErrno(4200, IPSET_CMD.ADD)!.code, 'IPSET_ERR_4200');
  assert.is(describeErrno(11, IPSET_CMD.ADD), undefined);
});

test('a captured refusal of a batch', async () => {
  const restore = loadFixtures('ipset').find(({ name }) => name === 'ipset-restore-error-line3-rep9')!;
  const { client } = kernel({
    [IPSET_CMD.HEADER]: () => headerOf('hash:ip'),
    [IPSET_CMD.ADD]: () => [data(restore.bytes)],
  });
  const error = (await failure(
    client.addMany('s', [{ ip: '1.1.1.1' }, { ip: '1.1.1.2' }, { ip: '1.1.1.1' }]),
  )) as IpsetError;
  assert.equal([error.code, error.index, error.set], ['IPSET_ERR_EXIST', 2, 's']);
});

test.run();
