import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TransportError } from '../../src/nfnetlink/errors.ts';
import { ack, later, overrun, ScriptedTransport, sendFailure } from '../../src/testing/index.ts';
import { connect, deleteRequest, markOf, rejection, settled } from '../support/requests.ts';

test('a failed send rejects those aboard, and the next is sent', async () => {
  const failure = new TransportError('send', 'ENOBUFS');
  const kernel = new ScriptedTransport()
    .expect(deleteRequest(1), sendFailure(failure))
    .expect(deleteRequest(2), ack());
  const { connection } = connect(kernel);
  assert.is(await rejection(connection.acknowledge(deleteRequest(1))), failure);
  await connection.acknowledge(deleteRequest(2));
  assert.is(connection.stats.sent, 1);
});

test('a silent kernel is a TimeoutError; time counts from the sending, by one timer', async () => {
  const kernel = new ScriptedTransport().program(({ bytes }) =>
    markOf(bytes) < 2 ? [later(ack())] : [ack()],
  );
  const { connection, clock } = connect(kernel, { window: 2 });
  const slow = rejection(connection.acknowledge(deleteRequest(0)));
  const quick = rejection(connection.acknowledge(deleteRequest(1), { timeout: 100 }));
  const third = connection.acknowledge(deleteRequest(2), { timeout: 1 });
  await settled();
  assert.is(kernel.requests.length, 2);
  assert.is(clock.timers, 1);
  assert.is(clock.refTimers, 0);
  clock.advance(99);
  assert.is(connection.stats.timeouts, 0);
  clock.advance(1);
  const error = await quick;
  assert.is(error.kind, 'timeout');
  assert.is(error.command, 'IPCTNL_MSG_CT_DELETE');
  assert.is(error.milliseconds, 100);
  await third;
  clock.advance(4900);
  assert.is((await slow).milliseconds, 5000);
  kernel.release();
  await settled();
  assert.is(connection.stats.stale, 2);
  assert.is(connection.stats.timeouts, 2);
});

test('answers that came while the event loop was blocked are read before time is up', async () => {
  const kernel = new ScriptedTransport({ isManual: true }).program(() => [ack()]);
  const { connection, clock } = connect(kernel);
  const answer = connection.acknowledge(deleteRequest());
  await settled();
  clock.nextTurn(() => kernel.deliver());
  clock.advance(60_000);
  await answer;
  assert.is(connection.stats.timeouts, 0);
});

test('an aborted request that waits is never sent', async () => {
  const kernel = new ScriptedTransport({ isManual: true }).program(() => [ack()]);
  const { connection } = connect(kernel, { window: 1 });
  const controller = new AbortController();
  const first = connection.acknowledge(deleteRequest(1));
  const second = rejection(connection.acknowledge(deleteRequest(2), { signal: controller.signal }));
  const third = connection.acknowledge(deleteRequest(3));
  await settled();
  const reason = new Error('enough');
  controller.abort(reason);
  assert.is(await second, reason);
  kernel.deliver();
  await settled();
  kernel.deliver();
  await Promise.all([first, third]);
  assert.equal(
    kernel.requests.map(({ bytes }) => markOf(bytes)),
    [1, 3],
  );
  assert.is(await rejection(connection.acknowledge(deleteRequest(4), { signal: controller.signal })), reason);
});

test('the answer to an aborted request is stale, and its room is kept until then', async () => {
  const kernel = new ScriptedTransport()
    .expect(deleteRequest(1), later(ack()))
    .expect(deleteRequest(2), ack());
  const { connection } = connect(kernel, { window: 1 });
  const controller = new AbortController();
  const first = rejection(connection.acknowledge(deleteRequest(1), { signal: controller.signal }));
  await settled();
  controller.abort();
  assert.is((await first).name, 'AbortError');
  const second = connection.acknowledge(deleteRequest(2));
  await settled();
  assert.is(kernel.requests.length, 1);
  kernel.release();
  await second;
  assert.is(connection.stats.stale, 1);
  assert.is(connection.stats.answered, 1);
});

test('many requests share one listener on a signal, and leave none', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  let most = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners += 1;
    most = Math.max(most, listeners);
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners -= 1;
    removeEventListener.apply(signal, args);
  };
  const kernel = new ScriptedTransport().program(({ bytes }) => [ack(markOf(bytes) % 2)]);
  const { connection } = connect(kernel);
  const ask = () =>
    Array.from({ length: 20 }, (_, i) => connection.acknowledge(deleteRequest(i), { signal }));
  await Promise.allSettled(ask());
  assert.equal([most, listeners, connection.stats.answered], [1, 0, 20]);
  const outcomes = ask().map(rejection);
  controller.abort(new Error('enough'));
  for (const { message } of await Promise.all(outcomes)) assert.is(message, 'enough');
  assert.equal([most, listeners, kernel.requests.length], [1, 0, 20]);
});

test('an overrun rejects what was sent; what waits is sent when the socket is empty', async () => {
  const kernel = new ScriptedTransport().program(({ bytes }) => {
    const mark = markOf(bytes);
    return mark === 0 ? [overrun()] : mark === 1 ? [later(ack())] : [ack()];
  });
  const { connection, clock } = connect(kernel, { window: 2 });
  const sent = [0, 1].map((mark) => rejection(connection.acknowledge(deleteRequest(mark))));
  const waiting = connection.acknowledge(deleteRequest(2));
  for (const error of await Promise.all(sent)) assert.is(error.kind, 'overrun');
  clock.turn();
  kernel.release();
  await settled();
  clock.turn(2);
  await settled();
  assert.is(kernel.requests.length, 2, 'something was read: not yet empty');
  clock.turn();
  await waiting;
  assert.is(kernel.requests.length, 3);
  assert.is(connection.stats.overruns, 1);
  assert.is(connection.stats.stale, 1);
});

test('a kernel whose buffer really overflows is recovered from', async () => {
  const kernel = new ScriptedTransport({ queueLimit: 50, isManual: true }).program(() => [ack()]);
  const { connection, clock } = connect(kernel, { window: 100 });
  const first = Array.from({ length: 100 }, (_, i) => rejection(connection.acknowledge(deleteRequest(i))));
  await settled();
  kernel.deliver();
  const errors = await Promise.all(first);
  assert.equal(new Set(errors.map(({ kind }) => kind)), new Set(['overrun']));
  const next = connection.acknowledge(deleteRequest());
  clock.turn(4);
  await settled();
  kernel.deliver();
  await next;
  assert.is(connection.stats.stale, 50);
});

test('a socket that fails rejects everything with its error, then and later', async () => {
  const kernel = new ScriptedTransport().program(() => [later(ack())]);
  const { connection, clock } = connect(kernel, { window: 1 });
  const all = [1, 2].map((mark) => rejection(connection.acknowledge(deleteRequest(mark))));
  await settled();
  const failure = new TransportError('recvmsg', 'ENOMEM');
  kernel.fail(failure);
  assert.equal(await Promise.all(all), [failure, failure]);
  assert.is(await rejection(connection.acknowledge(deleteRequest())), failure);
  assert.is(clock.timers, 0);
});

test('close rejects what waits with ClosedError, and leaves no timer', async () => {
  const kernel = new ScriptedTransport().program(() => [later(ack())]);
  const { connection, clock } = connect(kernel, { window: 1 });
  const all = [1, 2].map((mark) => rejection(connection.acknowledge(deleteRequest(mark))));
  await settled();
  await connection.close();
  await connection.close();
  for (const { kind } of await Promise.all(all)) assert.is(kind, 'closed');
  assert.is((await rejection(connection.acknowledge(deleteRequest()))).kind, 'closed');
  assert.ok(kernel.isClosed);
  assert.is(clock.timers, 0);
});

test('the process is kept alive by a request that waits, not by an idle connection', async () => {
  const kernel = new ScriptedTransport().program(() => [later(ack())]);
  const { connection } = connect(kernel);
  assert.not(kernel.isRef);
  const answer = connection.acknowledge(deleteRequest());
  assert.ok(kernel.isRef);
  await settled();
  kernel.release();
  await answer;
  assert.not(kernel.isRef);
});

test.run();
