import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DecodeError } from '../../src/nfnetlink/errors.ts';
import {
  ack,
  data,
  done,
  dump,
  later,
  misnumbered,
  overrun,
  raw,
  ScriptedTransport,
} from '../../src/testing/index.ts';
import {
  connect,
  deleteRequest,
  dumpRequest,
  entries,
  entry,
  getRequest,
  markOf,
  rejection,
  settled,
} from '../support/requests.ts';

async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of iterable) values.push(value);
  return values;
}
const first = (count: number) => [...Array(count).keys()];

test('a dump yields its entries in order, and ends at NLMSG_DONE', async () => {
  const kernel = new ScriptedTransport().expect(dumpRequest(), dump(entries(1000)));
  const { connection } = connect(kernel);
  assert.equal(await collect(connection.dump(dumpRequest(), markOf)), first(1000));
  kernel.assertDone();
});

test('the connection sets NLM_F_DUMP', async () => {
  const kernel = new ScriptedTransport().expect(dumpRequest(), dump([]));
  const { connection } = connect(kernel);
  await connection.visit(getRequest(), () => {});
  kernel.assertDone();
});

test('nothing is sent before it is asked for, and each loop is a dump of its own', async () => {
  const kernel = new ScriptedTransport().program(() => [dump(entries(3))]);
  const { connection } = connect(kernel);
  const flows = connection.dump(dumpRequest(), markOf);
  await settled();
  assert.is(kernel.requests.length, 0);
  assert.equal([await collect(flows), await collect(flows)], [first(3), first(3)]);
  assert.is(kernel.requests.length, 2);
});

test('an empty table, and a dump split over datagrams', async () => {
  const kernel = new ScriptedTransport()
    .expect(dumpRequest(), dump([]))
    .expect(dumpRequest(), dump(entries(10), { entriesPerDatagram: 3 }));
  const { connection } = connect(kernel);
  assert.equal(await collect(connection.dump(dumpRequest(), markOf)), []);
  assert.equal(await collect(connection.dump(dumpRequest(), markOf)), first(10));
});

test('a visitor sees every entry in place', async () => {
  const kernel = new ScriptedTransport().expect(dumpRequest(), dump(entries(500)));
  const { connection } = connect(kernel);
  const marks: number[] = [];
  await connection.visit(dumpRequest(), (bytes, start) => void marks.push(markOf(bytes, start)));
  assert.equal(marks, first(500));
});

test('the errno of NLMSG_DONE is the end, behind the entries before it', async () => {
  const kernel = new ScriptedTransport().program(() => [dump(entries(2), { errno: 12 })]);
  const { connection } = connect(kernel);
  const seen: number[] = [];
  const error = await rejection(
    (async () => {
      for await (const mark of connection.dump(dumpRequest(), markOf)) seen.push(mark);
    })(),
  );
  assert.equal(seen, [0, 1]);
  assert.equal([error.code, error.command], ['ENOMEM', 'IPCTNL_MSG_CT_GET']);
  assert.is((await rejection(connection.visit(dumpRequest(), () => {}))).code, 'ENOMEM');
});

test('a dump that cannot begin is refused; the second copy of the refusal is stale', async () => {
  const kernel = new ScriptedTransport()
    .expect(dumpRequest(), ack(2), ack(2))
    .expect(dumpRequest(), dump([]));
  const { connection } = connect(kernel);
  assert.is((await rejection(collect(connection.dump(dumpRequest(), markOf)))).code, 'ENOENT');
  assert.equal(await collect(connection.dump(dumpRequest(), markOf)), []);
  assert.is(connection.stats.stale, 1);
});

test('a table that changed is told at the end', async () => {
  const kernel = new ScriptedTransport().program(() => [dump(entries(3), { isInterrupted: true })]);
  const { connection } = connect(kernel);
  const iterator = connection.dump(dumpRequest(), markOf)[Symbol.asyncIterator]();
  for (const mark of [0, 1, 2]) assert.equal(await iterator.next(), { value: mark, done: false });
  assert.is((await rejection(iterator.next())).kind, 'dump-interrupted');
  assert.equal(await iterator.next(), { value: undefined, done: true });
  assert.is((await rejection(connection.visit(dumpRequest(), () => {}))).kind, 'dump-interrupted');
});

test('dumps run one after the other; requests go between', async () => {
  const kernel = new ScriptedTransport()
    .expect(dumpRequest(1), data(entry(1)), later(done()))
    .expect(deleteRequest(), ack())
    .expect(dumpRequest(2), dump(entries(2)));
  const { connection } = connect(kernel);
  const one = collect(connection.dump(dumpRequest(1), markOf));
  const two = collect(connection.dump(dumpRequest(2), markOf));
  await settled();
  await connection.acknowledge(deleteRequest());
  assert.is(kernel.requests.length, 2);
  kernel.release();
  assert.equal([await one, await two], [[1], [0, 1]]);
  kernel.assertDone();
});

test('EBUSY from elsewhere is told', async () => {
  const kernel = new ScriptedTransport().expect(dumpRequest(), ack(16));
  const { connection } = connect(kernel);
  assert.is((await rejection(connection.visit(dumpRequest(), () => {}))).code, 'EBUSY');
});

test('a slow consumer pauses the socket, and what was read meanwhile is bounded', async () => {
  const kernel = new ScriptedTransport({ batchSize: 1 }).expect(dumpRequest(), dump(entries(10_000)));
  const { connection } = connect(kernel);
  let decoded = 0;
  const decode = (bytes: Uint8Array, start: number) => {
    decoded += 1;
    return markOf(bytes, start);
  };
  let taken = 0;
  for await (const mark of connection.dump(dumpRequest(), decode)) {
    assert.is(mark, taken++);
    assert.ok(decoded - taken < 256 + 64, `${decoded - taken} entries wait`);
    if (taken % 1000 === 5) {
      await settled();
      assert.ok(kernel.isPaused);
    }
  }
  assert.is(taken, 10_000);
  assert.not(kernel.isPaused);
});

test('a visitor whose promise is not settled pauses the socket', async () => {
  const kernel = new ScriptedTransport({ batchSize: 1 }).expect(dumpRequest(), dump(entries(1000)));
  const { connection } = connect(kernel);
  let visited = 0;
  let goOn = () => {};
  const visiting = connection.visit(dumpRequest(), () => {
    if (++visited % 500 !== 1) return undefined;
    return new Promise<void>((resolve) => {
      goOn = resolve;
    });
  });
  for (const least of [1, 501]) {
    await settled();
    assert.ok(kernel.isPaused);
    assert.ok(visited >= least && visited < least + 64, `${visited} were visited`);
    goOn();
  }
  await visiting;
  assert.is(visited, 1000);
  assert.not(kernel.isPaused);
});

test('a visitor whose promise is rejected ends the visit, and the connection goes on', async () => {
  const kernel = new ScriptedTransport({ batchSize: 1 }).program(() => [dump(entries(100))]);
  const { connection } = connect(kernel);
  const fault = new Error('no room');
  assert.is(await rejection(connection.visit(dumpRequest(), () => Promise.reject(fault))), fault);
  assert.equal(await collect(connection.dump(dumpRequest(), markOf)), first(100));
});

test('a consumer may await another request, or another dump, inside its loop', async () => {
  const kernel = new ScriptedTransport({ batchSize: 1 }).program(({ type, bytes }) =>
    type === 0x102 ? [ack()] : [dump(entries(markOf(bytes)))],
  );
  const { connection } = connect(kernel);
  let taken = 0;
  for await (const mark of connection.dump(dumpRequest(2000), markOf)) {
    taken += 1;
    if (mark % 500 === 0) await connection.acknowledge(deleteRequest());
    if (mark === 700) assert.is((await collect(connection.dump(dumpRequest(5), markOf))).length, 5);
  }
  assert.is(taken, 2000);
});

test('a loop that is left early is prompt; the rest is read undecoded, then the next dump begins', async () => {
  const kernel = new ScriptedTransport({ batchSize: 1 })
    .expect(dumpRequest(1), data(...entries(600)), later(dump(entries(600))))
    .expect(dumpRequest(2), dump(entries(1)));
  const { connection } = connect(kernel);
  let decoded = 0;
  const decode = (bytes: Uint8Array, start: number) => {
    decoded += 1;
    return markOf(bytes, start);
  };
  for await (const mark of connection.dump(dumpRequest(1), decode)) {
    if (mark === 10) break;
  }
  const before = decoded;
  assert.ok(before < 600);
  assert.not(kernel.isRef, 'nobody waits');
  const next = collect(connection.dump(dumpRequest(2), markOf));
  await settled();
  assert.is(kernel.requests.length, 1);
  kernel.release();
  assert.equal(await next, [0]);
  assert.is(decoded, before);
  assert.is(connection.stats.stale, 600 - before + 600 + 1);
});

test('what a decoder or visitor throws ends the dump, and the connection goes on', async () => {
  const kernel = new ScriptedTransport().program(() => [dump(entries(100))]);
  const { connection } = connect(kernel);
  const fault = new DecodeError('no', 1);
  const decode = (bytes: Uint8Array, start: number) => {
    if (markOf(bytes, start) === 3) throw fault;
    return markOf(bytes, start);
  };
  const seen: number[] = [];
  const loop = async () => {
    for await (const mark of connection.dump(dumpRequest(), decode)) seen.push(mark);
  };
  assert.is(await rejection(loop()), fault);
  assert.equal(seen, [0, 1, 2]);
  assert.is(await rejection(connection.visit(dumpRequest(), decode)), fault);
  assert.is((await collect(connection.dump(dumpRequest(), markOf))).length, 100);
});

test('a dump without progress is a TimeoutError, and no second one is sent until it is given up', async () => {
  const kernel = new ScriptedTransport().program(({ bytes }) =>
    markOf(bytes) === 1 ? [data(entry(9))] : [dump([])],
  );
  const { connection, clock } = connect(kernel);
  const lost = rejection(collect(connection.dump(dumpRequest(1), markOf)));
  const next = collect(connection.dump(dumpRequest(2), markOf));
  await settled();
  clock.advance(5000);
  assert.is((await lost).kind, 'timeout');
  await settled();
  assert.is(kernel.requests.length, 1);
  clock.advance(5000);
  assert.equal(await next, []);
  assert.is(connection.stats.timeouts, 1);
});

test('the time that a slow consumer takes is not counted', async () => {
  const kernel = new ScriptedTransport({ batchSize: 1 }).expect(dumpRequest(), dump(entries(1000)));
  const { connection, clock } = connect(kernel);
  let taken = 0;
  for await (const _ of connection.dump(dumpRequest(), markOf)) {
    if (taken++ % 100 === 0) clock.advance(60_000);
  }
  assert.is(taken, 1000);
});

test('an aborted dump rejects at once, without the entries that wait', async () => {
  const kernel = new ScriptedTransport().program(() => [data(...entries(100))]);
  const { connection } = connect(kernel);
  const controller = new AbortController();
  const { signal } = controller;
  const iterator = connection.dump(dumpRequest(), markOf, { signal })[Symbol.asyncIterator]();
  assert.equal(await iterator.next(), { value: 0, done: false });
  const other = connect(new ScriptedTransport().program(() => [later(done())])).connection;
  const stuck = rejection(other.dump(dumpRequest(), markOf, { signal })[Symbol.asyncIterator]().next());
  await settled();
  const reason = new Error('enough');
  controller.abort(reason);
  assert.is(await rejection(iterator.next()), reason);
  assert.equal(await iterator.next(), { value: undefined, done: true });
  assert.is(await stuck, reason);
  assert.is(await rejection(collect(connection.dump(dumpRequest(), markOf, { signal }))), reason);
  assert.is(kernel.requests.length, 1);
});

test('a dump that is aborted while it waits for its turn gives the turn on', async () => {
  const kernel = new ScriptedTransport()
    .expect(dumpRequest(1), later(done()))
    .expect(dumpRequest(3), dump(entries(3)));
  const { connection } = connect(kernel);
  const controller = new AbortController();
  const one = collect(connection.dump(dumpRequest(1), markOf));
  const two = rejection(connection.visit(dumpRequest(2), () => {}, { signal: controller.signal }));
  const three = collect(connection.dump(dumpRequest(3), markOf));
  controller.abort();
  await two;
  await settled();
  kernel.release();
  assert.equal([await one, await three], [[], first(3)]);
  kernel.assertDone();
});

test('while a dump fills the buffer, fewer answers may be due', async () => {
  const kernel = new ScriptedTransport({ isManual: true }).program(({ type }) =>
    type === 0x102 ? [ack()] : [later(done())],
  );
  const { connection } = connect(kernel);
  const flows = collect(connection.dump(dumpRequest(), markOf));
  await settled();
  const requests = Array.from({ length: 300 }, (_, i) => connection.acknowledge(deleteRequest(i)));
  await settled();
  assert.is(kernel.requests.length, 1 + 66);
  kernel.release();
  while (connection.stats.answered < 301) kernel.deliver();
  await Promise.all([flows, ...requests]);
});

test('an overrun rejects the dump; it is read to its end before the next is sent', async () => {
  const kernel = new ScriptedTransport()
    .expect(dumpRequest(1), data(entry(1)), overrun(), later(done()))
    .expect(dumpRequest(2), dump(entries(1)));
  const { connection, clock } = connect(kernel);
  assert.is((await rejection(collect(connection.dump(dumpRequest(1), markOf)))).kind, 'overrun');
  const next = collect(connection.dump(dumpRequest(2), markOf));
  await settled();
  kernel.release();
  await settled();
  assert.is(kernel.requests.length, 1);
  clock.turn(4);
  assert.equal(await next, [0]);
});

test('close ends a dump, those that wait for their turn, and a loop that is begun later', async () => {
  const kernel = new ScriptedTransport().program(() => [data(entry(1))]);
  const { connection } = connect(kernel);
  const loops = [1, 2].map((mark) => rejection(collect(connection.dump(dumpRequest(mark), markOf))));
  await settled();
  await connection.close();
  loops.push(rejection(collect(connection.dump(dumpRequest(), markOf))));
  for (const { kind } of await Promise.all(loops)) assert.is(kind, 'closed');
});

test('a message that is none rejects the loop', async () => {
  const { connection } = connect(new ScriptedTransport());
  const loop = collect(connection.dump(new Uint8Array(3), markOf));
  assert.is((await rejection(loop)).kind, 'encode');
});

test('several `next` without waiting are answered in order', async () => {
  const kernel = new ScriptedTransport().expect(
    dumpRequest(),
    raw(entry(5)),
    misnumbered(data(entry(6)), 3),
    dump(entries(2)),
  );
  const { connection } = connect(kernel);
  const iterator = connection.dump(dumpRequest(), markOf)[Symbol.asyncIterator]();
  const results = await Promise.all([iterator.next(), iterator.next(), iterator.next(), iterator.next()]);
  assert.equal(
    results.map(({ value }) => value),
    [0, 1, undefined, undefined],
  );
  assert.equal([connection.stats.stale, connection.stats.unsolicited], [1, 1]);
});

test.run();
