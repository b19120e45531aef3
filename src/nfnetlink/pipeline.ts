import { align4 } from './attribute.ts';
import { readU32host } from './bytes.ts';
import { EncodeError } from './errors.ts';
import {
  addFlags,
  Exchange,
  type ExchangeContext,
  type Failure,
  replyCost,
  requestFlags,
} from './exchange.ts';
import { MESSAGE_HEADER, messageType, writeMessageSeq } from './message.ts';
import type { PipelineHandler } from './requester.ts';

/** Bytes that a datagram of several messages has at most; one message alone may be longer. */
export const datagramBytes = 32768;

/**
 * Many messages, sent from the caller's own bytes with consecutive sequence numbers, so that the index of
 * an answer is a subtraction and nothing is allocated for a message.
 */
export class Pipeline extends Exchange {
  readonly promise: Promise<void>;
  /** Messages that were sent so far. */
  sent = 0;
  readonly #messages: Uint8Array;
  readonly #handler: PipelineHandler;
  /** Where the next message to send begins. */
  #offset = 0;
  /** The kernel answers in order: every request below this index has its acknowledgement. */
  #answered = 0;
  #acknowledgements = 0;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;

  /** @throws EncodeError where `messages` are not messages, each a multiple of four long. */
  constructor(context: ExchangeContext, messages: Uint8Array, handler: PipelineHandler) {
    const { count, longest } = measure(messages);
    const type = count === 0 ? 0 : messageType(messages, 0);
    super(context, type, count, replyCost(longest, handler.onData !== undefined));
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
    let messages = 0;
    while (messages < most && this.sent + messages < this.count) {
      const next = end + align4(readU32host(this.#messages, end));
      if (messages > 0 && next - start > datagramBytes) break;
      addFlags(this.#messages, end, requestFlags);
      writeMessageSeq(this.#messages, end, this.firstSeq + this.sent + messages);
      messages += 1;
      end = next;
    }
    this.#offset = end;
    this.sent += messages;
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

  takeAck(index: number, errno: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (index < this.#answered || index >= this.sent) return false;
    this.#answered = index + 1;
    this.#acknowledgements += 1;
    if (this.isSettled) return true;
    try {
      this.#handler.onAck(index, errno, bytes, start, end);
      if (this.#acknowledgements === this.count) this.settle();
    } catch (error) {
      this.fail(error);
    }
    return true;
  }

  protected conclude(failure: Failure | undefined): void {
    if (failure) this.#reject(failure.error);
    else this.#resolve();
  }
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
