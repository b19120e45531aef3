import { type CompleteTuple, type FlowAttributes, IPPROTO, IPS, invertTuple } from '../ctnetlink/index.ts';
import { AF } from '../nfnetlink/index.ts';
import type { ConntrackEntry, ConntrackEvent } from './conntrackEntry.ts';

/** What a new flow is. */
export interface NewEntry {
  readonly originalTuple: CompleteTuple;
  /** The default is the original tuple turned round. */
  readonly replyTuple?: CompleteTuple;
  /** Of both directions. */
  readonly zone?: number;
  readonly mark?: number;
  /** IPS bits; CONFIRMED by default. */
  readonly status?: number;
  /** Milliseconds that it lives; for ever by default. */
  readonly lifeMs?: number;
  readonly protocolInfo?: FlowAttributes['protocolInfo'];
  readonly startedAt?: bigint;
  readonly refusal?: number;
  /** As a recording has it; made from the tuple by default. */
  readonly id?: number;
}

/** Hears of every change: what by, 0 for a packet or the end of its time, else the port id of the asker. */
export type ConntrackListener = (
  event: ConntrackEvent,
  entry: ConntrackEntry,
  about: { readonly portId: number; readonly isEarly: boolean },
) => void;

const BUCKETS = 256;

/**
 * The connection tracking table of the model: found by either tuple within a zone, listed bucket by bucket,
 * so that a listing under way sees some of the changes and not others.
 */
export class ConntrackTable {
  onEvent: ConntrackListener = () => {};
  readonly #now: () => number;
  readonly #byTuple = new Map<string, ConntrackEntry>();
  readonly #buckets: ConntrackEntry[][] = Array.from({ length: BUCKETS }, () => []);
  #size = 0;

  /** @param now milliseconds of the model's clock */
  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.#size;
  }

  /** The flow with this tuple in either direction; the zone of the request goes before the tuple's own. */
  find(tuple: CompleteTuple, zone?: number): ConntrackEntry | undefined {
    const entry = this.#byTuple.get(keyOf(tuple, zone ?? tuple.zone ?? 0));
    if (!entry || entry.expiresAt > this.#now()) return entry;
    this.remove(entry);
    return undefined;
  }

  has(entry: ConntrackEntry): boolean {
    return this.#byTuple.get(originalKey(entry)) === entry;
  }

  /**
   * Adds a flow; undefined where one of its tuples is another's.
   * @param isTold whether it begins now; otherwise it was there before
   */
  add(flow: NewEntry, portId = 0, isTold = true): ConntrackEntry | undefined {
    const entry = entryOf(flow, this.#now());
    const { originalTuple, replyTuple, zone } = entry;
    if (this.find(originalTuple, zone || undefined) || this.find(replyTuple, zone || undefined))
      return undefined;
    this.put(entry);
    if (isTold) this.onEvent('new', entry, { portId, isEarly: false });
    return entry;
  }

  /** Puts in an entry as it is, of which nothing is told; its tuples are no other's. */
  put(entry: ConntrackEntry): void {
    const key = originalKey(entry);
    this.#byTuple.set(key, entry);
    this.#byTuple.set(replyKey(entry), entry);
    this.#buckets[hashOf(key) % BUCKETS]!.push(entry);
    this.#size++;
  }

  /** Tells of a change that was made to the entry. */
  changed(entry: ConntrackEntry, portId = 0): void {
    this.onEvent('update', entry, { portId, isEarly: false });
  }

  /** Ends a flow; by a netlink request where there is a port id, else by its own end. */
  remove(entry: ConntrackEntry, portId = 0): void {
    const key = originalKey(entry);
    if (this.#byTuple.get(key) !== entry) return;
    this.#byTuple.delete(key);
    this.#byTuple.delete(replyKey(entry));
    const bucket = this.#buckets[hashOf(key) % BUCKETS]!;
    bucket.splice(bucket.indexOf(entry), 1);
    this.#size--;
    this.onEvent('destroy', entry, { portId, isEarly: portId !== 0 });
  }

  /** Every flow, bucket by bucket. Flows that come and go meanwhile may be seen or not. */
  *entries(): Generator<ConntrackEntry> {
    for (const bucket of this.#buckets) {
      for (let i = 0; i < bucket.length; i++) {
        const entry = bucket[i]!;
        if (entry.expiresAt <= this.#now()) {
          this.remove(entry);
          i--;
        } else {
          yield entry;
        }
      }
    }
  }
}

/** The entry of a flow that begins now. */
export function entryOf(flow: NewEntry, now: number): ConntrackEntry {
  const { originalTuple, zone = 0, mark = 0, status = IPS.CONFIRMED, lifeMs, startedAt, refusal } = flow;
  return {
    originalTuple,
    replyTuple: flow.replyTuple ?? invertTuple(originalTuple),
    family: originalTuple.source.includes(':') ? AF.INET6 : AF.INET,
    zone,
    id: flow.id ?? hashOf(keyOf(originalTuple, zone || (originalTuple.zone ?? 0))),
    mark,
    status,
    expiresAt: lifeMs === undefined ? Number.POSITIVE_INFINITY : now + lifeMs,
    ...(originalTuple.protocol === IPPROTO.TCP && { protocolInfo: wholeTcp(flow.protocolInfo) }),
    ...(startedAt !== undefined && { startedAt }),
    ...(refusal !== undefined && { refusal }),
  };
}

/** What is told of a TCP flow, with zeros for what is not known of it. */
function wholeTcp(info: FlowAttributes['protocolInfo']): FlowAttributes['protocolInfo'] {
  const none = { flags: 0, mask: 0 };
  return {
    tcp: {
      ...{ state: 0, windowScaleOriginal: 0, windowScaleReply: 0, flagsOriginal: none, flagsReply: none },
      ...info?.tcp,
    },
  };
}

function originalKey({ originalTuple, zone }: ConntrackEntry): string {
  return keyOf(originalTuple, zone || (originalTuple.zone ?? 0));
}

function replyKey({ replyTuple, zone }: ConntrackEntry): string {
  return keyOf(replyTuple, zone || (replyTuple.zone ?? 0));
}

function keyOf(tuple: CompleteTuple, zone: number): string {
  const { source, destination, protocol, sourcePort, destinationPort, icmpId, icmpType, icmpCode } = tuple;
  const ends = `${zone} ${protocol} ${source} ${destination}`;
  return icmpType === undefined
    ? `${ends} ${sourcePort ?? 0} ${destinationPort ?? 0}`
    : `${ends} ${icmpId} ${icmpType} ${icmpCode}`;
}

/**
 * A number that follows from the tuple: a flow that is made again gets the same id, as it nearly always does
 * where the kernel gives it the same memory. Source: nf_ct_get_id() in net/netfilter/nf_conntrack_core.c.
 */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
