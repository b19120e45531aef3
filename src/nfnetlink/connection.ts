import { decodeRefusal } from './ack.ts';
import { type Clock, systemClock } from './clock.ts';
import { type ConnectionStats, Conversation } from './conversation.ts';
import { Dump, type DumpSink, VisitSink } from './dump.ts';
import { DumpIterator } from './dumpIterator.ts';
import type { Exchange, ExchangeContext } from './exchange.ts';
import { replyWindow } from './inFlight.ts';
import { subsystemOf } from './message.ts';
import { Pipeline } from './pipeline.ts';
import type { MessageDecoder, PipelineHandler, Requester, RequestOptions } from './requester.ts';
import { SingleRequest } from './singleRequest.ts';
import { requestName, type Subsystem } from './subsystem.ts';
import type { Transport } from './transport.ts';

export interface ConnectionOptions {
  /** Sources of names for errors: of commands, attributes, and errnos above 4096. */
  readonly subsystems?: readonly Subsystem[];
  /** Milliseconds without an answer before TimeoutError, counted from the sending; default 5000. */
  readonly timeout?: number;
  /** How many small replies may be due at once; the default is what the receive buffer holds, less a quarter. */
  readonly window?: number;
  /** Sequence number of the first request, 1 to 2^32 - 1; the default is the time of day in seconds. */
  readonly firstSeq?: number;
  readonly clock?: Clock;
}

const defaultTimeout = 5000;

/**
 * Requests over one transport that joined no group.
 *
 * - Messages are sent in the order of the calls, those of one turn together in a datagram, and as many as
 *   have answers that fit into the receive buffer; the others wait. A message must stay unchanged until
 *   then. Dumps run one after the other, and requests may overtake those that wait.
 * - A request that waits keeps the process alive; an idle connection does not.
 * - A dump whose consumer is slow pauses the socket, but only while nothing else is asked: a consumer that
 *   awaits another request on this connection inside its loop gets its answer, and the entries read
 *   meanwhile stay in memory. A second connection for those requests keeps memory constant.
 * - After an overrun everything that was sent is rejected with OverrunError, since nobody knows its
 *   outcome; what still waits is sent once the socket has been read empty.
 */
export class RequestConnection implements Requester {
  readonly #conversation: Conversation;
  readonly #subsystems: readonly Subsystem[];
  readonly #timeout: number;

  /** The connection owns the transport from now on, and closes it. */
  constructor(transport: Transport, options: ConnectionOptions = {}) {
    this.#subsystems = options.subsystems ?? [];
    this.#timeout = options.timeout ?? defaultTimeout;
    this.#conversation = new Conversation(transport, {
      clock: options.clock ?? systemClock,
      window: options.window ?? replyWindow(transport.receiveBufferSize),
      firstSeq: options.firstSeq ?? Math.max(1, Math.floor(Date.now() / 1000) >>> 0),
      nameOf: (type) => requestName(type, this.#subsystemFor(type)),
    });
  }

  /** What was counted since the connection was opened. */
  get stats(): Readonly<ConnectionStats> {
    return this.#conversation.stats;
  }

  /** nlmsg_pid of the socket: events that own requests cause carry it. */
  get portId(): number {
    return this.#conversation.portId;
  }

  async acknowledge(message: Uint8Array, options?: RequestOptions): Promise<void> {
    const request = new SingleRequest(this.#context(options), message);
    this.#conversation.submit(request);
    await request.promise;
  }

  async query<T>(message: Uint8Array, decode: MessageDecoder<T>, options?: RequestOptions): Promise<T[]> {
    const request = new SingleRequest(this.#context(options), message, decode);
    this.#conversation.submit(request);
    return request.promise;
  }

  async pipeline(messages: Uint8Array, handler: PipelineHandler, options?: RequestOptions): Promise<void> {
    const pipeline = new Pipeline(this.#context(options), messages, handler);
    this.#conversation.submit(pipeline);
    await pipeline.promise;
  }

  dump<T>(message: Uint8Array, decode: MessageDecoder<T>, options?: RequestOptions): AsyncIterable<T> {
    const source = {
      signal: options?.signal,
      start: (sink: DumpSink) => this.#startDump(message, sink, options),
      onHungry: () => this.#conversation.steer(),
    };
    return { [Symbol.asyncIterator]: () => new DumpIterator(decode, source) };
  }

  async visit(
    message: Uint8Array,
    visitor: MessageDecoder<unknown>,
    options?: RequestOptions,
  ): Promise<void> {
    const sink = new VisitSink(visitor, {
      onHungry: () => this.#conversation.steer(),
      onFailure: (error) => dump.fail(error),
    });
    const dump = this.#startDump(message, sink, options);
    await sink.promise;
  }

  close(): Promise<void> {
    return this.#conversation.close();
  }

  #startDump(message: Uint8Array, sink: DumpSink, options: RequestOptions | undefined): Dump {
    const dump = new Dump(this.#context(options), message, sink);
    this.#conversation.submit(dump);
    return dump;
  }

  #context(options: RequestOptions | undefined): ExchangeContext {
    return {
      timeout: options?.timeout ?? this.#timeout,
      signal: options?.signal,
      refusal: this.#refusal,
      nameOf: this.#conversation.nameOf,
      onSettled: this.#onSettled,
    };
  }

  readonly #refusal: ExchangeContext['refusal'] = (bytes, start, end, type) =>
    decodeRefusal(bytes, start, end, type, this.#subsystemFor(type));

  readonly #onSettled = (exchange: Exchange): void => this.#conversation.settled(exchange);

  #subsystemFor(type: number): Subsystem | undefined {
    return this.#subsystems.find(({ id }) => id === subsystemOf(type));
  }
}
