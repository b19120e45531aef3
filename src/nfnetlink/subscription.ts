import { align4 } from './attribute.ts';
import { readU32host } from './bytes.ts';
import { type Clock, systemClock, type Timer } from './clock.ts';
import { ClosedError, type NetlinkError, type OverrunError } from './errors.ts';
import { MESSAGE_HEADER, messageType } from './message.ts';
import { Moderation, type ModerationOptions } from './moderation.ts';
import type { Batch, Transport } from './transport.ts';

export interface SubscriptionOptions {
  /** Groups to join (NFNLGRP), beside those that the transport has joined. */
  readonly groups?: readonly number[];
  /** One event, in place: the bytes are valid during the call only. A throw does not stop the others. */
  readonly onMessage: (bytes: Uint8Array, start: number, end: number) => void;
  /** Events were lost, and nobody knows which: list the table again. Reading goes on. */
  readonly onOverrun: (error: OverrunError) => void;
  /** The socket failed and is closed. Without this the error is thrown as an uncaught exception. */
  readonly onError?: (error: NetlinkError) => void;
  /** The rest of a datagram, from where it is no message. */
  readonly onMalformed?: (bytes: Uint8Array, start: number, end: number) => void;
  /** Whether, and how, reading waits for more under load; default: as ModerationOptions say. */
  readonly moderation?: false | ModerationOptions;
  readonly clock?: Clock;
}

/** What a subscription has counted since it was opened. */
export interface SubscriptionStats {
  messages: number;
  datagrams: number;
  batches: number;
  /** Times that the kernel said that it had dropped events, or that a datagram was cut. */
  overruns: number;
  /** Datagrams that hold something which is no message; what stood before it was handed over. */
  malformed: number;
  /** Throws of `onMessage`. */
  thrown: number;
  /** Times that reading was stopped to let events gather. */
  pauses: number;
}

/** Datagrams that the most frugal transport reads in a turn (libuv): a turn of fewer emptied the socket. */
const fullTurn = 32;

/** NLMSG_MIN_TYPE: below are netlink's own messages, which are no events. */
const firstSubsystemType = 16;

/**
 * Multicast messages over one transport. It makes no requests: their answers would be lost in an overrun
 * of events, and the events that they cause come before them.
 */
export class EventSubscription {
  readonly stats: SubscriptionStats = {
    messages: 0,
    datagrams: 0,
    batches: 0,
    overruns: 0,
    malformed: 0,
    thrown: 0,
    pauses: 0,
  };
  readonly #transport: Transport;
  readonly #options: SubscriptionOptions;
  readonly #clock: Clock;
  readonly #moderation: Moderation | undefined;
  #isJudgementDue = false;
  /** Datagrams since the last look: those of this turn of the event loop, and perhaps of some before. */
  #turn = 0;
  #pause: Timer | undefined;
  #isUnref = false;
  #isClosed = false;

  /**
   * The subscription owns the transport from now on, and closes it.
   * @throws TransportError EPERM where the process may not join a group; the transport stays open then
   */
  constructor(transport: Transport, options: SubscriptionOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const moderation = options.moderation ?? {};
    this.#moderation = moderation === false ? undefined : new Moderation(moderation, this.#clock.now());
    transport.onOverrun((error) => {
      this.stats.overruns += 1;
      options.onOverrun(error);
    });
    transport.onError((error) => {
      this.#stop();
      if (!options.onError) throw error;
      options.onError(error);
    });
    transport.onBatch((batch) => this.#receive(batch));
    for (const group of options.groups ?? []) transport.joinGroup(group);
  }

  /** nlmsg_pid of the socket. */
  get portId(): number {
    return this.#transport.portId;
  }

  /** The receive buffer, in bytes as the kernel accounts them. */
  get receiveBufferSize(): number {
    return this.#transport.receiveBufferSize;
  }

  /** Asks for a larger receive buffer; returns what was granted. */
  growReceiveBuffer(bytes: number): number {
    if (this.#isClosed) throw new ClosedError();
    return this.#transport.growReceiveBuffer(bytes);
  }

  /** Keeps the process alive while open (the default). */
  ref(): void {
    this.#isUnref = false;
    this.#transport.ref();
  }

  /** Lets the process end although this is open. */
  unref(): void {
    this.#isUnref = true;
    this.#pause?.unref();
    this.#transport.unref();
  }

  /** Idempotent; no callback runs any more once it is called. */
  close(): Promise<void> {
    this.#stop();
    return this.#transport.close();
  }

  #stop(): void {
    this.#isClosed = true;
    this.#pause?.cancel();
    this.#pause = undefined;
  }

  #receive(batch: Batch): void {
    const { buffer, bounds, count } = batch;
    this.stats.batches += 1;
    this.stats.datagrams += count;
    for (let i = 0; i < count && !this.#isClosed; i++)
      this.#readDatagram(buffer, bounds[2 * i]!, bounds[2 * i + 1]!);
    this.#turn += count;
    if (this.#moderation?.count(count) && !this.#isJudgementDue) this.#awaitJudgement();
  }

  /** Transports deliver a drain piece by piece: whether it is over shows when the event loop has turned. */
  #awaitJudgement(): void {
    this.#isJudgementDue = true;
    this.#clock.nextTurn(() => {
      this.#isJudgementDue = false;
      const read = this.#turn;
      this.#turn = 0;
      if (this.#isClosed) return;
      if (read >= fullTurn) this.#awaitJudgement();
      else this.#judge();
    });
  }

  #readDatagram(bytes: Uint8Array, start: number, end: number): void {
    let offset = start;
    while (offset < end) {
      const length = end - offset < MESSAGE_HEADER ? 0 : readU32host(bytes, offset);
      if (length < MESSAGE_HEADER || length > end - offset) {
        this.stats.malformed += 1;
        this.#options.onMalformed?.(bytes, offset, end);
        return;
      }
      if (messageType(bytes, offset) >= firstSubsystemType) this.#handOver(bytes, offset, offset + length);
      if (this.#isClosed) return;
      offset += align4(length);
    }
  }

  #handOver(bytes: Uint8Array, start: number, end: number): void {
    this.stats.messages += 1;
    try {
      this.#options.onMessage(bytes, start, end);
    } catch (error) {
      this.stats.thrown += 1;
      // as an uncaught exception with its own stack, when the other events of the batch are handed over
      this.#clock.nextTurn(() => {
        throw error;
      });
    }
  }

  #judge(): void {
    if (!this.#moderation) return;
    const pause = this.#moderation.pauseAfter(this.#clock.now(), this.#transport.receiveBufferSize);
    if (pause === 0) return;
    this.stats.pauses += 1;
    this.#transport.pause();
    this.#pause = this.#clock.after(pause, () => {
      this.#pause = undefined;
      this.#transport.resume();
    });
    if (this.#isUnref) this.#pause.unref();
  }
}
