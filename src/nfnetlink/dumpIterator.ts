import type { Dump, DumpSink } from './dump.ts';
import type { Failure } from './exchange.ts';
import { Fifo } from './fifo.ts';
import type { MessageDecoder } from './requester.ts';

/** Decoded entries that wait for the consumer before the socket is paused; one batch may exceed it. */
const enough = 256;

interface Waiter<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: unknown): void;
}

/** What a dump iterator asks of its connection. */
export interface DumpSource {
  readonly signal: AbortSignal | undefined;
  /**
   * Sends the dump's request.
   * @throws EncodeError where the message is none
   */
  start(sink: DumpSink): Dump;
  /** Called when the sink has become empty, or is left. */
  onHungry(): void;
}

/** One pass over a dump. The request is sent by the first `next`. */
export class DumpIterator<T> implements AsyncIterator<T, undefined>, DumpSink {
  isFull = false;
  readonly #decode: MessageDecoder<T>;
  readonly #source: DumpSource;
  readonly #values = new Fifo<T>();
  readonly #waiters = new Fifo<Waiter<T>>();
  #dump: Dump | undefined;
  #isStarted = false;
  #isEnded = false;
  /** Told once, behind the values that came before it. */
  #failure: Failure | undefined;

  constructor(decode: MessageDecoder<T>, source: DumpSource) {
    this.#decode = decode;
    this.#source = source;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (!this.#isStarted) this.#start();
    if (this.#values.length > 0) return Promise.resolve({ value: this.#shift(), done: false });
    if (!this.#isEnded) return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
    const failure = this.#failure;
    this.#failure = undefined;
    return failure ? Promise.reject(failure.error) : Promise.resolve({ value: undefined, done: true });
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#isStarted = true;
    this.#isEnded = true;
    this.#dump?.settle();
    this.#failure = undefined;
    this.#empty();
    this.#answerWaiters();
    return Promise.resolve({ value: undefined, done: true });
  }

  take(bytes: Uint8Array, start: number, end: number): void {
    const value = this.#decode(bytes, start, end);
    const waiter = this.#waiters.shift();
    if (waiter) {
      waiter.resolve({ value, done: false });
      return;
    }
    this.#values.push(value);
    if (this.#values.length >= enough) this.isFull = true;
  }

  end(failure: Failure | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#failure = failure;
    if (this.#source.signal?.aborted) this.#empty();
    this.#answerWaiters();
  }

  #start(): void {
    this.#isStarted = true;
    try {
      this.#dump = this.#source.start(this);
    } catch (error) {
      this.end({ error });
    }
  }

  #shift(): T {
    const value = this.#values.shift() as T;
    if (this.#values.length === 0) this.#empty();
    return value;
  }

  #empty(): void {
    this.#values.clear();
    if (!this.isFull) return;
    this.isFull = false;
    this.#source.onHungry();
  }

  #answerWaiters(): void {
    for (let waiter = this.#waiters.shift(); waiter; waiter = this.#waiters.shift()) {
      const failure = this.#failure;
      this.#failure = undefined;
      if (failure) waiter.reject(failure.error);
      else waiter.resolve({ value: undefined, done: true });
    }
  }
}
