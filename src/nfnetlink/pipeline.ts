import { align4 } from './attribute.ts';
import { readU32host } from './bytes.ts';
import { NLM_F } from './constants.ts';
import { EncodeError } from './errors.ts';
import {
  addFlags,
  clearFlags,
  Exchange,
  type ExchangeContext,
  type Failure,
  replyCost,
  requestFlags,
} from './exchange.ts';
import { Fifo } from './fifo.ts';
import { MESSAGE_HEADER, messageType, writeMessageSeq } from './message.ts';
import type { PipelineHandler } from './requester.ts';

/** Bytes that a datagram of several messages has at most; one message alone may be longer. */
export const datagramBytes = 32768;

/**
 * Many messages, sent from the caller's own bytes with consecutive sequence numbers, so that the index of
 * an answer is a subtraction and nothing is allocated for a message.
 *
 * Only the last message of a datagram asks for an acknowledgement. The kernel works through a datagram in
 * order and tells of every refusal, so what stands before an answer and was not refused is done.
 * Source: netlink_rcv_skb() in net/netlink/af_netlink.c.
 */
export class Pipeline extends Exchange {
  readonly promise: Promise<void>;
  /** Messages that were sent so far. */
  sent = 0;
  readonly #messages: Uint8Array;
  readonly #handler: PipelineHandler;
  /** Where the next message to send begins. */
  #offset = 0;
  /** Every request below this index has its end. */
  #ended = 0;
  /** How many requests have an end that is known. */
  #known = 0;
  /** The index behind each datagram that was sent and has not had its last answer. */
  readonly #datagrams = new Fifo<number>();
  #resolve!: () => void;
  #reject!: (error: unknown) => void;

  /** @throws EncodeError where `messages` are not messages, each a multiple of four long. */
  constructor(context: ExchangeContext, messages: Uint8Array, handler: PipelineHandler) {
    const { count, longest } = measure(messages);
    const type = count === 0 ? 0 : messageType(messages, 0);
    super(context, type, count, answerCost(longest, handler.onData !== undefined));
    this.#messages = messages;
    this.#handler = handler;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get isSent(): boolean {
    return this.sent === this.count;
  }

  /** The next datagram, of at most `most` messages, ready to send. */
  nextDatagram(most: number): Uint8Array {
    const start = this.#offset;
    let end = start;
    let last = start;
    let messages = 0;
    while (messages < most && this.sent + messages < this.count) {
      const next = end + align4(readU32host(this.#messages, end));
      if (messages > 0 && next - start > datagramBytes) break;
      addFlags(this.#messages, end, NLM_F.REQUEST);
      clearFlags(this.#messages, end, NLM_F.ACK);
      writeMessageSeq(this.#messages, end, this.firstSeq + this.sent + messages);
      messages += 1;
      last = end;
      end = next;
    }
    addFlags(this.#messages, last, requestFlags);
    this.#offset = end;
    this.sent += messages;
    this.#datagrams.push(this.sent);
    return this.#messages.subarray(start, end);
  }

  takeData(index: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.isSettled) return;
    try {
      this.#handler.onData?.(index, bytes, start, end);
    } catch (error) {
      this.fail(error);
    }
  }

  takeAck(index: number, errno: number, bytes: Uint8Array, start: number, end: number): number {
    if (index < this.#ended || index >= this.sent) return 0;
    // a datagram whose last answer never came: what became of the rest of it is not known
    while (index >= this.#datagrams.peek()!) this.#ended = Math.max(this.#ended, this.#datagrams.shift()!);
    const first = this.#ended;
    this.#ended = index + 1;
    this.#known += this.#ended - first;
    try {
      for (let i = first; i <= index && !this.isSettled; i++)
        this.#handler.onAck(i, i < index ? 0 : errno, bytes, start, end);
      if (this.#known === this.count) this.settle();
    } catch (error) {
      this.fail(error);
    }
    return this.#ended - first;
  }

  protected conclude(failure: Failure | undefined): void {
    if (failure) this.#reject(failure.error);
    else this.#resolve();
  }
}

/** Data comes in place of an acknowledgement, which one of a datagram has too: that is what spare room is for. */
function answerCost(longest: number, hasData: boolean): number {
  return replyCost(longest, hasData) - (hasData ? 1 : 0);
}

function measure(messages: Uint8Array): { count: number; longest: number } {
  let count = 0;
  let longest = 0;
  for (let offset = 0; offset < messages.length; ) {
    const left = messages.length - offset;
    const length = left < MESSAGE_HEADER ? 0 : readU32host(messages, offset);
    if (length < MESSAGE_HEADER || align4(length) > left) {
      throw new EncodeError(
        `message ${count} at byte ${offset} has length ${length}, and ${left} bytes are left`,
      );
    }
    count += 1;
    if (length > longest) longest = length;
    offset += align4(length);
  }
  return { count, longest };
}
