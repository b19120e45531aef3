import type { Clock } from './clock.ts';
import type { Exchange } from './exchange.ts';
import { addFlags } from './exchange.ts';
import { Fifo } from './fifo.ts';
import type { InFlight } from './inFlight.ts';
import { writeMessageSeq } from './message.ts';
import { datagramBytes, Pipeline } from './pipeline.ts';
import type { MessageExchange } from './singleRequest.ts';
import type { Transport } from './transport.ts';

/** Messages in one datagram at most. */
const datagramMessages = 64;

/** Counters of what went out. */
export interface SentStats {
  /** Messages, and the datagrams that carried them. */
  sent: number;
  datagrams: number;
}

/** Sends what waits, in order, as far as the answers fit into the receive buffer. */
export class Sender {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #inFlight: InFlight;
  readonly #stats: SentStats;
  readonly #onSent: (exchange: Exchange) => void;
  readonly #queue = new Fifo<MessageExchange | Pipeline>();
  /** The datagram that is being put together from single messages, and whose they are. */
  #datagram = new Uint8Array(4096);
  #length = 0;
  #aboard: MessageExchange[] = [];

  constructor(
    transport: Transport,
    clock: Clock,
    inFlight: InFlight,
    stats: SentStats,
    onSent: (exchange: Exchange) => void,
  ) {
    this.#transport = transport;
    this.#clock = clock;
    this.#inFlight = inFlight;
    this.#stats = stats;
    this.#onSent = onSent;
  }

  push(exchange: MessageExchange | Pipeline): void {
    this.#queue.push(exchange);
  }

  /** Ends the wait of everything that was not sent, or not wholly. */
  fail(error: unknown): void {
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) next.fail(error);
  }

  /** Sends what fits while at most `window` small replies are due. */
  pump(window: number): void {
    for (let next = this.#queue.peek(); next; next = this.#queue.peek()) {
      if (!next.isSettled) {
        if (next instanceof Pipeline) {
          this.#flush();
          if (!this.#sendPipeline(next, window)) return;
        } else if (this.#fits(next.cost, window)) {
          this.#append(next);
        } else {
          break;
        }
      }
      this.#queue.shift();
    }
    this.#flush();
  }

  /** A request that alone exceeds the window is sent when nothing else is due. */
  #fits(cost: number, window: number): boolean {
    const { due } = this.#inFlight;
    return due === 0 || due + cost <= window;
  }

  #append(exchange: MessageExchange): void {
    const { message } = exchange;
    if (this.#aboard.length === datagramMessages || this.#length + message.length > datagramBytes) {
      this.#flush();
    }
    this.#makeRoom(message.length);
    this.#inFlight.add(exchange);
    this.#datagram.set(message, this.#length);
    addFlags(this.#datagram, this.#length, exchange.flags);
    writeMessageSeq(this.#datagram, this.#length, exchange.firstSeq);
    this.#length += message.length;
    this.#aboard.push(exchange);
    this.#count(exchange, 1);
  }

  #makeRoom(bytes: number): void {
    if (this.#length + bytes <= this.#datagram.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#datagram.length, this.#length + bytes));
    larger.set(this.#datagram.subarray(0, this.#length));
    this.#datagram = larger;
  }

  #flush(): void {
    if (this.#length === 0) return;
    const aboard = this.#aboard;
    const datagram = this.#datagram.subarray(0, this.#length);
    this.#aboard = [];
    this.#length = 0;
    this.#send(datagram, aboard.length, aboard);
  }

  /** Returns whether the whole pipeline is sent, or nobody waits for it any more. */
  #sendPipeline(pipeline: Pipeline, window: number): boolean {
    if (pipeline.firstSeq === 0) this.#inFlight.add(pipeline);
    // a third of the window a datagram: while one is read the next ones are on their way, and a transport
    // that delivers its answers one by one is not asked one by one
    const most = Math.min(datagramMessages, Math.max(1, Math.floor(window / 3 / pipeline.cost)));
    while (!pipeline.isSent && !pipeline.isSettled) {
      const messages = Math.min(most, pipeline.count - pipeline.sent);
      if (!this.#fits(messages * pipeline.cost, window)) return false;
      const before = pipeline.sent;
      const datagram = pipeline.nextDatagram(messages);
      this.#count(pipeline, pipeline.sent - before);
      this.#send(datagram, pipeline.sent - before, [pipeline]);
    }
    return true;
  }

  #count(exchange: Exchange, messages: number): void {
    exchange.heardAt = this.#clock.now();
    this.#inFlight.expect(exchange, messages);
  }

  #send(datagram: Uint8Array, messages: number, senders: readonly Exchange[]): void {
    try {
      this.#transport.send(datagram);
    } catch (error) {
      for (const exchange of senders) {
        this.#inFlight.remove(exchange);
        exchange.fail(error);
      }
      return;
    }
    this.#stats.sent += messages;
    this.#stats.datagrams += 1;
    for (const exchange of senders) this.#onSent(exchange);
  }
}
