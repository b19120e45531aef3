import { closeSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { OverrunError, TransportError } from '../errors.ts';
import type { Transport, TransportOptions } from '../transport.ts';
import { listedSocket, socketInode } from './procNetlink.ts';
import { socketError } from './socketError.ts';
import { SocketTransport } from './socketTransport.ts';
import { type SendRequest, type UdpHandle, type UdpWrap, udpWrap } from './udpWrap.ts';

/** A netlink socket that something else has made, and how it joins groups. */
export interface NetlinkDescriptor {
  readonly fd: number;
  /** @throws TransportError EPERM, or EOPNOTSUPP where nothing here can join for it. */
  join(group: number): void;
}

/** libuv offers the kernel so much room for a datagram: one that fills it was probably cut. */
const receiveRoom = 65536;

/** nlmsghdr of a NLMSG_NOOP without flags, to which nobody answers. */
function noop(): Uint8Array {
  const message = new Uint8Array(16);
  const words = new Uint32Array(message.buffer); // the host's byte order, like all of nlmsghdr
  const halves = new Uint16Array(message.buffer);
  words[0] = message.length;
  halves[2] = 1; // NLMSG_NOOP
  return message;
}

/** SO_RCVBUF grants no more than this, and asking for more would shrink a buffer that was forced larger. */
function receiveBufferLimit(): number {
  try {
    return Number(readFileSync('/proc/sys/net/core/rmem_max', 'latin1'));
  } catch {
    return Number.POSITIVE_INFINITY; // not shown in this namespace
  }
}

/** A netlink socket on Node's own UDP handle. libuv reads at most 32 datagrams a wake-up, one at a time. */
class HandleTransport extends SocketTransport {
  readonly kind = 'handle';
  readonly portId: number;
  receiveBufferSize: number;
  readonly #descriptor: NetlinkDescriptor;
  readonly #wrap: UdpWrap;
  readonly #handle: UdpHandle;
  readonly #batch: { buffer: Uint8Array; readonly count: number; readonly bounds: Uint32Array } = {
    buffer: new Uint8Array(0),
    count: 1,
    bounds: new Uint32Array(2),
  };
  #request: SendRequest;
  #sendBuffer = new Uint8Array(4096);

  constructor(wrap: UdpWrap, descriptor: NetlinkDescriptor, options: TransportOptions) {
    super();
    this.#wrap = wrap;
    this.#descriptor = descriptor;
    this.#request = this.#newRequest();
    this.#handle = new wrap.UDP();
    const status = this.#handle.open(descriptor.fd);
    if (status < 0) {
      closeSync(descriptor.fd);
      this.#handle.close(() => {});
      throw socketError('uv_udp_open', -status);
    }
    try {
      this.#handle.onmessage = (size, _handle, datagram) => this.#receive(size, datagram);
      this.#handle.onerror = (errno) => this.#receiveFailed(errno);
      this.receiveBufferSize = this.#receiveBuffer(0);
      if (options.receiveBuffer) this.growReceiveBuffer(options.receiveBuffer);
      // a socket gets no multicast before it has an address, and the first send gives it one
      this.send(noop());
      this.portId = this.#readPortId();
      for (const group of options.groups ?? []) descriptor.join(group);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  send(datagram: Uint8Array): void {
    this.mustBeOpen();
    const { length } = datagram;
    if (length > this.#sendBuffer.length) this.#sendBuffer = new Uint8Array(2 * length);
    this.#sendBuffer.set(datagram);
    const buffers = [this.#sendBuffer.subarray(0, length)];
    const status = this.#handle.send(this.#request, buffers, 1, true);
    if (status < 0) throw socketError('sendmsg', -status);
    if (status > 0) return;
    // it waits in libuv's queue, which reads this memory later: leave it to that request
    this.#request.buffers = buffers;
    this.#request = this.#newRequest();
    this.#sendBuffer = new Uint8Array(this.#sendBuffer.length);
  }

  joinGroup(group: number): void {
    this.mustBeOpen();
    this.#descriptor.join(group);
  }

  growReceiveBuffer(bytes: number): number {
    this.mustBeOpen();
    const possible = Math.min(bytes, receiveBufferLimit());
    if (2 * possible > this.receiveBufferSize) {
      this.#receiveBuffer(possible);
      this.receiveBufferSize = this.#receiveBuffer(0);
    }
    return this.receiveBufferSize;
  }

  ref(): void {
    if (!this.isClosed) this.#handle.ref();
  }

  unref(): void {
    if (!this.isClosed) this.#handle.unref();
  }

  // recvStart on a closed handle aborts the process: this is called on an open one only
  protected startReading(): void {
    const status = this.#handle.recvStart();
    if (status < 0) throw socketError('uv_udp_recv_start', -status);
  }

  protected stopReading(): void {
    const status = this.#handle.recvStop();
    if (status < 0) throw socketError('uv_udp_recv_stop', -status);
  }

  protected release(): Promise<void> {
    return new Promise((resolve) => this.#handle.close(resolve));
  }

  #receive(size: number, datagram: Uint8Array | undefined): void {
    if (this.isClosed) return;
    if (size < 0) {
      this.#receiveFailed(size);
    } else if (size >= receiveRoom) {
      this.truncated += 1;
      this.callbacks.tellOverrun(
        new OverrunError(`a datagram was longer than ${receiveRoom} bytes and is lost`),
      );
    } else if (datagram) {
      this.#batch.buffer = datagram;
      this.#batch.bounds[1] = size;
      this.callbacks.tellBatch(this.#batch);
    }
  }

  /** Older Node tells of an error by onmessage, newer by onerror. Reading goes on by itself after it. */
  #receiveFailed(status: number): void {
    if (this.isClosed) return;
    if (status === -constants.errno.ENOBUFS) this.callbacks.tellOverrun(new OverrunError());
    else this.fail(socketError('recvmsg', -status));
  }

  #newRequest(): SendRequest {
    const request = new this.#wrap.SendWrap();
    request.oncomplete = (status) => {
      if (status < 0) this.fail(socketError('sendmsg', -status));
    };
    return request;
  }

  #receiveBuffer(bytes: number): number {
    const context: { code?: string } = {};
    const size = this.#handle.bufferSize(bytes, true, context);
    if (size === undefined) throw new TransportError('SO_RCVBUF', context.code ?? 'EIO');
    return size;
  }

  #readPortId(): number {
    const inode = socketInode(this.#descriptor.fd);
    const listed = inode === undefined ? undefined : listedSocket(inode);
    if (listed) return listed.portId;
    throw new TransportError(
      'open /proc/self/net/netlink',
      'ENOENT',
      `the socket of descriptor ${this.#descriptor.fd} is not listed: it must belong to the network namespace ` +
        'of this process, and /proc must be mounted',
    );
  }
}

/** Why the handle transport cannot be used here; undefined if it can, given a descriptor. */
export function handleUnavailable(): string | undefined {
  const wrap = udpWrap();
  return typeof wrap === 'string' ? wrap : undefined;
}

/**
 * Reads a netlink socket that exists already, and owns its descriptor from now on, also if this throws.
 * @throws TransportError ENOSYS where Node has no such handle; EPERM if it may not join a group.
 */
export function openHandle(descriptor: NetlinkDescriptor, options: TransportOptions = {}): Transport {
  const wrap = udpWrap();
  if (typeof wrap === 'string') {
    closeSync(descriptor.fd);
    throw new TransportError('udp_wrap', 'ENOSYS', wrap);
  }
  return new HandleTransport(wrap, descriptor, options);
}
