/** The model's sockets: bounded buffers, dumps that go on as they are read, faults. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ConntrackClient } from '../../src/ctnetlink/index.ts';
import { ModelKernel, type ModelKernelOptions, ModelSockets, VirtualClock } from '../../src/model/index.ts';
import { ClosedError, EventSubscription, NFNLGRP, RequestConnection } from '../../src/nfnetlink/index.ts';
import { rejection } from '../support/requests.ts';

function open(options: Partial<ModelKernelOptions> = {}) {
  const clock = new VirtualClock(0, 100_000);
  const kernel = new ModelKernel({ clock, wallNow: () => 1_700_000_000_000 + clock.now(), ...options });
  return { clock, kernel, sockets: new ModelSockets(kernel) };
}

const flow = (n: number) => ({
  originalTuple: {
    source: `10.0.${n >> 8}.${n & 0xff}`,
    destination: '203.0.113.10',
    protocol: 17,
    sourcePort: 4000,
    destinationPort: 443,
  },
  mark: 0x100,
});

test('events that do not fit are lost, told once, and come again when the socket was read empty', async () => {
  const { clock, kernel } = open({ largestReceiveBuffer: 832 * 4, readingDelay: () => 10 });
  const heard: string[] = [];
  const transport = kernel.open({ groups: [NFNLGRP.CONNTRACK_NEW], receiveBuffer: 1 << 20 });
  const subscription = new EventSubscription(transport, {
    onMessage: () => heard.push('event'),
    onOverrun: () => heard.push('overrun'),
    clock,
  });
  for (let n = 0; n < 9; n++) kernel.conntrack.add(flow(n));
  await clock.run(20);
  assert.equal(heard, ['overrun', 'event', 'event', 'event', 'event']);
  kernel.conntrack.add(flow(9));
  await clock.run(40);
  assert.is(heard.length, 6);
  await subscription.close();
  assert.is(kernel.sockets.size, 0);
});

test('a dump goes on as it is read, and sees some of what changes meanwhile', async () => {
  const { clock, kernel } = open({
    dumpChunk: 400,
    largestReceiveBuffer: 8192,
    readingDelay: () => 5,
  });
  for (let n = 0; n < 300; n++) kernel.conntrack.add(flow(n));
  const connection = new RequestConnection(kernel.open({ receiveBuffer: 8192 }), { clock });
  const client = new ConntrackClient(connection);
  const seen = new Set<string>();
  const reading = (async () => {
    for await (const { originalTuple } of client.list()) {
      assert.not(seen.has(originalTuple.source), originalTuple.source);
      seen.add(originalTuple.source);
      if (seen.size === 100) for (let n = 300; n < 400; n++) kernel.conntrack.add(flow(n));
    }
  })();
  await clock.settle(reading, 10_000);
  for (let n = 0; n < 300; n++) assert.ok(seen.has(flow(n).originalTuple.source));
  assert.ok(seen.size > 300 && seen.size < 400, `${seen.size}`);
  await connection.close();
});

test('answers are lost, come too late, or are refusals, as the troubles say', async () => {
  const troubles: ('lost' | number | undefined)[] = ['lost', undefined, 12, undefined];
  let delay = 0;
  const { clock, kernel, sockets } = open({ trouble: () => troubles.shift(), readingDelay: () => delay });
  kernel.conntrack.add(flow(1));
  const connection = await sockets.openCtnetlink();
  const client = new ConntrackClient(connection);
  const key = { originalTuple: flow(1).originalTuple };
  const kindOf = async () => (await rejection(clock.settle(client.get(key), 60_000))).kind;
  const kinds = [await kindOf()];
  delay = 7000;
  kinds.push(await kindOf());
  delay = 0;
  kinds.push(await kindOf());
  assert.equal(kinds, ['overrun', 'timeout', 'kernel']);
  assert.is((await clock.settle(client.get(key), 60_000))?.mark, 0x100);
  assert.is(connection.stats.stale, 2);
  await connection.close();
});

test('a flow that is made again has the same id, and another start', async () => {
  const { clock, kernel } = open({ hasTimestamps: true });
  const make = () => {
    const startedAt = kernel.startTime;
    return kernel.conntrack.add({ ...flow(1), ...(startedAt !== undefined && { startedAt }) })!;
  };
  const first = make();
  kernel.conntrack.remove(first);
  await clock.run(1000);
  const second = make();
  assert.is(second.id, first.id);
  assert.is(second.startedAt! - first.startedAt!, 1_000_000_000n);
  assert.is(kernel.conntrack.add(flow(1)), undefined);
});

test('a closed socket takes nothing', async () => {
  const { kernel } = open();
  const socket = kernel.open();
  await socket.close();
  assert.throws(
    () => socket.send(new Uint8Array()),
    (error: Error) => error instanceof ClosedError,
  );
});

test.run();
