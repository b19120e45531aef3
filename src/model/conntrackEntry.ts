import {
  type CompleteTuple,
  CTA,
  type FlowAttributes,
  flowAttributes,
  IPCTNL_MSG_CT,
  IPS,
} from '../ctnetlink/index.ts';
import { attrs, encodeRequest, messageTypeOf, NFNL_SUBSYS, NLM_F, type Row } from '../nfnetlink/index.ts';

/** One flow of the model's table. */
export interface ConntrackEntry {
  readonly originalTuple: CompleteTuple;
  readonly replyTuple: CompleteTuple;
  /** AF.INET or AF.INET6. */
  readonly family: number;
  /** Of both directions; 0 is the default zone. */
  readonly zone: number;
  /** CTA_ID. */
  id: number;
  mark: number;
  /** IPS bits. */
  status: number;
  /** Milliseconds of the model's clock at which it ends by itself; Infinity for never. */
  expiresAt: number;
  protocolInfo?: FlowAttributes['protocolInfo'];
  /** Nanoseconds since 1970, where nf_conntrack_timestamp was on when it began. */
  startedAt?: bigint;
  /** An errno with which the kernel refuses to delete it: EBUSY for an offloaded flow. */
  refusal?: number;
}

type Fields = readonly (keyof FlowAttributes)[];

/** The rows of the flow's table in another order, which is that of encoding. */
function inOrder(fields: Fields) {
  const rows = fields.map((field) => [field, flowAttributes.table.find((entry) => entry.field === field)!]);
  return attrs('CTA', CTA, Object.fromEntries(rows) as Record<keyof FlowAttributes, Row<unknown>>);
}

/** As ctnetlink_fill_info() writes an entry of an answer or a dump. */
const listed = inOrder([
  'originalTuple',
  'replyTuple',
  'zone',
  'status',
  'mark',
  'id',
  'use',
  'timeout',
  'protocolInfo',
  'timestamps',
]);

/** As ctnetlink_conntrack_event() writes it. */
const told = inOrder([
  'originalTuple',
  'replyTuple',
  'zone',
  'id',
  'status',
  'timeout',
  'timestamps',
  'protocolInfo',
  'mark',
  'eventTimestamp',
]);

export type ConntrackEvent = 'new' | 'update' | 'destroy';

const NEW = messageTypeOf(NFNL_SUBSYS.CTNETLINK, IPCTNL_MSG_CT.NEW);
const DELETE = messageTypeOf(NFNL_SUBSYS.CTNETLINK, IPCTNL_MSG_CT.DELETE);
const eventHeaders = {
  new: { type: NEW, flags: NLM_F.CREATE | NLM_F.EXCL },
  update: { type: NEW, flags: 0 },
  destroy: { type: DELETE, flags: 0 },
} as const;

/** The attributes that answers and events share. */
function common({ originalTuple, replyTuple, zone, id, status }: ConntrackEntry): FlowAttributes {
  return { originalTuple, replyTuple, id, status, ...(zone !== 0 && { zone }) };
}

/** Whole seconds until the entry ends, as the kernel tells them; undefined where it is offloaded. */
function secondsLeft({ expiresAt, status }: ConntrackEntry, now: number): number | undefined {
  if ((status & IPS.OFFLOAD) !== 0) return undefined;
  return Math.min(LONGEST_TIMEOUT, Math.max(0, Math.floor((expiresAt - now) / 1000)));
}

/** 2^31 jiffies at 250 a second: the longest that an entry can be given. */
export const LONGEST_TIMEOUT = 8_589_934;

/** The entry as GET and dumps answer it; the sequence number and the port id are to be filled in. */
export function encodeEntry(entry: ConntrackEntry, now: number, flags = 0): Uint8Array {
  const { mark, startedAt, protocolInfo, family } = entry;
  return encodeRequest({ type: NEW, flags: NLM_F.MULTI | flags, family }, listed, {
    ...common(entry),
    mark,
    use: 1,
    timeout: secondsLeft(entry, now),
    protocolInfo: (entry.status & IPS.OFFLOAD) === 0 ? protocolInfo : undefined,
    timestamps: startedAt === undefined ? undefined : { start: startedAt },
  });
}

/** What else is to be told in an event. */
export interface EventFacts {
  readonly now: number;
  /** Nanoseconds since 1970; told where the entry has a start time. */
  readonly wallNs: bigint;
  /** Whether the change came by netlink, so that its mark is told though it is 0. */
  readonly tellsMark?: boolean;
  /** Whether a flow that ends had time left: it was deleted, and did not expire. */
  readonly isEarly?: boolean;
}

export function encodeEvent(entry: ConntrackEntry, kind: ConntrackEvent, facts: EventFacts): Uint8Array {
  const { mark, startedAt, protocolInfo, family } = entry;
  const isEnd = kind === 'destroy';
  const start = startedAt === undefined ? undefined : { start: startedAt, stop: facts.wallNs };
  return encodeRequest({ ...eventHeaders[kind], family }, told, {
    ...common(entry),
    status: isEnd ? entry.status | IPS.DYING : entry.status,
    timeout: isEnd && !facts.isEarly ? undefined : secondsLeft(entry, facts.now),
    timestamps: isEnd ? start : undefined,
    protocolInfo: isEnd ? stateOnly(protocolInfo) : protocolInfo,
    mark: mark !== 0 || (facts.tellsMark && !isEnd) ? mark : undefined,
    eventTimestamp: startedAt === undefined ? undefined : facts.wallNs,
  });
}

function stateOnly(info: FlowAttributes['protocolInfo']): FlowAttributes['protocolInfo'] {
  const state = info?.tcp?.state;
  return state === undefined ? undefined : { tcp: { state } };
}
