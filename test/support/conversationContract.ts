/** What connections and subscriptions must do on a real kernel; run inside a namespace. */
import { readdirSync, readlinkSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ctnetlink } from '../../src/ctnetlink/subsystem.ts';
import { align4, lengthOf } from '../../src/nfnetlink/attribute.ts';
import { readU16host, writeU16host, writeU32host } from '../../src/nfnetlink/bytes.ts';
import { NLM_F } from '../../src/nfnetlink/constants.ts';
import { ATTRIBUTES_AT, concatenated, messageTypeOf } from '../../src/nfnetlink/message.ts';
import { openConnection, openSubscription } from '../../src/nfnetlink/open.ts';
import { openTransport } from '../../src/nfnetlink/transport/select.ts';
import { createFlows, deleteFlows, flowNumber } from './flowSource.ts';
import { rejection } from './requests.ts';
import { block, until } from './waiting.ts';

const GET = messageTypeOf(1, 1);
const UNKNOWN = messageTypeOf(238, 1);
const groupNew = 1;

/** A request with these attributes; family 2. */
function request(type: number, attributes = new Uint8Array()): Uint8Array {
  const bytes = new Uint8Array(ATTRIBUTES_AT + align4(attributes.length));
  writeU32host(bytes, 0, bytes.length);
  writeU16host(bytes, 4, type);
  bytes[16] = 2;
  bytes.set(attributes, ATTRIBUTES_AT);
  return bytes;
}

/** An nlmsghdr without nfgenmsg: acknowledged, and nothing is done. */
function bare(type: number): Uint8Array {
  const bytes = request(type).slice(0, 16);
  writeU32host(bytes, 0, 16);
  return bytes;
}

const dumpRequest = request(GET);
const copy = (bytes: Uint8Array, start: number, end: number) => bytes.slice(start, end);
const turn = () => new Promise((resolve) => setImmediate(resolve));

function openSockets(): number {
  let sockets = 0;
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')) sockets += 1;
    } catch {
      // the descriptor that read the folder
    }
  }
  return sockets;
}

async function withFlows(count: number, body: () => Promise<void>): Promise<void> {
  const source = await openTransport();
  createFlows(source, 0, count);
  try {
    await body();
  } finally {
    deleteFlows(source, 0, count);
    await source.close();
  }
}

/** Declares the tests, for the transport that this process opens. */
export function conversationContract(kind: 'ffi' | 'handle'): void {
  test('NOOP is acknowledged, and an unknown subsystem refused', async () => {
    const connection = await openConnection();
    await connection.acknowledge(bare(1));
    const error = await rejection(connection.acknowledge(request(UNKNOWN)));
    assert.equal([error.kind, error.code, error.command], ['kernel', 'EINVAL', `message type ${UNKNOWN}`]);
    assert.is(connection.stats.answered, 2);
    await connection.close();
  });

  test('a refusal names the attribute that the kernel objects to, where the socket can ask for it', async () => {
    const connection = await openConnection({ subsystems: [ctnetlink] });
    const shortTimeout = new Uint8Array(8);
    writeU16host(shortTimeout, 0, 6);
    writeU16host(shortTimeout, 2, 7);
    const error = await rejection(connection.acknowledge(request(GET, shortTimeout)));
    assert.equal([error.code, error.command], ['ERANGE', 'IPCTNL_MSG_CT_GET']);
    const told = error.extack as { message: string; attribute: string; offset: number } | undefined;
    if (kind === 'ffi') {
      assert.equal([told?.attribute, told?.offset], ['CTA_TIMEOUT', ATTRIBUTES_AT]);
      assert.match(told!.message, 'policy validation');
    } else {
      assert.is(told, undefined);
    }
    await connection.close();
  });

  test('64 messages in a datagram are answered each, an error among them', async () => {
    const connection = await openConnection();
    const messages = Array.from({ length: 64 }, (_, i) => bare(i === 31 ? UNKNOWN : GET));
    messages[40] = request(UNKNOWN);
    const errnos: number[] = [];
    await connection.pipeline(concatenated(messages), {
      onAck(index, errno) {
        errnos[index] = errno;
      },
    });
    assert.equal(
      errnos,
      Array.from({ length: 64 }, (_, i) => (i === 40 ? 22 : 0)),
    );
    assert.is(connection.stats.datagrams, 1);
    await connection.close();
  });

  test('50,000 messages and 2,000 requests at once do not overrun the default buffer', async () => {
    const connection = await openConnection();
    let acknowledgements = 0;
    const messages = concatenated(Array(50_000).fill(bare(GET)));
    await Promise.all([
      connection.pipeline(messages, { onAck: () => void acknowledgements++ }),
      ...Array.from({ length: 2000 }, () => connection.acknowledge(bare(GET))),
    ]);
    assert.is(acknowledgements, 50_000);
    assert.equal([connection.stats.overruns, connection.stats.answered], [0, 52_000]);
    await connection.close();
  });

  test('a GET resolves with its data; dumps yield and visit every entry, two at once', async () => {
    await withFlows(3000, async () => {
      const connection = await openConnection();
      const numbers = new Set<number>();
      let first: Uint8Array | undefined;
      const visited = connection.visit(
        dumpRequest,
        (bytes, start) => void numbers.add(flowNumber(bytes, start)),
      );
      let entries = 0;
      for await (const flow of connection.dump(dumpRequest, copy)) {
        first ??= flow;
        entries += 1;
        if (entries % 1000 === 0) await connection.acknowledge(bare(GET));
      }
      await visited;
      assert.equal([entries, numbers.size], [3000, 3000]);
      const tuple = first!.slice(ATTRIBUTES_AT, ATTRIBUTES_AT + align4(lengthOf(first!, ATTRIBUTES_AT)));
      const answers = await connection.query(request(GET, tuple), copy);
      assert.is(answers.length, 1);
      assert.ok(readU16host(answers[0]!, 6) & NLM_F.MULTI, 'a multipart message, and no NLMSG_DONE');
      assert.is(flowNumber(answers[0]!, 0), flowNumber(first!, 0));
      assert.equal([connection.stats.overruns, connection.stats.stale], [0, 0]);
      await connection.close();
    });
  });

  test('a slow consumer of 100,000 entries holds few of them, and a loop left early frees the socket', async () => {
    await withFlows(100_000, async () => {
      const connection = await openConnection({ timeout: 60_000 });
      let decoded = 0;
      let taken = 0;
      let most = 0;
      const decode = (bytes: Uint8Array, start: number) => {
        decoded += 1;
        return flowNumber(bytes, start);
      };
      for await (const _ of connection.dump(dumpRequest, decode)) {
        taken += 1;
        if (taken % 100 === 0) await turn();
        most = Math.max(most, decoded - taken);
      }
      assert.is(taken, 100_000);
      assert.ok(most < 20_000, `${most} entries waited: one batch is at most 64 datagrams of 32 KiB`);
      for await (const _ of connection.dump(dumpRequest, decode)) break;
      assert.ok(decoded < 120_000);
      await connection.visit(dumpRequest, () => void decoded++);
      assert.ok(decoded >= 200_000);
      await connection.close();
    });
  });

  test('requests are answered while a dump runs and its consumer waits for them', async () => {
    await withFlows(20_000, async () => {
      const connection = await openConnection();
      let taken = 0;
      for await (const _ of connection.dump(dumpRequest, flowNumber)) {
        if (taken++ % 4000 === 0) {
          await Promise.all(Array.from({ length: 500 }, () => connection.acknowledge(bare(GET))));
        }
      }
      assert.is(taken, 20_000);
      assert.is(connection.stats.overruns, 0);
      await connection.close();
    });
  });

  test('events are handed over, all of them where the buffer is large enough', async () => {
    const source = await openTransport();
    const seen = new Set<number>();
    const subscription = await openSubscription({
      groups: [groupNew],
      onMessage: (bytes, start) => void seen.add(flowNumber(bytes, start)),
      onOverrun: () => {},
    });
    try {
      for (let first = 0; first < 20_000; first += 100) {
        createFlows(source, first, 100);
        await until('the events of these flows', () => seen.size === first + 100);
      }
      assert.is(subscription.stats.messages, 20_000);
      assert.is(subscription.stats.overruns, 0);
      createFlows(source, 20_000, 5000);
      block(10);
      await until('the overrun', () => subscription.stats.overruns > 0);
      assert.ok(seen.size < 25_000);
    } finally {
      deleteFlows(source, 0, 25_000);
      await Promise.all([source.close(), subscription.close()]);
    }
  });

  test('nothing is left after close: no socket, no timer', async () => {
    const sockets = openSockets();
    const resources = process.getActiveResourcesInfo().sort();
    const connection = await openConnection();
    const subscription = await openSubscription({ groups: [groupNew], onMessage() {}, onOverrun() {} });
    await connection.acknowledge(bare(GET));
    const silent = rejection(connection.visit(dumpRequest, () => {}));
    await Promise.all([connection.close(), subscription.close()]);
    assert.is((await silent).kind, 'closed');
    await until('sockets closed', () => openSockets() === sockets);
    assert.equal(process.getActiveResourcesInfo().sort(), resources);
  });
}
