/** What every transport must do on a real kernel; run inside a namespace. */
import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { OverrunError } from '../../src/nfnetlink/errors.ts';
import type { Transport, TransportOptions } from '../../src/nfnetlink/transport.ts';
import { createFlows, deleteFlows, flowNumber, requestDump } from './flowSource.ts';
import { block, turns, until } from './waiting.ts';

const allEvents = [1, 2, 3];
const eightMegabytes = 4 << 20; // the kernel doubles it
const nlmsgError = 2;
const nlmsgDone = 3;

/** An nlmsghdr alone (IPCTNL_MSG_CT_GET without its nfgenmsg), which is acked and does nothing. */
const bare = Uint8Array.from(Buffer.from('10000000010105000700000000000000', 'hex'));

function uncaught(): Promise<Error> {
  return new Promise((resolve) => process.once('uncaughtException', resolve));
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  gc();
  gc();
}

function heldBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Declares the tests for one kind of transport; `open` opens it. */
export function transportContract(
  open: (options?: TransportOptions) => Promise<Transport> | Transport,
): void {
  let opened: Transport[] = [];
  const make = async (options?: TransportOptions) => {
    const transport = await open(options);
    opened.push(transport);
    return transport;
  };
  /** A socket that sends, another that hears every event. */
  const pair = async (options: TransportOptions = {}) => ({
    source: await make(),
    listener: await make({ groups: allEvents, slotSize: 4096, receiveBuffer: eightMegabytes, ...options }),
  });
  test.after.each(async () => {
    await Promise.all(opened.map((transport) => transport.close()));
    opened = [];
  });

  test('the port id is the one that the kernel answers to', async () => {
    const transport = await make();
    const answers: Buffer[] = [];
    transport.onBatch(({ buffer, bounds }) => answers.push(Buffer.from(buffer.slice(bounds[0], bounds[1]))));
    transport.send(bare);
    await until('the ack', () => answers.length > 0);
    const ack = answers[0]!;
    assert.is(ack.readUInt16LE(4), nlmsgError);
    assert.is(ack.readUInt32LE(8), 7, 'sequence number');
    assert.is(ack.readUInt32LE(12), transport.portId);
    assert.is(ack.readInt32LE(16), 0);
  });

  test('events of joined groups, each once and in order, before and after a late join', async () => {
    const { source, listener } = await pair({ groups: [1] });
    const seen: number[] = [];
    listener.onBatch(({ buffer, bounds, count }) => {
      for (let i = 0; i < count; i++) seen.push(flowNumber(buffer, bounds[2 * i]!));
    });
    createFlows(source, 0, 500);
    await until('500 NEW events', () => seen.length === 500);
    listener.joinGroup(3);
    deleteFlows(source, 0, 500);
    await until('500 DESTROY events', () => seen.length === 1000);
    const numbers = Array.from({ length: 500 }, (_, i) => i);
    assert.equal(seen, [...numbers, ...numbers]);
  });

  test('a promise that a batch settles goes on without another event', async () => {
    const { source, listener } = await pair();
    const first = new Promise<void>((resolve) => listener.onBatch(() => resolve()));
    createFlows(source, 0, 1);
    await first;
    deleteFlows(source, 0, 1);
  });

  test('what other sockets send and are sent meanwhile leaves a batch as it is', async () => {
    const { source, listener } = await pair();
    const other = await make();
    let answers = 0;
    other.onBatch(({ count }) => {
      answers += count;
    });
    const seen: number[] = [];
    listener.onBatch(({ buffer, bounds, count }) => {
      for (let i = 0; i < 10; i++) other.send(bare);
      for (let i = 0; i < count; i++) seen.push(flowNumber(buffer, bounds[2 * i]!));
    });
    createFlows(source, 0, 100);
    await until('100 NEW events', () => seen.length === 100);
    assert.equal(
      seen,
      Array.from({ length: 100 }, (_, i) => i),
    );
    await until('the other answers', () => answers >= 10);
    deleteFlows(source, 0, 100);
  });

  test('an overrun while JavaScript is blocked is told once, and reading goes on', async () => {
    const { source, listener } = await pair({ receiveBuffer: 65536 });
    const overruns: OverrunError[] = [];
    const seen = new Set<number>();
    listener.onOverrun((error) => overruns.push(error));
    listener.onBatch(({ buffer, bounds, count }) => {
      for (let i = 0; i < count; i++) seen.add(flowNumber(buffer, bounds[2 * i]!));
    });
    createFlows(source, 0, 50_000);
    block(1000);
    await until('the overrun', () => overruns.length > 0);
    await turns(10);
    assert.is(overruns.length, 1);
    assert.is(overruns[0]!.kind, 'overrun');
    assert.ok(seen.has(0), 'the oldest events are still read');
    assert.ok(seen.size < 50_000);
    createFlows(source, 60_000, 10);
    await until('events after the overrun', () => seen.has(60_009));
    assert.is(overruns.length, 1);

    createFlows(source, 70_000, 5_000);
    await until('the second congestion', () => overruns.length === 2);
    deleteFlows(source, 0, 50_000);
    deleteFlows(source, 60_000, 10);
    deleteFlows(source, 70_000, 5_000);
  });

  test('a throwing callback is an uncaught exception, and reading goes on', async () => {
    const { source, listener } = await pair();
    let batches = 0;
    listener.onBatch(() => {
      batches += 1;
      if (batches === 1) throw new Error('from the batch callback');
    });
    const caught = uncaught();
    createFlows(source, 0, 1);
    assert.is((await caught).message, 'from the batch callback');
    createFlows(source, 1, 1);
    await until('the next batch', () => batches === 2);
    deleteFlows(source, 0, 2);
  });

  test('a throwing overrun callback likewise', async () => {
    const { source, listener } = await pair({ receiveBuffer: 65536 });
    let events = 0;
    listener.onBatch(({ count }) => {
      events += count;
    });
    listener.onOverrun(() => {
      throw new Error('from the overrun callback');
    });
    const caught = uncaught();
    createFlows(source, 0, 5000);
    assert.is((await caught).message, 'from the overrun callback');
    await until('what was queued before', () => events > 0);
    deleteFlows(source, 0, 5000);
  });

  test('close inside a callback: no callback runs any more', async () => {
    const { source, listener } = await pair();
    let calls = 0;
    let closed: Promise<void> | undefined;
    listener.onBatch(() => {
      calls += 1;
      closed = listener.close();
    });
    createFlows(source, 0, 1000);
    await until('the first batch', () => closed !== undefined);
    await closed;
    await turns(5);
    assert.is(calls, 1);
    deleteFlows(source, 0, 1000);
  });

  test('close inside an overrun callback', async () => {
    const { source, listener } = await pair({ receiveBuffer: 65536 });
    let batches = 0;
    let closed: Promise<void> | undefined;
    listener.onBatch(() => {
      batches += 1;
    });
    listener.onOverrun(() => {
      closed = listener.close();
    });
    createFlows(source, 0, 5000);
    await until('the overrun', () => closed !== undefined);
    const before = batches;
    await closed;
    await turns(5);
    assert.is(batches, before);
    deleteFlows(source, 0, 5000);
  });

  test('close is idempotent; afterwards sending fails and all else is without effect', async () => {
    const transport = await make();
    transport.onBatch(() => {});
    assert.is(transport.close(), transport.close());
    assert.throws(
      () => transport.send(bare),
      (error: { kind: string }) => error.kind === 'closed',
    );
    assert.throws(
      () => transport.joinGroup(1),
      (error: { kind: string }) => error.kind === 'closed',
    );
    for (const call of ['pause', 'resume', 'ref', 'unref'] as const) transport[call]();
    await transport.close();
    for (const call of ['pause', 'resume', 'ref', 'unref'] as const) transport[call]();
  });

  test('a paused transport may be resumed after its close', async () => {
    const transport = await make();
    transport.pause();
    transport.onBatch(() => {});
    const closed = transport.close();
    transport.resume();
    await closed;
    await turns(2);
    transport.resume();
  });

  test('pause stops the reading, resume continues it without loss', async () => {
    const { source, listener } = await pair();
    let events = 0;
    listener.onBatch(({ count }) => {
      events += count;
      if (events < 200) listener.pause();
    });
    createFlows(source, 0, 300);
    await until('the first batch', () => events > 0);
    const paused = events;
    await turns(10);
    assert.is(events, paused);
    assert.ok(events < 300);
    listener.resume();
    while (events < 300) {
      await turns(1);
      listener.resume();
    }
    assert.is(events, 300);
    deleteFlows(source, 0, 300);
  });

  test('a dump of 100,000 entries is read whole', async () => {
    const source = await make();
    const reader = await make();
    createFlows(source, 0, 100_000);
    const flows = new Uint8Array(100_000);
    let total = 0;
    let isDone = false;
    reader.onOverrun((error) => assert.unreachable(error.message));
    reader.onBatch(({ buffer, bounds, count }) => {
      const view = new DataView(buffer.buffer, buffer.byteOffset);
      for (let i = 0; i < count; i++) {
        for (let at = bounds[2 * i]!; at < bounds[2 * i + 1]!; at += (view.getUint32(at, true) + 3) & ~3) {
          if (view.getUint16(at + 4, true) === nlmsgDone) {
            isDone = true;
            continue;
          }
          total += 1;
          flows[flowNumber(buffer, at)] = 1;
        }
      }
    });
    requestDump(reader);
    await until('the end of the dump', () => isDone);
    assert.is(total, 100_000);
    assert.ok(flows.every((seen) => seen === 1));
    deleteFlows(source, 0, 100_000);
  });

  test('1,000,000 events leave the memory as it was', async () => {
    const { source, listener } = await pair();
    let events = 0;
    listener.onOverrun((error) => assert.unreachable(error.message));
    listener.onBatch(({ count }) => {
      events += count;
    });
    const round = async (last: number) => {
      createFlows(source, 0, 500);
      await until('NEW events', () => events === last + 500);
      deleteFlows(source, 0, 500);
      await until('DESTROY events', () => events === last + 1000);
    };
    for (let done = 0; done < 50; done++) await round(done * 1000);
    const before = heldBytes();
    for (let done = 50; done < 1000; done++) await round(done * 1000);
    assert.is(events, 1_000_000);
    const growth = heldBytes() - before;
    assert.ok(growth < 2_000_000, `grew by ${growth} bytes`);
  });

  test('a datagram longer than its slot is counted, and told as an overrun', async () => {
    const transport = await make();
    const overruns: OverrunError[] = [];
    let answers = 0;
    transport.onOverrun((error) => overruns.push(error));
    transport.onBatch(({ count }) => {
      answers += count;
    });
    // an unknown subsystem: the error quotes the whole request of 100 KB
    const request = new Uint8Array(100_000);
    const view = new DataView(request.buffer);
    view.setUint32(0, request.length, true);
    view.setUint16(4, 0x6300, true);
    view.setUint16(6, 1, true);
    transport.send(request);
    await until('the overrun', () => overruns.length > 0);
    assert.is(transport.truncated, 1);
    assert.is(answers, 0);
    transport.send(bare);
    await until('the next answer', () => answers === 1);
    assert.is(overruns.length, 1);
  });

  test('a datagram above the send buffer is refused', async () => {
    const transport = await make();
    assert.throws(
      () => transport.send(new Uint8Array(4 << 20)),
      (error: { kind: string; code: string }) => error.kind === 'transport' && error.code === 'EMSGSIZE',
    );
  });

  test('the receive buffer grows and never shrinks', async () => {
    const transport = await make();
    const before = transport.receiveBufferSize;
    assert.ok(before >= 65536);
    const grown = transport.growReceiveBuffer(before);
    assert.is(grown, 2 * before);
    assert.is(transport.receiveBufferSize, grown);
    assert.is(transport.growReceiveBuffer(4096), grown);
  });

  test('a netlink family that the kernel lacks', async () => {
    try {
      await make({ protocol: 31 });
      assert.unreachable();
    } catch (error) {
      const { kind, code, message } = error as { kind: string; code: string; message: string };
      assert.is(kind, 'transport');
      assert.is(code, 'EPROTONOSUPPORT');
      assert.match(message, 'modprobe nfnetlink');
    }
  });

  test('the bytes of a datagram may be reused after send', async () => {
    const transport = await make();
    const seqs: number[] = [];
    transport.onBatch(({ buffer, bounds, count }) => {
      for (let i = 0; i < count; i++)
        seqs.push(new DataView(buffer.buffer).getUint32(buffer.byteOffset + bounds[2 * i]! + 8, true));
    });
    const request = bare.slice();
    for (let seq = 1; seq <= 50; seq++) {
      request[8] = seq;
      transport.send(request);
      request.fill(0xff);
      request.set(bare);
    }
    await until('50 acks', () => seqs.length === 50);
    assert.equal(
      seqs,
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
  });

  test('200 transports opened, read and closed leave nothing', async () => {
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const resources = () =>
      process
        .getActiveResourcesInfo()
        .filter((name) => !/Timeout|Immediate/.test(name))
        .sort();
    const before = { descriptors: descriptors(), resources: resources() };
    for (let i = 0; i < 200; i++) {
      const transport = await make({ groups: [1] });
      let isAnswered = false;
      transport.onBatch(() => {
        isAnswered = true;
      });
      transport.send(bare);
      await until('the ack', () => isAnswered);
      await transport.close();
    }
    opened = [];
    collectGarbage();
    await turns(5);
    assert.is(descriptors(), before.descriptors);
    assert.equal(resources(), before.resources);
  });
}
