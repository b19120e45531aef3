import type { NetlinkError, OverrunError } from './errors.ts';

/**
 * Datagrams that arrived together, in one receive buffer. Valid during the callback only: the next
 * batch overwrites it. Copy what must outlive the callback.
 */
export interface Batch {
  readonly buffer: Uint8Array;
  /** How many datagrams there are, at least one. */
  readonly count: number;
  /** Datagram i is bytes bounds[2i] (inclusive) to bounds[2i+1] (exclusive) of the buffer. */
  readonly bounds: Uint32Array;
}

export type TransportKind = 'ffi' | 'handle' | 'scripted';

/**
 * A netlink socket as bytes: the seam between this library and the operating system, and the seam for
 * tests. It knows nothing of messages but their datagrams.
 *
 * Callbacks are set once, before anything is sent. A callback that throws does not stop the socket: the
 * error is thrown again from a macrotask of its own, as an uncaught exception with its own stack.
 */
export interface Transport {
  readonly kind: TransportKind;
  /** The socket's netlink address (nlmsg_pid of its requests' answers); unsigned. */
  readonly portId: number;
  /** The receive buffer that the kernel granted, in bytes as it accounts them (twice what was asked). */
  readonly receiveBufferSize: number;
  /** Datagrams that were read and are lost: longer than their slot (MSG_TRUNC). Also told as an overrun. */
  readonly truncated: number;
  /**
   * Sends one datagram to the kernel. The kernel works through all of its messages before this returns;
   * the bytes may be reused at once.
   * @throws TransportError EMSGSIZE above SO_SNDBUF, EPERM, ENOBUFS, ... and ClosedError after close.
   */
  send(datagram: Uint8Array): void;
  /** Who receives batches. Reading starts with this call. */
  onBatch(callback: (batch: Batch) => void): void;
  /** Who hears that messages were lost. Called once per congestion; reading goes on by itself. */
  onOverrun(callback: (error: OverrunError) => void): void;
  /** Who hears of a failure that ends the socket; it is closed by then. */
  onError(callback: (error: NetlinkError) => void): void;
  /**
   * Joins a multicast group by its number (NFNLGRP_*).
   * @throws TransportError EPERM without CAP_NET_ADMIN; EOPNOTSUPP where an inherited socket cannot join.
   */
  joinGroup(group: number): void;
  /** Asks for a larger receive buffer; returns what was granted, as `receiveBufferSize` counts it. */
  growReceiveBuffer(bytes: number): number;
  /** Stops reading: the kernel's buffer fills, and a dump waits. Idempotent. */
  pause(): void;
  /** Reads again. Idempotent. */
  resume(): void;
  /** Keeps the process alive while open (the default), or not. */
  ref(): void;
  unref(): void;
  /**
   * Closes the socket; idempotent, allowed inside a callback, after which no callback runs any more.
   * Resolves when the descriptor, the poll and all memory are given back.
   */
  close(): Promise<void>;
}

/** What a caller may ask of a new socket. */
export interface TransportOptions {
  /** The netlink family: 12 NETLINK_NETFILTER (the default), 0 NETLINK_ROUTE. */
  readonly protocol?: number;
  /** Wished receive buffer in bytes; above net.core.rmem_max only where the transport may force it. */
  readonly receiveBuffer?: number;
  /** Largest datagram that will be read; the default of 32768 holds every dump chunk. Events need 4096. */
  readonly slotSize?: number;
  /** Multicast groups to join at once. */
  readonly groups?: readonly number[];
}
