import {
  checkMessage,
  Exchange,
  type ExchangeContext,
  type Failure,
  replyCost,
  requestFlags,
} from './exchange.ts';
import type { MessageDecoder } from './requester.ts';

/** An exchange that is one message, which the connection may send together with others. */
export abstract class MessageExchange extends Exchange {
  readonly message: Uint8Array;
  /** Flags that the connection sets on the message. */
  readonly flags: number;

  /** @throws EncodeError where `message` is not exactly one message. */
  constructor(context: ExchangeContext, message: Uint8Array, flags: number, cost: number) {
    super(context, checkMessage(message), 1, cost);
    this.message = message;
    this.flags = flags;
  }
}

/** One message, answered by an acknowledgement, and by data before it where there is a decoder. */
export class SingleRequest<T> extends MessageExchange {
  readonly promise: Promise<T[]>;
  readonly #decode: MessageDecoder<T> | undefined;
  readonly #values: T[] = [];
  #failure: Failure | undefined;
  #resolve!: (values: T[]) => void;
  #reject!: (error: unknown) => void;

  constructor(context: ExchangeContext, message: Uint8Array, decode?: MessageDecoder<T>) {
    super(context, message, requestFlags, replyCost(message.length, decode !== undefined));
    this.#decode = decode;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  takeData(_index: number, bytes: Uint8Array, start: number, end: number): void {
    if (!this.#decode || this.#failure || this.isSettled) return;
    try {
      this.#values.push(this.#decode(bytes, start, end));
    } catch (error) {
      // told at the acknowledgement, so that this one is no stale answer
      this.#failure = { error };
    }
  }

  takeAck(_index: number, errno: number, bytes: Uint8Array, start: number, end: number): number {
    if (errno !== 0) this.fail(this.context.refusal(bytes, start, end, this.requestType));
    else this.settle(this.#failure);
    return 1;
  }

  protected conclude(failure: Failure | undefined): void {
    if (failure) this.#reject(failure.error);
    else this.#resolve(this.#values);
  }
}
