import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TransportError } from '../../src/nfnetlink/errors.ts';
import { concatenated } from '../../src/nfnetlink/message.ts';
import { Moderation } from '../../src/nfnetlink/moderation.ts';
import { EventSubscription, type SubscriptionOptions } from '../../src/nfnetlink/subscription.ts';
import { ManualClock, ScriptedTransport, type ScriptOptions } from '../../src/testing/index.ts';
import { entries, entry, markOf } from '../support/requests.ts';

function subscribe(options: Partial<SubscriptionOptions> = {}, script: ScriptOptions = {}) {
  const kernel = new ScriptedTransport({ isManual: true, ...script });
  const clock = new ManualClock();
  const marks: number[] = [];
  let overruns = 0;
  const subscription = new EventSubscription(kernel, {
    clock,
    onMessage: (bytes, start) => marks.push(markOf(bytes, start)),
    onOverrun: () => {
      overruns += 1;
    },
    ...options,
  });
  return { kernel, clock, marks, subscription, overruns: () => overruns };
}

test('it joins its groups and hands over every message of every datagram in place', () => {
  const { kernel, marks, subscription } = subscribe({ groups: [1, 3] });
  assert.equal(kernel.groups, [1, 3]);
  kernel.emit(entry(0), concatenated([entry(1), entry(2)]), entry(3));
  kernel.deliver();
  assert.equal(marks, [0, 1, 2, 3]);
  const { messages, datagrams, batches } = subscription.stats;
  assert.equal({ messages, datagrams, batches }, { messages: 4, datagrams: 3, batches: 1 });
});

test('what netlink says of itself is no event', () => {
  const { kernel, marks } = subscribe();
  const noop = new Uint8Array(16);
  new Uint32Array(noop.buffer)[0] = 16;
  new Uint16Array(noop.buffer)[2] = 1;
  kernel.emit(concatenated([noop, entry(1)]));
  kernel.deliver();
  assert.equal(marks, [1]);
});

test('a malformed datagram is counted, told and dropped; the others are handed over', () => {
  const told: number[] = [];
  const { kernel, marks, subscription } = subscribe({
    onMalformed: (_, start, end) => told.push(end - start),
  });
  kernel.emit(
    entry(1),
    concatenated([entry(2), new Uint8Array(8)]),
    entry(3).subarray(0, 27),
    new Uint8Array(16),
  );
  kernel.emit(entry(4));
  kernel.deliver();
  assert.equal(marks, [1, 2, 4]);
  assert.equal(told, [8, 27, 16]);
  assert.is(subscription.stats.malformed, 3);
});

test('an overrun is told and counted, and reading goes on', () => {
  const { kernel, marks, subscription, overruns } = subscribe();
  kernel.emit(entry(1));
  kernel.overrun();
  kernel.emit(entry(2));
  kernel.deliver();
  assert.equal(marks, [1, 2]);
  assert.is(overruns(), 1);
  assert.is(subscription.stats.overruns, 1);
});

test('a message that its receiver cannot bear does not stop the others', () => {
  const seen: number[] = [];
  const { kernel, clock, subscription } = subscribe({
    onMessage(bytes, start) {
      seen.push(markOf(bytes, start));
      if (seen.length === 2) throw new Error('a bug of the caller');
    },
  });
  kernel.emit(...entries(4));
  kernel.deliver();
  assert.equal(seen, [0, 1, 2, 3]);
  assert.is(subscription.stats.thrown, 1);
  assert.throws(() => clock.turn(), 'a bug of the caller');
});

test('a failure of the socket is told; close inside a callback ends the batch', async () => {
  const failure = new TransportError('recvmsg', 'ENOMEM');
  let told: unknown;
  const { kernel } = subscribe({
    onError: (error) => {
      told = error;
    },
  });
  kernel.fail(failure);
  assert.is(told, failure);

  let seen = 0;
  const other = subscribe({
    onMessage() {
      if (++seen === 2) void other.subscription.close();
    },
  });
  other.kernel.emit(concatenated(entries(5)), entry(6));
  other.kernel.deliver();
  assert.is(seen, 2);
  assert.ok(other.kernel.isClosed);
  assert.throws(() => other.subscription.growReceiveBuffer(1), /closed/);
});

test('the receive buffer can grow', () => {
  const { subscription } = subscribe();
  assert.is(subscription.receiveBufferSize, 212_992);
  assert.is(subscription.growReceiveBuffer(1 << 20), 1 << 21);
});

/** Sends events one by one, each in a turn of its own; they are read unless the socket is paused. */
function trickle(subject: ReturnType<typeof subscribe>, count: number, everyMs: number): void {
  for (let i = 0; i < count; i++) {
    subject.clock.advance(everyMs);
    subject.kernel.emit(entry(i));
    subject.kernel.deliver();
    subject.clock.turn();
  }
}

for (const batchSize of [1, 64]) {
  test(`a low rate is never delayed, nor is a burst now and then (batches of ${batchSize})`, () => {
    const subject = subscribe({}, { batchSize });
    trickle(subject, 200, 1);
    for (let burst = 0; burst < 5; burst++) {
      subject.clock.advance(1000);
      subject.kernel.emit(...entries(50));
      subject.kernel.deliver();
      subject.clock.turn();
    }
    assert.is(subject.subscription.stats.pauses, 0);
    assert.is(subject.marks.length, 450);
  });

  test(`a high rate lets events gather, until it falls (batches of ${batchSize})`, () => {
    const subject = subscribe({}, { batchSize });
    const { clock, kernel, subscription } = subject;
    trickle(subject, 100, 0.1);
    assert.ok(subscription.stats.pauses > 1, 'at 10,000 events a second');
    if (kernel.isPaused) clock.advance(5);
    kernel.deliver();
    while (!kernel.isPaused) trickle(subject, 1, 0.1);
    const seen = subject.marks.length;
    kernel.emit(...entries(40));
    kernel.deliver();
    assert.is(subject.marks.length, seen, 'they wait in the kernel');
    clock.advance(5);
    assert.not(kernel.isPaused);
    kernel.deliver();
    clock.turn();
    assert.is(subject.marks.length, seen + 40);
    assert.not(kernel.isPaused, 'a transport may read as many and leave more');
    clock.turn();
    assert.ok(kernel.isPaused, 'forty in five milliseconds: again');
    clock.advance(5);
    const { pauses } = subscription.stats;
    trickle(subject, 100, 1);
    assert.is(subscription.stats.pauses, pauses, 'at 1,000 a second: no more');
  });
}

test('a transport that reads 32 a turn is not paused before it has read everything', () => {
  const subject = subscribe({}, { batchSize: 1 });
  const { clock, kernel } = subject;
  clock.advance(1);
  kernel.emit(...entries(100));
  for (let turn = 0; turn < 3; turn++) {
    kernel.deliver(32);
    clock.turn();
    assert.not(kernel.isPaused);
  }
  kernel.deliver(32);
  clock.turn();
  assert.is(subject.marks.length, 100);
  assert.ok(kernel.isPaused);
});

test('moderation can be switched off', () => {
  const subject = subscribe({ moderation: false });
  trickle(subject, 100, 0.01);
  assert.is(subject.subscription.stats.pauses, 0);
  assert.is(subject.clock.turns, 0);
});

test('close during a pause leaves no timer, and unref frees the one that runs', async () => {
  const subject = subscribe();
  while (!subject.kernel.isPaused) trickle(subject, 1, 0.01);
  assert.equal([subject.clock.timers, subject.clock.refTimers], [1, 1]);
  subject.subscription.unref();
  assert.is(subject.clock.refTimers, 0);
  assert.not(subject.kernel.isRef);
  await subject.subscription.close();
  assert.is(subject.clock.timers, 0);
});

test('the policy: a pause above the rate, and never longer than a quarter of the buffer lasts', () => {
  const policy = new Moderation({ delayMs: 5, fromRate: 4000 }, 0);
  assert.not(policy.count(15));
  assert.ok(policy.count(1));
  assert.is(policy.pauseAfter(4, 212_992), 5, '16 in 4 ms');
  policy.count(16);
  assert.is(policy.pauseAfter(8.1, 212_992), 0, '16 in 4.1 ms');
  policy.count(1000);
  const short = policy.pauseAfter(18.1, 212_992);
  assert.ok(Math.abs(short - 0.416) < 1e-9, `100 a millisecond, and 41.6 are a quarter: ${short}`);
  policy.count(1000);
  assert.ok(policy.pauseAfter(18.1, 212_992) < 0.01, 'no time has passed');
});

test.run();
