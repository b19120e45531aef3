import { offAbort, onAbort } from './abort.ts';
import { align4 } from './attribute.ts';
import { readU16host, readU32host, writeU16host } from './bytes.ts';
import { NLM_F } from './constants.ts';
import { EncodeError, type KernelError } from './errors.ts';
import { MESSAGE_HEADER, messageType } from './message.ts';

/** What an exchange needs of its connection. */
export interface ExchangeContext {
  readonly timeout: number;
  readonly signal?: AbortSignal | undefined;
  /** Makes the error of an NLMSG_ERROR or NLMSG_DONE with a non-zero errno. */
  refusal(bytes: Uint8Array, start: number, end: number, requestType: number): KernelError;
  /** The kernel's name of a request. */
  nameOf(requestType: number): string;
  /** Hears, once, that nobody waits for this exchange any more. */
  onSettled(exchange: Exchange): void;
}

/** Why an exchange failed; any value may be thrown, undefined too. */
export interface Failure {
  readonly error: unknown;
}

/**
 * One thing that a connection was asked for: a request, a pipeline or a dump. It is settled when its
 * caller knows the outcome, and over when the kernel has nothing more to say. An exchange that was settled
 * early (aborted, or its decoder threw) still takes its answers off the socket.
 */
export abstract class Exchange {
  /** nlmsg_type of the (first) request. */
  readonly requestType: number;
  /** How many consecutive sequence numbers it takes. */
  readonly count: number;
  /** Room that the answers to one of its messages take in the receive buffer, in small replies. */
  readonly cost: number;
  /** Its first sequence number; 0 until it is sent. */
  firstSeq = 0;
  /** Messages that were sent and are not acknowledged. */
  outstanding = 0;
  /** When it was sent or last answered, by the connection's clock. */
  heardAt = 0;
  isSettled = false;
  readonly context: ExchangeContext;
  readonly #abort: () => void;

  constructor(context: ExchangeContext, requestType: number, count: number, cost: number) {
    this.context = context;
    this.requestType = requestType;
    this.count = count;
    this.cost = cost;
    this.#abort = () => this.fail(context.signal?.reason);
    if (context.signal) onAbort(context.signal, this.#abort);
  }

  /** A data message that answers request number `index`. Must not throw. */
  abstract takeData(index: number, bytes: Uint8Array, start: number, end: number): void;
  /**
   * The NLMSG_ERROR or NLMSG_DONE of request number `index`. Returns how many requests have their end by it: 0
   * where this one had had it. Must not throw.
   */
  abstract takeAck(index: number, errno: number, bytes: Uint8Array, start: number, end: number): number;
  /** Tells the caller: of success where there is no error. */
  protected abstract conclude(failure: Failure | undefined): void;

  /** Ends the caller's wait, well or with an error; later calls do nothing. */
  fail(error: unknown): void {
    this.settle({ error });
  }

  settle(failure?: Failure): void {
    if (this.isSettled) return;
    this.isSettled = true;
    if (this.context.signal) offAbort(this.context.signal, this.#abort);
    this.conclude(failure);
    this.context.onSettled(this);
  }
}

/**
 * Checks that `message` is exactly one netlink message, its padding included, and returns its type.
 * @throws EncodeError where it is not: the kernel would silently drop what follows a wrong length.
 */
export function checkMessage(message: Uint8Array): number {
  const length = message.length < MESSAGE_HEADER ? 0 : readU32host(message, 0);
  if (length < MESSAGE_HEADER || align4(length) !== message.length) {
    throw new EncodeError(`${message.length} bytes are not one netlink message (its header says ${length})`);
  }
  return messageType(message, 0);
}

/**
 * What an answer takes in the receive buffer, in units of a small reply: a refusal repeats the whole
 * request, data of up to 700 bytes takes 1280, and the kernel rounds its memory up to powers of two.
 * Source: netlink_ack() in net/netlink/af_netlink.c.
 */
export function replyCost(messageBytes: number, isAnsweredByData: boolean): number {
  return 1 + (messageBytes >>> 9) + (isAnsweredByData ? 2 : 0);
}

/** Sets flags of the message at `offset`, beside those that it has. */
export function addFlags(bytes: Uint8Array, offset: number, flags: number): void {
  writeU16host(bytes, offset + 6, readU16host(bytes, offset + 6) | flags);
}

/** Clears flags of the message at `offset`. */
export function clearFlags(bytes: Uint8Array, offset: number, flags: number): void {
  writeU16host(bytes, offset + 6, readU16host(bytes, offset + 6) & ~flags);
}

/** What every request carries: without NLM_F_ACK the kernel is silent on success. */
export const requestFlags = NLM_F.REQUEST | NLM_F.ACK;
