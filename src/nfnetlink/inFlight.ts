import type { Exchange } from './exchange.ts';

const lastSeq = 0xffffffff;

/** Room that one small reply takes in a receive buffer: 256 of them fill the default of 212,992 bytes. */
const replyBytes = 832;
/** What the kernel may fill with a dump: it adds a chunk of 32 KiB while at most half is taken. */
const dumpChunkBytes = 33_024;
/** The share of the buffer that is planned with; the rest is for replies that are larger than thought. */
const share = 0.75;

/** How many small replies may be due at once; the kernel drops what does not fit and says ENOBUFS. */
export function replyWindow(receiveBufferSize: number): number {
  return Math.max(1, Math.floor((receiveBufferSize / replyBytes) * share));
}

/**
 * The same while a dump fills the buffer too.
 * Source: netlink_recvmsg() and netlink_dump() in net/netlink/af_netlink.c.
 */
export function replyWindowDuringDump(receiveBufferSize: number): number {
  return replyWindow(Math.max(0, receiveBufferSize / 2 - dumpChunkBytes));
}

/** What was sent and is not answered, by sequence number, and the room that the answers will take. */
export class InFlight {
  /** Small replies that are due. */
  due = 0;
  readonly #singles = new Map<number, Exchange>();
  readonly #pipelines = new Set<Exchange>();
  /** The exchange of the last answer: most probably that of the next. */
  #latest: Exchange | undefined;
  #nextSeq: number;

  constructor(firstSeq: number) {
    this.#nextSeq = firstSeq;
  }

  *[Symbol.iterator](): Generator<Exchange> {
    yield* this.#singles.values();
    yield* this.#pipelines;
  }

  /** Gives the exchange its sequence numbers: never 0, which events carry, and none that is in use. */
  add(exchange: Exchange): void {
    let first = this.#nextSeq;
    for (;;) {
      if (first === 0 || first + exchange.count - 1 > lastSeq) first = 1;
      const obstacle = this.#overlapping(first, exchange.count);
      if (!obstacle) break;
      first = obstacle.firstSeq + obstacle.count;
    }
    exchange.firstSeq = first;
    this.#nextSeq = first + exchange.count;
    if (exchange.count === 1) this.#singles.set(first, exchange);
    else this.#pipelines.add(exchange);
  }

  /** So many messages of the exchange are sent: their answers will take room. */
  expect(exchange: Exchange, messages: number): void {
    exchange.outstanding += messages;
    this.due += messages * exchange.cost;
  }

  /** So many messages of the exchange have their end, and their answers are read. */
  release(exchange: Exchange, messages: number): void {
    exchange.outstanding -= messages;
    this.due -= messages * exchange.cost;
  }

  find(seq: number): Exchange | undefined {
    const latest = this.#latest;
    if (latest && holds(latest, seq)) return latest;
    const single = this.#singles.get(seq);
    if (single) return single;
    for (const pipeline of this.#pipelines) {
      if (!holds(pipeline, seq)) continue;
      this.#latest = pipeline;
      return pipeline;
    }
    return undefined;
  }

  /** Forgets an exchange, if it is known: answers that still come for it are stale. */
  remove(exchange: Exchange): void {
    if (this.#latest === exchange) this.#latest = undefined;
    if (this.#singles.get(exchange.firstSeq) === exchange) this.#singles.delete(exchange.firstSeq);
    else this.#pipelines.delete(exchange);
    this.due -= exchange.outstanding * exchange.cost;
    exchange.outstanding = 0;
  }

  #overlapping(first: number, count: number): Exchange | undefined {
    if (count === 1) return this.find(first);
    for (const exchange of this) {
      if (first < exchange.firstSeq + exchange.count && exchange.firstSeq < first + count) return exchange;
    }
    return undefined;
  }
}

function holds(exchange: Exchange, seq: number): boolean {
  return seq >= exchange.firstSeq && seq < exchange.firstSeq + exchange.count;
}
