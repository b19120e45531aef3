import { ackErrno, ECHO_AT } from './ack.ts';
import { align4 } from './attribute.ts';
import { readU32host } from './bytes.ts';
import type { Clock } from './clock.ts';
import { NLMSG } from './constants.ts';
import { Deadlines } from './deadlines.ts';
import { Dump } from './dump.ts';
import { ClosedError, type NetlinkError, type OverrunError, TimeoutError } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { Fifo } from './fifo.ts';
import { InFlight, replyWindowDuringDump } from './inFlight.ts';
import { MESSAGE_HEADER, messagePortId, messageSeq, messageType } from './message.ts';
import type { Pipeline } from './pipeline.ts';
import { Sender, type SentStats } from './sender.ts';
import type { MessageExchange } from './singleRequest.ts';
import type { Batch, Transport } from './transport.ts';

/** What a connection has counted since it was opened. */
export interface ConnectionStats extends SentStats {
  /** Requests that the kernel answered to the end, refusals included. */
  answered: number;
  /** Data messages that somebody waited for. */
  received: number;
  /** Messages that nobody waits for: late, repeated, for another socket, or of a dump that was left. */
  stale: number;
  /** Messages that answer nothing: events (sequence number 0), and what netlink says of itself. */
  unsolicited: number;
  /** Datagrams that hold something which is no message; what stood before it was used. */
  malformed: number;
  overruns: number;
  timeouts: number;
}

export interface ConversationOptions {
  readonly clock: Clock;
  /** Small replies that may be due at once. */
  readonly window: number;
  readonly firstSeq: number;
  /** The kernel's name of a request. */
  readonly nameOf: (type: number) => string;
}

/** Turns of the event loop without a datagram after which an overrun socket is taken to be empty. */
const quietTurns = 2;

/** The kernel's messages of its own: not those of a subsystem. NLMSG_MIN_TYPE. */
const firstSubsystemType = 16;

/** The state of one socket's talk with the kernel: what waits, what was sent, and who gets which answer. */
export class Conversation {
  readonly stats: ConnectionStats = {
    sent: 0,
    datagrams: 0,
    answered: 0,
    received: 0,
    stale: 0,
    unsolicited: 0,
    malformed: 0,
    overruns: 0,
    timeouts: 0,
  };
  readonly portId: number;
  readonly nameOf: (type: number) => string;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #window: number;
  readonly #inFlight: InFlight;
  readonly #sender: Sender;
  readonly #deadlines: Deadlines;
  /** The dump whose turn it is: it waits to be sent, runs, or is read to its end unseen. */
  #dump: Dump | undefined;
  readonly #waitingDumps = new Fifo<Dump>();
  /** Exchanges that somebody waits for. */
  #pending = 0;
  #isPaused = false;
  #isPumpDue = false;
  /** After an overrun nothing is sent until the socket is empty: the kernel would drop the answers. */
  #isRecovering = false;
  #hasHeard = false;
  /** Time of the batch that is being read. */
  #now = 0;
  #closed: NetlinkError | undefined;

  constructor(transport: Transport, { clock, window, firstSeq, nameOf }: ConversationOptions) {
    this.#transport = transport;
    this.portId = transport.portId;
    this.nameOf = nameOf;
    this.#clock = clock;
    this.#window = window;
    this.#inFlight = new InFlight(firstSeq);
    this.#deadlines = new Deadlines(clock, (now) => this.#expire(now));
    this.#sender = new Sender(transport, clock, this.#inFlight, this.stats, ({ heardAt, context }) =>
      this.#deadlines.add(heardAt + context.timeout),
    );
    transport.onOverrun((error) => this.#recover(error));
    transport.onError((error) => this.#end(error));
    transport.onBatch((batch) => this.#receive(batch));
    transport.unref();
  }

  /** Queues an exchange; it is sent at the end of this turn, or when there is room. */
  submit(exchange: MessageExchange | Pipeline): void {
    if (this.#pending++ === 0 && !this.#closed) this.#transport.ref();
    const { signal } = exchange.context;
    if (this.#closed) exchange.fail(this.#closed);
    else if (signal?.aborted) exchange.fail(signal.reason);
    else if (exchange.count === 0) exchange.settle();
    else this.#enqueue(exchange);
  }

  /** An exchange's caller knows its outcome. */
  settled(exchange: Exchange): void {
    if (--this.#pending === 0) this.#transport.unref();
    if (exchange.outstanding === 0) this.#over(exchange);
    if (exchange === this.#dump) this.steer();
  }

  /** Pauses the socket while a dump's consumer is behind and nobody else waits; resumes it otherwise. */
  steer(): void {
    const dump = this.#dump;
    const isPaused = dump?.sink.isFull === true && !dump.isSettled && this.#pending === 1;
    if (isPaused === this.#isPaused || this.#closed) return;
    this.#isPaused = isPaused;
    if (isPaused) {
      this.#transport.pause();
    } else {
      if (dump) dump.heardAt = this.#clock.now();
      this.#transport.resume();
    }
  }

  close(): Promise<void> {
    this.#end(new ClosedError());
    return this.#transport.close();
  }

  #enqueue(exchange: MessageExchange | Pipeline): void {
    if (!(exchange instanceof Dump)) {
      this.#sender.push(exchange);
    } else if (this.#dump) {
      this.#waitingDumps.push(exchange);
    } else {
      this.#dump = exchange;
      this.#sender.push(exchange);
    }
    this.#schedulePump();
    this.steer();
  }

  /** Requests of one turn share a datagram. */
  #schedulePump(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    queueMicrotask(() => {
      this.#isPumpDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#isRecovering || this.#closed) return;
    const duringDump = replyWindowDuringDump(this.#transport.receiveBufferSize);
    this.#sender.pump(this.#dump ? Math.min(this.#window, duringDump) : this.#window);
  }

  #receive(batch: Batch): void {
    this.#hasHeard = true;
    this.#now = this.#clock.now();
    const { buffer, bounds, count } = batch;
    for (let i = 0; i < count && !this.#closed; i++)
      this.#readDatagram(buffer, bounds[2 * i]!, bounds[2 * i + 1]!);
    this.#pump();
    this.steer();
  }

  #readDatagram(bytes: Uint8Array, start: number, end: number): void {
    let offset = start;
    while (offset < end) {
      const length = end - offset < MESSAGE_HEADER ? 0 : readU32host(bytes, offset);
      if (length < MESSAGE_HEADER || length > end - offset) {
        this.stats.malformed += 1;
        return;
      }
      this.#readMessage(bytes, offset, offset + length);
      offset += align4(length);
    }
  }

  #readMessage(bytes: Uint8Array, start: number, end: number): void {
    const type = messageType(bytes, start);
    const seq = messageSeq(bytes, start);
    const isEnd = type === NLMSG.ERROR || type === NLMSG.DONE;
    if (seq === 0 || (type < firstSubsystemType && !isEnd)) {
      this.stats.unsolicited += 1;
      return;
    }
    const exchange = this.#inFlight.find(seq);
    if (!exchange || messagePortId(bytes, start) !== this.portId) {
      this.stats.stale += 1;
      return;
    }
    exchange.heardAt = this.#now;
    const index = seq - exchange.firstSeq;
    if (isEnd) {
      this.#readEnd(exchange, index, bytes, start, end);
    } else {
      if (exchange.isSettled) this.stats.stale += 1;
      else this.stats.received += 1;
      exchange.takeData(index, bytes, start, end);
    }
  }

  #readEnd(exchange: Exchange, index: number, bytes: Uint8Array, start: number, end: number): void {
    if (end - start < ECHO_AT) {
      this.stats.malformed += 1;
      return;
    }
    const wasSettled = exchange.isSettled;
    const ended = exchange.takeAck(index, ackErrno(bytes, start, end), bytes, start, end);
    if (ended === 0 || wasSettled) this.stats.stale += 1;
    else this.stats.answered += ended;
    if (ended === 0) return;
    this.#inFlight.release(exchange, ended);
    if (exchange.outstanding === 0 && exchange.isSettled) this.#over(exchange);
  }

  /** Nothing more will come for the exchange, or will be known as its. */
  #over(exchange: Exchange): void {
    this.#inFlight.remove(exchange);
    if (exchange !== this.#dump) return;
    do this.#dump = this.#waitingDumps.shift();
    while (this.#dump?.isSettled);
    if (!this.#dump) return;
    this.#sender.push(this.#dump);
    this.#schedulePump();
  }

  /** Ends what has heard nothing for too long; returns the next deadline. */
  #expire(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const exchange of [...this.#inFlight]) {
      // it waits for room in the buffer: time counts from the sending
      if (exchange.outstanding === 0) continue;
      // a paused socket keeps the dump's entries: the consumer is slow, not the kernel
      if (exchange === this.#dump && this.#isPaused) exchange.heardAt = now;
      const { timeout } = exchange.context;
      if (exchange.heardAt + timeout <= now && !this.#isExpired(exchange, now)) continue;
      next = Math.min(next, exchange.heardAt + timeout);
    }
    this.#schedulePump();
    return next;
  }

  /** Tells the caller of the timeout; returns whether the exchange is waited for nevertheless. */
  #isExpired(exchange: Exchange, now: number): boolean {
    const wasSettled = exchange.isSettled;
    if (!wasSettled) {
      this.stats.timeouts += 1;
      exchange.fail(new TimeoutError(this.nameOf(exchange.requestType), exchange.context.timeout));
    }
    // the kernel refuses a second dump while it is at this one, which may still come to its end
    if (exchange === this.#dump && !wasSettled) {
      exchange.heardAt = now;
      return true;
    }
    this.#over(exchange);
    return false;
  }

  #recover(error: OverrunError): void {
    this.stats.overruns += 1;
    for (const exchange of [...this.#inFlight]) exchange.fail(error);
    if (this.#isRecovering || this.#closed) return;
    this.#isRecovering = true;
    this.#hasHeard = true;
    this.#awaitQuiet(quietTurns);
  }

  #awaitQuiet(turns: number): void {
    this.#clock.nextTurn(() => {
      if (this.#closed) return;
      const left = this.#hasHeard ? quietTurns : turns - 1;
      this.#hasHeard = false;
      if (left > 0) {
        this.#awaitQuiet(left);
        return;
      }
      this.#isRecovering = false;
      for (const exchange of [...this.#inFlight]) this.#over(exchange);
      this.#pump();
    });
  }

  #end(error: NetlinkError): void {
    if (this.#closed) return;
    this.#closed = error;
    this.#deadlines.cancel();
    for (const exchange of [...this.#inFlight]) {
      exchange.fail(error);
      this.#inFlight.remove(exchange);
    }
    this.#sender.fail(error);
    for (let dump = this.#waitingDumps.shift(); dump; dump = this.#waitingDumps.shift()) dump.fail(error);
  }
}
