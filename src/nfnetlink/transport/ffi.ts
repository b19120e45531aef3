import { constants } from 'node:os';
import { OverrunError, TransportError } from '../errors.ts';
import type { Transport, TransportOptions } from '../transport.ts';
import { type FfiLibrary, ffiLibrary } from './ffiLibrary.ts';
import { FfiSocket } from './ffiSocket.ts';
import { ReceiveSlots, slotCount } from './receiveSlots.ts';
import { MSG, NETLINK_NETFILTER } from './socketConstants.ts';
import { socketError } from './socketError.ts';
import { SocketTransport } from './socketTransport.ts';

const { EAGAIN, EINTR, ENOBUFS } = constants.errno;
const UV_READABLE = 1; // uv.h: enum uv_poll_event
const pollSignature = { arguments: ['pointer', 'i32', 'i32'], return: 'void' } as const; // uv_poll_cb
const closeSignature = { arguments: ['pointer'], return: 'void' } as const; // uv_close_cb
const defaultSlotSize = 32768;

/** What one wake-up reads at most before the event loop has its turn; what is left wakes it again. */
const batchesPerWakeUp = 8;
const bytesPerWakeUp = 1 << 20;

/**
 * Every socket whose memory libuv or the kernel may still write to: the addresses that they hold keep
 * nothing alive, and writing to a collected ArrayBuffer is a crash.
 */
const live = new Set<FfiTransport>();

/** A poll that fires, or is merely there, while the environment is taken down aborts the process. */
function closeAllAtExit(): void {
  for (const transport of live) transport.abandon();
}

/**
 * A netlink socket made and read by libc's own calls through node:ffi, woken by libuv's uv_poll on Node's
 * loop.
 */
class FfiTransport extends SocketTransport {
  readonly kind = 'ffi';
  readonly portId: number;
  receiveBufferSize: number;
  readonly #system: FfiLibrary;
  readonly #socket: FfiSocket;
  readonly #slots: ReceiveSlots;
  readonly #batch: { readonly buffer: Uint8Array; readonly bounds: Uint32Array; count: number };
  /** The uv_poll_t. */
  readonly #poll: ArrayBuffer;
  readonly #pollAddress: bigint;
  readonly #onPoll: bigint;
  #onClosed = 0n;
  #microtasksAwaited = false;
  #isAbandoned = false;

  constructor(system: FfiLibrary, options: TransportOptions) {
    super();
    this.#system = system;
    this.#socket = new FfiSocket(system, options.protocol ?? NETLINK_NETFILTER);
    try {
      this.receiveBufferSize = this.#socket.receiveBuffer();
      if (options.receiveBuffer) this.growReceiveBuffer(options.receiveBuffer);
      this.#socket.wantExtendedAcks();
      this.portId = this.#socket.bind();
      for (const group of options.groups ?? []) this.#socket.join(group);
      this.#slots = ReceiveSlots.of(system.ffi, options.slotSize ?? defaultSlotSize);
      this.#batch = { buffer: this.#slots.buffer, bounds: this.#slots.bounds, count: 0 };
      this.#poll = new ArrayBuffer(system.pollSize);
      this.#pollAddress = system.ffi.getRawPointer(this.#poll);
      this.#onPoll = system.lib.registerCallback(pollSignature, (_poll, status) => this.#wake(status));
      const loop = system.ffi.getCurrentEventLoop();
      const status = system.c.uv_poll_init(loop, this.#pollAddress, this.#socket.fd);
      if (status < 0) throw socketError('uv_poll_init', -status);
    } catch (error) {
      this.#socket.close();
      throw error;
    }
    if (live.size === 0) process.on('exit', closeAllAtExit);
    live.add(this);
  }

  send(datagram: Uint8Array): void {
    this.mustBeOpen();
    this.#socket.send(datagram);
  }

  joinGroup(group: number): void {
    this.mustBeOpen();
    this.#socket.join(group);
  }

  growReceiveBuffer(bytes: number): number {
    this.mustBeOpen();
    if (2 * bytes > this.receiveBufferSize) {
      this.#socket.setReceiveBuffer(bytes);
      this.receiveBufferSize = this.#socket.receiveBuffer();
    }
    return this.receiveBufferSize;
  }

  ref(): void {
    if (!this.isClosed) this.#system.c.uv_ref(this.#pollAddress);
  }

  unref(): void {
    if (!this.isClosed) this.#system.c.uv_unref(this.#pollAddress);
  }

  protected startReading(): void {
    const status = this.#system.c.uv_poll_start(this.#pollAddress, UV_READABLE, this.#onPoll);
    if (status < 0) throw socketError('uv_poll_start', -status);
  }

  protected stopReading(): void {
    this.#system.c.uv_poll_stop(this.#pollAddress);
  }

  protected release(): Promise<void> {
    const { c, lib } = this.#system;
    const closed = new Promise<void>((resolve) => {
      if (this.#isAbandoned) return resolve();
      this.#onClosed = lib.registerCallback(closeSignature, () => {
        // a callback must not be unregistered while it runs
        setImmediate(() => {
          lib.unregisterCallback(this.#onPoll);
          lib.unregisterCallback(this.#onClosed);
          this.#forget();
          resolve();
        });
      });
    });
    c.uv_close(this.#pollAddress, this.#onClosed); // which stops the poll
    this.#socket.close();
    return closed;
  }

  /** Closes while the environment goes away: nothing will run any more to hear that it is done. */
  abandon(): void {
    this.#isAbandoned = true;
    void this.close();
  }

  #forget(): void {
    live.delete(this);
    if (live.size === 0) process.off('exit', closeAllAtExit);
  }

  /** libuv's callback: it must not throw. */
  #wake(status: number): void {
    try {
      // on POLLERR (an overrun) libuv has stopped the poll; what the error is, recvmmsg says
      if (status < 0) this.readingStopped();
      this.#drain();
      this.follow();
      this.#runMicrotasks();
    } catch (error) {
      this.fail(new TransportError('recvmmsg', 'EIO', 'a failure inside this library', { cause: error }));
    }
  }

  #drain(): void {
    let bytes = 0;
    for (let batches = 0; batches < batchesPerWakeUp && bytes < bytesPerWakeUp; batches++) {
      const received = this.#receive();
      if (received <= 0) return;
      const count = this.#slots.accept(received);
      bytes += this.#slots.bytes;
      this.#tellTruncated(this.#slots.truncated);
      if (count > 0 && !this.isClosed) {
        this.#batch.count = count;
        this.callbacks.tellBatch(this.#batch);
      }
      if (received < slotCount || this.isPaused || this.isClosed) return;
    }
  }

  /** How many datagrams came; 0 when there are none (now, or ever again). */
  #receive(): number {
    const { c, errno } = this.#system;
    while (!this.isClosed) {
      const received = c.recvmmsg(this.#socket.fd, this.#slots.headers, slotCount, MSG.DONTWAIT, 0n);
      if (received >= 0) return received;
      const code = errno();
      if (code === EAGAIN) return 0;
      if (code === ENOBUFS) {
        // the error is taken off the socket by reading it; the datagrams from before it are still there
        this.callbacks.tellOverrun(new OverrunError());
        if (this.isPaused) return 0;
      } else if (code !== EINTR) {
        this.fail(socketError('recvmmsg', code));
      }
    }
    return 0;
  }

  #tellTruncated(datagrams: number): void {
    if (datagrams === 0) return;
    this.truncated += datagrams;
    const { slotSize } = this.#slots;
    this.callbacks.tellOverrun(
      new OverrunError(`${datagrams} datagrams were longer than ${slotSize} bytes (slotSize) and are lost`),
    );
  }

  /** Node runs no microtasks after a native callback: promises that a batch settled wait for the next. */
  #runMicrotasks(): void {
    if (this.#microtasksAwaited) return;
    this.#microtasksAwaited = true;
    setImmediate(() => {
      this.#microtasksAwaited = false;
    });
  }
}

/** Why the ffi transport cannot be used here; undefined if it can. */
export function ffiUnavailable(): string | undefined {
  const system = ffiLibrary();
  return typeof system === 'string' ? system : undefined;
}

/**
 * Opens a netlink socket over node:ffi. In a worker, close it before `worker.terminate()`, and do not call
 * `process.exit` inside its callbacks: Node aborts on a poll that it does not know of, and on a callback
 * that does not return. A worker that ends in another way is provided for.
 * @throws TransportError ENOSYS where there is no node:ffi; EPROTONOSUPPORT without such a netlink family;
 *   EPERM if it may not join a group.
 */
export function openFfi(options: TransportOptions = {}): Transport {
  const system = ffiLibrary();
  if (typeof system === 'string') throw new TransportError('node:ffi', 'ENOSYS', system);
  return new FfiTransport(system, options);
}
