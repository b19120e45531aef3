/**
 * A process that opens a transport, for tests of what a whole process does. Its first argument says what
 * to do; it prints one line of JSON: what was loaded by process.dlopen, and what the task returns.
 */
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

const loaded: string[] = [];
const { dlopen } = process;
process.dlopen = (...args: Parameters<typeof dlopen>) => {
  loaded.push(args[1]);
  dlopen.apply(process, args);
};

const { describeTransport, openTransport } = await import('../../src/nfnetlink/transport/select.ts');

const bare = Uint8Array.from(Buffer.from('10000000010105000700000000000000', 'hex'));

/** Opens, sends a message that is acked, and gives the ack's port id. */
async function roundTrip(groups?: readonly number[]) {
  const transport = await openTransport(groups ? { groups } : {});
  const answer = new Promise<number>((resolve) =>
    transport.onBatch(({ buffer, bounds }) =>
      resolve(new DataView(buffer.buffer, buffer.byteOffset).getUint32(bounds[0]! + 12, true)),
    ),
  );
  transport.send(bare);
  return { transport, answer: await answer };
}

const tasks: Record<string, () => Promise<unknown>> = {
  async importOnly() {
    return {};
  },
  async describe() {
    return describeTransport();
  },
  async open() {
    const { transport, answer } = await roundTrip();
    await transport.close();
    return { kind: transport.kind, portId: transport.portId, answer };
  },
  /** Three sockets: two that a launcher may have passed, and one more. */
  async openThree() {
    const events = await roundTrip([1, 3]);
    const requests = await roundTrip();
    const another = await roundTrip();
    const join = (group: number) => {
      try {
        events.transport.joinGroup(group);
        return 'joined';
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    const joins = [join(1), join(2)];
    for (const { transport } of [events, requests, another]) await transport.close();
    return { portIds: [events, requests, another].map(({ transport }) => transport.portId), joins };
  },
  async unref() {
    const { transport } = await roundTrip([1]);
    transport.unref();
    return {};
  },
  async openWithoutReading() {
    await openTransport({ groups: [1] });
    return {};
  },
  async exitWhileReading() {
    await roundTrip([1]);
    setTimeout(() => process.exit(0), 1);
    return {};
  },
  async joinRefused() {
    try {
      await openTransport({ groups: [1] });
      return {};
    } catch (error) {
      const { kind, code, syscall, message } = error as Record<string, string>;
      return { kind, code, syscall, message };
    }
  },
  /** A worker that ends while its transport reads; then this thread goes on. */
  async worker() {
    const worker = new Worker(new URL(import.meta.url), { argv: ['inWorker'], execArgv: process.execArgv });
    const message = new Promise((resolve) => worker.once('message', resolve));
    const code = await new Promise((resolve) => worker.once('exit', resolve));
    const { transport } = await roundTrip();
    await transport.close();
    return { said: await message, code };
  },
};

if (isMainThread) {
  const result = await tasks[process.argv[2]!]!();
  console.log(JSON.stringify({ loaded, result }));
} else {
  try {
    const { transport } = await roundTrip();
    parentPort!.postMessage(transport.kind);
    setTimeout(() => process.exit(0), 1);
  } catch (error) {
    parentPort!.postMessage((error as { code: string }).code);
  }
}
