import { closeSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OverrunError } from '../../src/nfnetlink/errors.ts';
import { Callbacks } from '../../src/nfnetlink/transport/callbacks.ts';
import { embedBindings, hasEmbedded, loadEmbedded } from '../../src/nfnetlink/transport/embeddedBinding.ts';
import { ffiLibrary } from '../../src/nfnetlink/transport/ffiLibrary.ts';
import {
  hasGroup,
  listedSocket,
  socketDescriptors,
  socketInode,
} from '../../src/nfnetlink/transport/procNetlink.ts';
import { ReceiveSlots } from '../../src/nfnetlink/transport/receiveSlots.ts';
import { socketError, socketErrorFrom } from '../../src/nfnetlink/transport/socketError.ts';

/** The only part of node:ffi that the slots need: an address, here 0x10000. */
const fakeFfi = { getRawPointer: () => 0x10000n } as unknown as Parameters<typeof ReceiveSlots.of>[0];

test('slots: headers point at iovecs, iovecs at slots of their size', () => {
  const slots = ReceiveSlots.of(fakeFfi, 100);
  assert.is(slots.slotSize, 112, 'rounded up, so that what follows is aligned');
  assert.is(slots.buffer.length, 64 * 112);
  assert.is(slots.buffer.byteOffset, 0);
  const view = new DataView(slots.buffer.buffer);
  const address = (value: bigint) => Number(value - 0x10000n);
  for (const i of [0, 1, 63]) {
    const header = address(slots.headers) + i * 64;
    const iovec = address(view.getBigUint64(header + 16, true));
    assert.is(view.getBigUint64(header + 24, true), 1n);
    assert.is(address(view.getBigUint64(iovec, true)), i * 112);
    assert.is(view.getBigUint64(iovec + 8, true), 112n);
  }
});

test('slots: bounds follow the lengths, truncated datagrams are left out', () => {
  const slots = ReceiveSlots.of(fakeFfi, 4096);
  const view = new DataView(slots.buffer.buffer, Number(slots.headers - 0x10000n));
  const received = (i: number, length: number, flags = 0) => {
    view.setUint32(i * 64 + 48, flags, true);
    view.setUint32(i * 64 + 56, length, true);
  };
  received(0, 20);
  received(1, 4096, 0x20);
  received(2, 36);
  assert.is(slots.accept(3), 2);
  assert.equal([...slots.bounds.subarray(0, 4)], [0, 20, 8192, 8228]);
  assert.is(slots.truncated, 1);
  assert.is(slots.bytes, 56);
  assert.is(slots.accept(1), 1);
  assert.is(slots.truncated, 0);
});

test('slots of one size are shared, as long as somebody uses them', () => {
  const slots = ReceiveSlots.of(fakeFfi, 200);
  assert.is(ReceiveSlots.of(fakeFfi, 193), slots);
  assert.is.not(ReceiveSlots.of(fakeFfi, 209), slots);
});

test('what a callback throws comes back as an uncaught exception of its own', async () => {
  const callbacks = new Callbacks();
  const thrown = [new Error('batch'), new Error('overrun'), new Error('error')];
  callbacks.batch = () => {
    throw thrown[0];
  };
  callbacks.overrun = () => {
    throw thrown[1];
  };
  callbacks.error = () => {
    throw thrown[2];
  };
  const caught: unknown[] = [];
  const keep = (error: unknown) => caught.push(error);
  process.on('uncaughtException', keep);
  callbacks.tellBatch({ buffer: new Uint8Array(), bounds: new Uint32Array(2), count: 1 });
  callbacks.tellOverrun(new OverrunError());
  callbacks.tellError(new OverrunError());
  assert.equal(caught, []);
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
  process.off('uncaughtException', keep);
  assert.equal(caught, thrown);
});

test('sockets among the descriptors', async () => {
  const file = openSync('/dev/null', 'r');
  assert.is(socketInode(file), undefined);
  closeSync(file);
  assert.is(socketInode(file), undefined);
  const before = socketDescriptors();
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const made = socketDescriptors().filter((fd) => !before.includes(fd));
  assert.is(made.length, 1);
  assert.match(socketInode(made[0]!)!, /^\d+$/);
  assert.is(listedSocket(socketInode(made[0]!)!), undefined, 'TCP is not netlink');
  await new Promise((resolve) => server.close(resolve));
});

test('groups of a listed socket', () => {
  const socket = { protocol: 12, portId: 1, groups: 0x80000005 | 0, drops: 0 };
  assert.equal(
    [0, 1, 2, 3, 32, 33].map((group) => hasGroup(socket, group)),
    [false, true, false, true, true, false],
  );
});

test('errors of system calls say what to do', () => {
  const error = socketError('setsockopt NETLINK_ADD_MEMBERSHIP 1', 1);
  assert.is(error.code, 'EPERM');
  assert.match(error.message, 'CAP_NET_ADMIN');
  assert.match(socketError('socket', 93).message, 'nfnetlink');
  const other = socketErrorFrom('socket', Object.assign(new Error('no'), { code: 'EMFILE' }));
  assert.is(other.code, 'EMFILE');
  assert.match(other.message, 'ulimit');
  assert.is(socketErrorFrom('socket', new Error('odd')).code, 'EIO');
});

test('an embedded binding that no loader takes: one error, nothing left behind', () => {
  assert.not.ok(hasEmbedded());
  const bytes = Buffer.from('no ELF file');
  embedBindings({ index: { [process.arch]: [0, bytes.length] }, unpack: () => bytes });
  assert.ok(hasEmbedded());
  const folder = mkdtempSync(join(tmpdir(), 'resteer-test-'));
  assert.throws(
    () => loadEmbedded([folder]),
    (error: { code: string }) => error.code === 'ENOEXEC',
  );
  assert.equal(readdirSync(folder), []);
  rmSync(folder, { recursive: true });
  embedBindings({ index: {}, unpack: () => new Uint8Array() });
});

test('the ffi library is there or says why not, and is loaded once', () => {
  const library = ffiLibrary();
  if (typeof library === 'string') assert.ok(library.length > 0);
  else assert.ok(library.pollSize >= 128);
  assert.is(ffiLibrary(), library);
});

test.run();
