import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { NLM_F } from '../../src/nfnetlink/constants.ts';
import { TransportError } from '../../src/nfnetlink/errors.ts';
import { concatenated, messageFlags } from '../../src/nfnetlink/message.ts';
import { ack, data, later, overrun, ScriptedTransport, sendFailure } from '../../src/testing/index.ts';
import {
  connect,
  deleteRequest,
  entry,
  getRequest,
  markOf,
  messageBytes,
  rejection,
  settled,
} from '../support/requests.ts';

const many = (count: number, request = deleteRequest) =>
  concatenated(Array.from({ length: count }, (_, i) => request(i)));

test('every message is answered at its index, refusals among them', async () => {
  const kernel = new ScriptedTransport().program(({ bytes }) => [ack(markOf(bytes) % 3 === 0 ? 2 : 0)]);
  const { connection } = connect(kernel);
  const errnos: number[] = [];
  await connection.pipeline(many(1000), { onAck: (index, errno) => (errnos[index] = errno) });
  assert.equal(
    errnos,
    Array.from({ length: 1000 }, (_, i) => (i % 3 === 0 ? 2 : 0)),
  );
  assert.is(connection.stats.answered, 1000);
});

test("64 messages a datagram, from the caller's bytes, with consecutive numbers", async () => {
  const kernel = new ScriptedTransport().program(() => [ack()]);
  const { connection } = connect(kernel, { firstSeq: 100 });
  const messages = many(150);
  await connection.pipeline(messages, { onAck() {} });
  assert.equal(kernel.datagrams, [64, 64, 22]);
  assert.equal(
    kernel.requests.map(({ seq }) => seq),
    Array.from({ length: 150 }, (_, i) => 100 + i),
  );
  assert.is(new DataView(messages.buffer).getUint8(149 * messageBytes + 8), 249, 'stamped in place');
});

test('data is handed over with the index of its request', async () => {
  const kernel = new ScriptedTransport({ queueLimit: 256 }).program(({ bytes }) => {
    const mark = markOf(bytes);
    return mark % 2 === 0 ? [data(entry(1000 + mark)), ack()] : [ack(2)];
  });
  const { connection } = connect(kernel);
  const marks: number[] = [];
  const onData = (index: number, bytes: Uint8Array, start: number) => {
    marks[index] = markOf(bytes, start);
  };
  await connection.pipeline(many(500, getRequest), { onData, onAck() {} });
  assert.equal(
    Object.entries(marks),
    Array.from({ length: 250 }, (_, i) => [String(2 * i), 1000 + 2 * i]),
  );
  assert.ok(kernel.mostQueued <= 192);
  assert.is(kernel.datagrams[0], 32, 'three datagrams share the window of 96 such requests');
});

test('a transport that delivers one by one still gets whole datagrams', async () => {
  const kernel = new ScriptedTransport({ batchSize: 1, queueLimit: 256 }).program(() => [ack()]);
  const { connection } = connect(kernel);
  await connection.pipeline(many(640), { onAck() {} });
  assert.equal(kernel.datagrams, Array(10).fill(64));
  assert.is(kernel.mostQueued, 3, 'one answer to each of the datagrams that fit into the window');
});

test('only the last message of a datagram asks for an acknowledgement', async () => {
  const kernel = new ScriptedTransport().program(() => [ack()]);
  const { connection } = connect(kernel);
  await connection.pipeline(many(130), { onAck() {} });
  const asking = kernel.requests.flatMap(({ bytes }, i) => (messageFlags(bytes, 0) & NLM_F.ACK ? [i] : []));
  assert.equal(asking, [63, 127, 129]);
  assert.ok(kernel.requests.every(({ bytes }) => (messageFlags(bytes, 0) & NLM_F.REQUEST) !== 0));
});

test('the end of each request is told in order, behind its data, whatever is refused', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(0, 0, 2, 16), { minLength: 1, maxLength: 200 }),
      fc.integer({ min: 1, max: 64 }),
      async (errnos, batchSize) => {
        const kernel = new ScriptedTransport({ batchSize }).program(({ bytes }) => {
          const errno = errnos[markOf(bytes)]!;
          return errno === 0 ? [data(entry(markOf(bytes))), ack()] : [ack(errno)];
        });
        const { connection } = connect(kernel);
        const told: string[] = [];
        await connection.pipeline(many(errnos.length, getRequest), {
          onData: (index, bytes, start) => void told.push(`${index} data ${markOf(bytes, start)}`),
          onAck: (index, errno) => void told.push(`${index} ${errno}`),
        });
        const order = told.filter((line) => !line.includes('data'));
        assert.equal(
          order,
          errnos.map((errno, i) => `${i} ${errno}`),
        );
        for (const [i, errno] of errnos.entries()) {
          const at = told.indexOf(`${i} data ${i}`);
          assert.is(at === -1, errno !== 0);
          assert.ok(at < told.indexOf(`${i} ${errno}`));
        }
        assert.is(connection.stats.answered, errnos.length);
      },
    ),
  );
});

test('nothing is taken for done in a datagram whose last answer is lost', async () => {
  const kernel = new ScriptedTransport().program(({ bytes }) => {
    const mark = markOf(bytes);
    return mark === 10 ? [ack(2)] : mark === 63 ? [] : [ack()];
  });
  const { connection, clock } = connect(kernel);
  const ended: number[] = [];
  const pipeline = rejection(connection.pipeline(many(192), { onAck: (index) => void ended.push(index) }));
  await settled();
  clock.advance(5000);
  clock.turn();
  assert.is((await pipeline).kind, 'timeout');
  const known = Array.from({ length: 192 }, (_, i) => i).filter((i) => i <= 10 || i > 63);
  assert.equal(ended, known);
});

test('a datagram of long messages stays below 32 KiB', async () => {
  const kernel = new ScriptedTransport({ receiveBufferSize: 1 << 24 }).program(() => [ack()]);
  const { connection } = connect(kernel);
  const long = new Uint8Array(3000);
  new Uint32Array(long.buffer)[0] = long.length;
  await connection.pipeline(concatenated(Array(25).fill(long)), { onAck() {} });
  assert.equal(kernel.datagrams, [10, 10, 5]);
});

test('requests keep their order around a pipeline', async () => {
  const kernel = new ScriptedTransport().program(() => [ack()]);
  const { connection } = connect(kernel);
  const order: string[] = [];
  await Promise.all([
    connection.acknowledge(deleteRequest(7)).then(() => order.push('before')),
    connection.pipeline(many(300), { onAck() {} }).then(() => order.push('pipeline')),
    connection.acknowledge(deleteRequest(8)).then(() => order.push('behind')),
  ]);
  assert.equal(order, ['before', 'pipeline', 'behind']);
  const marks = kernel.requests.map(({ bytes }) => markOf(bytes));
  assert.equal([marks[0], marks.at(-1), marks.length], [7, 8, 302]);
});

test('no message at all is done at once; half a message is refused', async () => {
  const kernel = new ScriptedTransport();
  const { connection } = connect(kernel);
  await connection.pipeline(new Uint8Array(), { onAck() {} });
  for (const cut of [1, 15, 27]) {
    const error = await rejection(
      connection.pipeline(many(2).subarray(0, messageBytes + cut), { onAck() {} }),
    );
    assert.is(error.kind, 'encode');
    assert.match(error.message, 'message 1 at byte 28');
  }
  assert.is(kernel.requests.length, 0);
});

test('a handler that throws ends its pipeline, and the connection goes on', async () => {
  const kernel = new ScriptedTransport().program(() => [ack()]);
  const { connection } = connect(kernel);
  const bug = new Error('a bug of the caller');
  let calls = 0;
  const onAck = (index: number) => {
    calls += 1;
    if (index === 10) throw bug;
  };
  assert.is(await rejection(connection.pipeline(many(1000), { onAck })), bug);
  assert.is(calls, 11);
  await connection.acknowledge(deleteRequest());
  assert.ok(kernel.requests.length < 400);
  assert.equal(
    [connection.stats.answered, connection.stats.stale],
    [65, 2],
    'one answer each to the two datagrams that nobody waits for',
  );
});

test('an aborted pipeline sends no more', async () => {
  const kernel = new ScriptedTransport({ isManual: true }).program(() => [ack()]);
  const { connection } = connect(kernel);
  const controller = new AbortController();
  const pipeline = rejection(connection.pipeline(many(1000), { onAck() {} }, { signal: controller.signal }));
  await settled();
  controller.abort();
  assert.is((await pipeline).name, 'AbortError');
  kernel.deliver();
  await settled();
  assert.is(kernel.requests.length, 192);
  assert.is(connection.stats.stale, 3);
});

test('an overrun, a failed send and silence reject the whole pipeline', async () => {
  const failure = new TransportError('send', 'EMSGSIZE');
  for (const [at, reply, kind] of [
    [100, overrun(), 'overrun'],
    [100, sendFailure(failure), 'transport'],
    [127, later(ack()), 'timeout'],
  ] as const) {
    const kernel = new ScriptedTransport().program(({ bytes }) => [markOf(bytes) === at ? reply : ack()]);
    const { connection, clock } = connect(kernel);
    const pipeline = rejection(connection.pipeline(many(300), { onAck() {} }));
    await settled();
    clock.advance(5000);
    assert.is((await pipeline).kind, kind);
    clock.turn(4);
    await connection.acknowledge(deleteRequest());
  }
});

test('an acknowledgement that comes twice counts once', async () => {
  const kernel = new ScriptedTransport().program(({ bytes }) =>
    markOf(bytes) === 3 ? [ack(2), ack(2)] : [ack()],
  );
  const { connection } = connect(kernel);
  const indexes: number[] = [];
  await connection.pipeline(many(6), { onAck: (index) => void indexes.push(index) });
  assert.equal(indexes, [0, 1, 2, 3, 4, 5]);
  assert.equal([connection.stats.answered, connection.stats.stale], [6, 1]);
});

test('progress puts the timeout off', async () => {
  const kernel = new ScriptedTransport({ isManual: true }).program(() => [ack(2)]);
  const { connection, clock } = connect(kernel);
  const pipeline = connection.pipeline(many(10), { onAck() {} });
  await settled();
  for (let i = 0; i < 10; i++) {
    clock.advance(4000);
    kernel.deliver(1);
  }
  await pipeline;
  assert.is(connection.stats.timeouts, 0);
});

test('a pipeline that waits for room is not timed out before it is sent', async () => {
  const kernel = new ScriptedTransport().program(({ bytes }) =>
    markOf(bytes) === 0 ? [ack()] : [later(ack())],
  );
  const { connection, clock } = connect(kernel, { window: 3 });
  // its deadline is the time of the next look at everything that is under way
  await connection.acknowledge(deleteRequest());
  clock.advance(4900);
  const some = (marks: number[]) => concatenated(marks.map((mark) => deleteRequest(mark)));
  const first = connection.pipeline(some([1, 2, 3]), { onAck() {} });
  const second = connection.pipeline(some([4, 5]), { onAck() {} });
  await settled();
  clock.advance(100);
  assert.equal(kernel.datagrams, [1, 1, 1, 1]);
  assert.is(connection.stats.timeouts, 0);
  kernel.release();
  await first;
  kernel.release();
  await settled();
  kernel.release();
  await second;
  assert.is(clock.timers, 1);
});

test.run();
