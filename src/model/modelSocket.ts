import type { Clock } from '../nfnetlink/clock.ts';
import { ClosedError, type NetlinkError, OverrunError } from '../nfnetlink/errors.ts';
import type { Batch, Transport } from '../nfnetlink/transport.ts';
import { handBatch } from '../testing/handBatch.ts';
import { messagesOf, requestOf, type ScriptedRequest } from '../testing/replies.ts';

/** What the kernel says to one message. */
export interface Answer {
  /** Each in a datagram of its own, in order. */
  readonly datagrams: readonly Uint8Array[];
  /** Of a dump: gives the next datagram whenever there is room for it, and undefined after the last. */
  readonly dump?: () => Uint8Array | undefined;
}

/** The kernel's side of a socket. */
export interface SocketOwner {
  readonly clock: Clock;
  /** Works through one message at once, as sendmsg() does. */
  answer(request: ScriptedRequest, socket: ModelSocket): Answer;
  /** Milliseconds between the coming of a datagram into an empty socket and its reading. */
  readingDelay(socket: ModelSocket): number;
  /** The largest receive buffer that a socket is given if it asks for one, as the kernel accounts it. */
  readonly largestReceiveBuffer: number;
  onClose(socket: ModelSocket): void;
}

/** What Linux grants to a socket that asks for nothing, in bytes as it accounts them. */
const DEFAULT_RECEIVE_BUFFER = 212_992;
/** What the smallest datagram takes of it: 256 fit into the default. */
const SMALLEST_CHARGE = 832;
/** What the kernel takes for itself of each. */
const OVERHEAD = 384;
/** Datagrams of one reading: those of one recvmmsg(). */
const BATCH = 64;

/**
 * One netlink socket of the model: answers wait in a receive buffer of limited size, in which a dump goes on
 * as far as there is room, and what does not fit is lost and told as ENOBUFS at the next reading.
 * Source: netlink_attachskb(), netlink_overrun() and netlink_recvmsg() in net/netlink/af_netlink.c.
 */
export class ModelSocket implements Transport {
  readonly kind = 'scripted';
  /** NETLINK. */
  readonly protocol: number;
  readonly portId: number;
  readonly truncated = 0;
  readonly groups = new Set<number>();
  receiveBufferSize: number;
  isClosed = false;
  readonly #owner: SocketOwner;
  #queue: Uint8Array[] = [];
  /** Bytes of the receive buffer that are taken. */
  #held = 0;
  /** After a loss everything else is lost too, until the buffer was read empty. */
  #isCongested = false;
  #isLossDue = false;
  #isPaused = false;
  #isReadingDue = false;
  #dump: (() => Uint8Array | undefined) | undefined;
  #onBatch: ((batch: Batch) => void) | undefined;
  #onOverrun: ((error: OverrunError) => void) | undefined;
  #onError: ((error: NetlinkError) => void) | undefined;

  constructor(owner: SocketOwner, protocol: number, portId: number, receiveBuffer?: number) {
    this.#owner = owner;
    this.protocol = protocol;
    this.portId = portId;
    this.receiveBufferSize =
      receiveBuffer === undefined
        ? DEFAULT_RECEIVE_BUFFER
        : Math.min(2 * receiveBuffer, owner.largestReceiveBuffer);
  }

  /** Whether a dump is under way, which keeps another from beginning. */
  get isDumping(): boolean {
    return this.#dump !== undefined;
  }

  /** Datagrams that wait to be read. */
  get queued(): number {
    return this.#queue.length;
  }

  send(datagram: Uint8Array): void {
    if (this.isClosed) throw new ClosedError();
    for (const message of messagesOf(datagram)) {
      const { datagrams, dump } = this.#owner.answer(requestOf(message, this.portId), this);
      for (const bytes of datagrams) this.take(bytes);
      if (dump) {
        this.#dump = dump;
        this.#goOnDumping();
      }
    }
  }

  /** Receives a datagram: an answer or an event. */
  take(bytes: Uint8Array): void {
    if (this.isClosed) return;
    const charge = chargeOf(bytes);
    // the first always fits, whatever its size
    if (this.#isCongested || (this.#held > 0 && this.#held + charge > this.receiveBufferSize)) {
      this.lose();
      return;
    }
    this.#held += charge;
    this.#queue.push(bytes);
    this.#readLater();
  }

  /** Loses what comes, and the rest until the socket was read empty. */
  lose(): void {
    if (!this.#isCongested) this.#isLossDue = true;
    this.#isCongested = true;
    this.#readLater();
  }

  /** Fails and is closed. */
  fail(error: NetlinkError): void {
    this.#end();
    this.#call(() => this.#onError?.(error));
  }

  onBatch(callback: (batch: Batch) => void): void {
    this.#onBatch = callback;
    this.#readLater();
  }
  onOverrun(callback: (error: OverrunError) => void): void {
    this.#onOverrun = callback;
  }
  onError(callback: (error: NetlinkError) => void): void {
    this.#onError = callback;
  }

  joinGroup(group: number): void {
    this.groups.add(group);
  }
  growReceiveBuffer(bytes: number): number {
    const granted = Math.min(2 * bytes, this.#owner.largestReceiveBuffer);
    this.receiveBufferSize = Math.max(this.receiveBufferSize, granted);
    return this.receiveBufferSize;
  }
  pause(): void {
    this.#isPaused = true;
  }
  resume(): void {
    this.#isPaused = false;
    this.#readLater();
  }
  ref(): void {}
  unref(): void {}
  async close(): Promise<void> {
    this.#end();
  }

  #end(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#queue = [];
    this.#dump = undefined;
    this.#owner.onClose(this);
  }

  #readLater(): void {
    if (this.#isReadingDue || this.#isPaused || this.isClosed || !this.#onBatch) return;
    if (this.#queue.length === 0 && !this.#isLossDue) return;
    this.#isReadingDue = true;
    this.#owner.clock.after(this.#owner.readingDelay(this), () => {
      this.#isReadingDue = false;
      this.#read();
    });
  }

  #read(): void {
    if (this.#isPaused || this.isClosed) return;
    if (this.#isLossDue) {
      this.#isLossDue = false;
      this.#call(() => this.#onOverrun?.(new OverrunError()));
    }
    const datagrams: Uint8Array[] = [];
    while (datagrams.length < BATCH && this.#queue.length > 0) {
      const bytes = this.#queue.shift()!;
      this.#held -= chargeOf(bytes);
      datagrams.push(bytes);
      this.#goOnDumping();
    }
    if (this.#queue.length === 0) this.#isCongested = false;
    if (datagrams.length > 0) handBatch(datagrams, (batch) => this.#call(() => this.#onBatch?.(batch)));
    this.#readLater();
  }

  /** The kernel adds to a dump while at most half of the buffer is taken. */
  #goOnDumping(): void {
    while (this.#dump && this.#held <= this.receiveBufferSize / 2) {
      const bytes = this.#dump();
      if (!bytes) {
        this.#dump = undefined;
        return;
      }
      this.#held += chargeOf(bytes);
      this.#queue.push(bytes);
      this.#readLater();
    }
  }

  #call(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#owner.clock.nextTurn(() => {
        throw error;
      });
    }
  }
}

function chargeOf({ length }: Uint8Array): number {
  return Math.max(SMALLEST_CHARGE, length + OVERHEAD);
}
