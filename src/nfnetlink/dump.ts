import { NLM_F } from './constants.ts';
import { DumpInterruptedError } from './errors.ts';
import { type ExchangeContext, type Failure, requestFlags } from './exchange.ts';
import { messageFlags } from './message.ts';
import type { MessageDecoder } from './requester.ts';
import { MessageExchange } from './singleRequest.ts';

/** Where the entries of a dump go. */
export interface DumpSink {
  /** One entry, in place. What it throws ends the dump for the caller. */
  take(bytes: Uint8Array, start: number, end: number): void;
  /** The end, called once. */
  end(failure: Failure | undefined): void;
  /** Whether the sink wants no more for now. */
  readonly isFull: boolean;
}

/**
 * A dump: entries until NLMSG_DONE, or an NLMSG_ERROR where it could not begin. The kernel goes on with it
 * whatever becomes of the caller, so a dump that was left early is read to its end, unseen.
 */
export class Dump extends MessageExchange {
  readonly sink: DumpSink;
  #isInterrupted = false;

  constructor(context: ExchangeContext, message: Uint8Array, sink: DumpSink) {
    // the kernel puts no more dump entries into the buffer than fit, so they take no part in the window
    super(context, message, requestFlags | NLM_F.DUMP, 0);
    this.sink = sink;
  }

  takeData(_index: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.isSettled) return;
    if (messageFlags(bytes, start) & NLM_F.DUMP_INTR) this.#isInterrupted = true;
    try {
      this.sink.take(bytes, start, end);
    } catch (error) {
      this.fail(error);
    }
  }

  takeAck(_index: number, errno: number, bytes: Uint8Array, start: number, end: number): number {
    if (messageFlags(bytes, start) & NLM_F.DUMP_INTR) this.#isInterrupted = true;
    if (errno !== 0) this.fail(this.context.refusal(bytes, start, end, this.requestType));
    else if (this.#isInterrupted) this.fail(new DumpInterruptedError(this.context.nameOf(this.requestType)));
    else this.settle();
    return 1;
  }

  protected conclude(failure: Failure | undefined): void {
    this.sink.end(failure);
  }
}

/** What a visit asks of its connection. */
export interface VisitEvents {
  /** The visitor that made the sink full goes on. */
  onHungry(): void;
  /** The visitor's promise was rejected. */
  onFailure(error: unknown): void;
}

/** Visits each entry as it arrives; is full while the visitor has made it wait. */
export class VisitSink implements DumpSink {
  readonly promise: Promise<void>;
  readonly #visitor: MessageDecoder<unknown>;
  readonly #events: VisitEvents;
  /** Promises of the visitor that are not settled. */
  #waits = 0;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;

  constructor(visitor: MessageDecoder<unknown>, events: VisitEvents) {
    this.#visitor = visitor;
    this.#events = events;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get isFull(): boolean {
    return this.#waits > 0;
  }

  take(bytes: Uint8Array, start: number, end: number): void {
    const wait = this.#visitor(bytes, start, end);
    if (!(wait instanceof Promise)) return;
    this.#waits++;
    wait.then(
      () => {
        if (--this.#waits === 0) this.#events.onHungry();
      },
      (error) => this.#events.onFailure(error),
    );
  }

  end(failure: Failure | undefined): void {
    if (failure) this.#reject(failure.error);
    else this.#resolve();
  }
}
