import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DecodeError } from '../../src/nfnetlink/errors.ts';
import {
  ack,
  cut,
  data,
  later,
  misnumbered,
  raw,
  ScriptedTransport,
  together,
} from '../../src/testing/index.ts';
import {
  connect,
  deleteRequest,
  entry,
  getRequest,
  markOf,
  rejection,
  settled,
} from '../support/requests.ts';

test('an acknowledgement resolves; nothing is left in flight', async () => {
  const kernel = new ScriptedTransport().expect(deleteRequest(1), ack());
  const { connection } = connect(kernel);
  await connection.acknowledge(deleteRequest(1));
  kernel.assertDone();
  assert.equal(connection.stats.sent, 1);
  assert.equal(connection.stats.answered, 1);
});

test('a request carries NLM_F_REQUEST and NLM_F_ACK, and the caller keeps its bytes', async () => {
  const kernel = new ScriptedTransport().program(() => [ack()]);
  const { connection } = connect(kernel, { firstSeq: 77 });
  const message = deleteRequest(1);
  const before = message.slice();
  await connection.acknowledge(message);
  await connection.acknowledge(message);
  assert.equal(message, before);
  assert.equal(
    kernel.requests.map(({ seq }) => seq),
    [77, 78],
  );
  assert.is(kernel.requests[0]!.bytes[6]! & 5, 5);
});

test('a query waits for its data and its acknowledgement', async () => {
  const kernel = new ScriptedTransport().expect(getRequest(), data(entry(5)), later(ack()));
  const { connection } = connect(kernel);
  let marks: number[] | undefined;
  const answer = connection.query(getRequest(), markOf).then((values) => {
    marks = values;
  });
  await settled();
  assert.is(marks, undefined);
  assert.is(connection.stats.received, 1);
  kernel.release();
  await answer;
  assert.equal(marks, [5]);
});

test('a refusal is a KernelError with the names of the subsystem', async () => {
  const kernel = new ScriptedTransport().expect(deleteRequest(), ack(2));
  const { connection } = connect(kernel, { firstSeq: 9 });
  const error = await rejection(connection.acknowledge(deleteRequest()));
  assert.is(error.kind, 'kernel');
  assert.is(error.code, 'ENOENT');
  assert.is(error.errno, 2);
  assert.is(error.command, 'IPCTNL_MSG_CT_DELETE');
  assert.is(error.seq, 9);
});

test('an extended acknowledgement names the attribute at its offset', async () => {
  const offset = new Uint8Array([8, 0, 2, 0, 20, 0, 0, 0]);
  if (new Uint8Array(new Uint16Array([1]).buffer)[0] === 0) offset.set([0, 8, 0, 2, 0, 0, 0, 20]);
  const kernel = new ScriptedTransport().expect(deleteRequest(), ack(34, offset));
  const { connection } = connect(kernel);
  const error = await rejection(connection.acknowledge(deleteRequest()));
  assert.equal(error.extack, { attribute: 'CTA_MARK', offset: 20 });
});

test('the requests of one turn share a datagram, up to 64', async () => {
  const kernel = new ScriptedTransport().program(() => [ack()]);
  const { connection } = connect(kernel);
  await Promise.all(Array.from({ length: 70 }, (_, i) => connection.acknowledge(deleteRequest(i))));
  assert.equal(kernel.datagrams, [64, 6]);
  assert.equal(
    kernel.requests.map(({ bytes }) => markOf(bytes)),
    [...Array(70).keys()],
  );
});

test('no more answers are due than the receive buffer holds', async () => {
  const kernel = new ScriptedTransport({ queueLimit: 256 }).program(() => [data(entry()), ack()]);
  const { connection } = connect(kernel);
  const all = Array.from({ length: 1000 }, (_, i) => connection.query(getRequest(i), markOf));
  await Promise.all(all);
  assert.is(kernel.mostQueued, 128, 'each 832 bytes of acknowledgement and 1280 of data');
  assert.is(connection.stats.overruns, 0);
});

test('refusals repeat the request, so large requests take more of the window', async () => {
  const kernel = new ScriptedTransport({ isManual: true }).program(() => [ack(2)]);
  const { connection } = connect(kernel);
  const large = new Uint8Array(16 * 1024);
  new Uint32Array(large.buffer)[0] = large.length;
  new Uint16Array(large.buffer)[2] = 0x102;
  const all = Array.from({ length: 20 }, () => connection.acknowledge(large).catch((error) => error.code));
  await settled();
  assert.is(kernel.requests.length, 5);
  while (kernel.requests.length < 20) kernel.deliver(1);
  kernel.deliver();
  assert.equal(await Promise.all(all), Array(20).fill('ENOENT'));
});

test('a larger receive buffer widens the window, and an option sets it', async () => {
  const sentWith = async (receiveBufferSize: number, window?: number) => {
    const kernel = new ScriptedTransport({ receiveBufferSize, isManual: true }).program(() => [ack()]);
    const { connection } = connect(kernel, window === undefined ? {} : { window });
    for (let i = 0; i < 500; i++) connection.acknowledge(deleteRequest(i)).catch(() => {});
    await settled();
    await connection.close();
    return kernel.requests.length;
  };
  assert.is(await sentWith(212_992), 192);
  assert.is(await sentWith(425_984), 384);
  assert.is(await sentWith(212_992, 10), 10);
  assert.is(await sentWith(100), 1);
});

test('a request that alone exceeds the window is sent by itself', async () => {
  const kernel = new ScriptedTransport().program(() => [data(entry(1)), ack()]);
  const { connection } = connect(kernel, { window: 1 });
  const both = [1, 2].map((mark) => connection.query(getRequest(mark), markOf));
  assert.equal(await Promise.all(both), [[1], [1]]);
  assert.equal(kernel.datagrams, [1, 1]);
});

test('sequence numbers go on behind 2^32 - 1 without 0', async () => {
  const kernel = new ScriptedTransport().program(() => [ack()]);
  const { connection } = connect(kernel, { firstSeq: 0xfffffffe });
  await Promise.all([1, 2, 3].map((mark) => connection.acknowledge(deleteRequest(mark))));
  assert.equal(
    kernel.requests.map(({ seq }) => seq),
    [0xfffffffe, 0xffffffff, 1],
  );
  assert.is(connection.stats.answered, 3);
});

test('answers of another number, another socket, or that come twice are stale', async () => {
  const strange = ack();
  const kernel = new ScriptedTransport().expect(
    deleteRequest(),
    misnumbered(ack(), 12345),
    (request) => strange({ ...request, portId: 99 }),
    ack(2),
    ack(2),
  );
  const { connection } = connect(kernel);
  assert.is((await rejection(connection.acknowledge(deleteRequest()))).code, 'ENOENT');
  assert.is(connection.stats.stale, 3);
  assert.is(connection.stats.answered, 1);
});

test("events and netlink's own messages answer nothing", async () => {
  const noop = new Uint8Array(16);
  new Uint32Array(noop.buffer)[0] = 16;
  new Uint16Array(noop.buffer)[2] = 1;
  const kernel = new ScriptedTransport().expect(deleteRequest(), raw(entry(1), noop), ack());
  const { connection } = connect(kernel);
  await connection.acknowledge(deleteRequest());
  assert.is(connection.stats.unsolicited, 2);
});

test('a malformed datagram is counted and dropped, from where it is malformed', async () => {
  const kernel = new ScriptedTransport().expect(
    deleteRequest(),
    raw(new Uint8Array(7), new Uint8Array(16), new Uint8Array(64).fill(255)),
    cut(ack(2), 18),
    together(ack(), raw(new Uint8Array(3))),
  );
  const { connection } = connect(kernel);
  await connection.acknowledge(deleteRequest());
  await settled();
  assert.is(connection.stats.malformed, 5);
});

test('an acknowledgement too short for an errno is malformed', async () => {
  const short = new Uint8Array(16);
  const kernel = new ScriptedTransport().expect(
    deleteRequest(),
    ({ seq, portId }) => {
      new Uint32Array(short.buffer).set([16, 2, seq, portId]);
      return [{ kind: 'datagram', bytes: short }];
    },
    ack(),
  );
  const { connection } = connect(kernel);
  await connection.acknowledge(deleteRequest());
  assert.is(connection.stats.malformed, 1);
});

test('what a decoder throws fails its request and no other', async () => {
  const kernel = new ScriptedTransport().program(() => [data(entry()), ack()]);
  const { connection } = connect(kernel);
  const fault = new DecodeError('no', 3);
  const bug = new RangeError('a bug of the caller');
  const throwing = (error: unknown) => () => {
    throw error;
  };
  const [decode, range, nothing, good] = await Promise.allSettled([
    connection.query(getRequest(1), throwing(fault)),
    connection.query(getRequest(2), throwing(bug)),
    connection.query(getRequest(3), throwing(undefined)),
    connection.query(getRequest(4), () => 'fine'),
  ]);
  assert.equal(decode, { status: 'rejected', reason: fault });
  assert.equal(range, { status: 'rejected', reason: bug });
  assert.equal(nothing, { status: 'rejected', reason: undefined });
  assert.equal(good, { status: 'fulfilled', value: ['fine'] });
});

test('bytes that are not exactly one message are refused before anything is sent', async () => {
  const kernel = new ScriptedTransport();
  const { connection } = connect(kernel);
  const two = new Uint8Array([...deleteRequest(), ...deleteRequest()]);
  for (const bytes of [new Uint8Array(), new Uint8Array(16), two, deleteRequest().subarray(0, 24)]) {
    assert.is((await rejection(connection.acknowledge(bytes))).kind, 'encode');
  }
  assert.is(kernel.requests.length, 0);
});

test.run();
