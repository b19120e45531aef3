import {
  type CompleteTuple,
  type FlowAttributes,
  flowAttributes,
  IPCTNL_MSG_CT,
  IPPROTO,
  IPS,
  type Tuple,
} from '../ctnetlink/index.ts';
import {
  AF,
  ATTRIBUTES_AT,
  commandOf,
  ERRNO,
  messageFamily,
  messageFlags,
  NLM_F,
} from '../nfnetlink/index.ts';
import type { ScriptedRequest } from '../testing/replies.ts';
import { type ConntrackEntry, encodeEntry, LONGEST_TIMEOUT } from './conntrackEntry.ts';
import { entryFilter } from './conntrackFilter.ts';
import type { ConntrackTable } from './conntrackTable.ts';
import type { Outcome } from './outcome.ts';

/** Bits of the status that a request cannot set or clear as it likes. */
const FIXED_BITS = IPS.EXPECTED | IPS.CONFIRMED | IPS.DYING;

/** What the model's connection tracking does with a message of subsystem CTNETLINK. */
export function answerConntrack(
  table: ConntrackTable,
  request: ScriptedRequest,
  clock: () => number,
): Outcome {
  const now = clock();
  const { bytes, type, portId } = request;
  const asked = flowAttributes.decode(bytes, ATTRIBUTES_AT, bytes.length);
  const family = messageFamily(bytes, 0);
  const flags = messageFlags(bytes, 0);
  const command = commandOf(type);
  if (command === IPCTNL_MSG_CT.GET) {
    if ((flags & NLM_F.DUMP) === NLM_F.DUMP) return dump(table, asked, family, clock);
    const entry = lookUp(table, asked, family);
    return typeof entry === 'number' ? { errno: entry } : { errno: 0, data: [encodeEntry(entry, now)] };
  }
  if (command === IPCTNL_MSG_CT.DELETE) {
    const isFlush = !(asked.originalTuple ?? asked.replyTuple) || asked.filter !== undefined;
    // byte 17 is nfgenmsg.version
    if (isFlush) return { errno: flush(table, asked, bytes[17] === 0 && !asked.filter ? 0 : family, portId) };
    return { errno: deleteOne(table, asked, family, portId) };
  }
  if (command === IPCTNL_MSG_CT.NEW) return { errno: put(table, asked, family, flags, request, now) };
  return { errno: ERRNO.EINVAL };
}

/** The entry that a request names, or the errno of the refusal. */
function lookUp(table: ConntrackTable, asked: FlowAttributes, family: number): ConntrackEntry | number {
  const tuple = asked.originalTuple ?? asked.replyTuple;
  const refusal = checkTuple(tuple, family);
  if (refusal !== 0) return refusal;
  return table.find(tuple as CompleteTuple, asked.zone) ?? ERRNO.ENOENT;
}

/** What ctnetlink_parse_tuple() wants of a tuple. */
function checkTuple(tuple: Tuple | undefined, family: number): number {
  if (!tuple) return ERRNO.EINVAL;
  if (family !== AF.INET && family !== AF.INET6) return ERRNO.EOPNOTSUPP;
  const { source, destination, protocol, sourcePort, destinationPort } = tuple;
  if (source === undefined || destination === undefined || protocol === undefined) return ERRNO.EINVAL;
  if (source.includes(':') !== (family === AF.INET6)) return ERRNO.EINVAL;
  const hasPorts =
    protocol === IPPROTO.TCP ||
    protocol === IPPROTO.UDP ||
    protocol === IPPROTO.SCTP ||
    protocol === IPPROTO.UDPLITE ||
    protocol === IPPROTO.GRE;
  if (hasPorts && (sourcePort === undefined || destinationPort === undefined)) return ERRNO.EINVAL;
  const isIcmp = protocol === IPPROTO.ICMP || protocol === IPPROTO.ICMPV6;
  const { icmpId, icmpType, icmpCode } = tuple;
  return isIcmp && (icmpId ?? icmpType ?? icmpCode) === undefined ? ERRNO.EINVAL : 0;
}

function dump(table: ConntrackTable, asked: FlowAttributes, family: number, now: () => number): Outcome {
  const filter = entryFilter(asked, family);
  if (typeof filter === 'number') return { errno: filter };
  const isFiltered = family !== AF.UNSPEC || asked.mark !== undefined || asked.status !== undefined;
  const flag = isFiltered || asked.filter || asked.zone !== undefined ? NLM_F.DUMP_FILTERED : 0;
  const entries = table.entries();
  return {
    errno: 0,
    dump: () => {
      for (let next = entries.next(); !next.done; next = entries.next())
        if (filter(next.value)) return encodeEntry(next.value, now(), flag);
      return undefined;
    },
  };
}

/** Ends every flow that fits: the whole table where nothing is asked for. */
function flush(table: ConntrackTable, asked: FlowAttributes, family: number, portId: number): number {
  const filter = entryFilter(asked, family);
  if (typeof filter === 'number') return filter;
  for (const entry of [...table.entries()]) if (filter(entry)) table.remove(entry, portId);
  return 0;
}

/** Compares the zone and the id, and nothing else: neither the mark nor the status. */
function deleteOne(table: ConntrackTable, asked: FlowAttributes, family: number, portId: number): number {
  const entry = lookUp(table, asked, family);
  if (typeof entry === 'number') return entry;
  if (asked.id !== undefined && asked.id !== entry.id) return ERRNO.ENOENT;
  if (entry.refusal) return entry.refusal;
  table.remove(entry, portId);
  return 0;
}

/** Makes an entry or changes one. */
function put(
  table: ConntrackTable,
  asked: FlowAttributes,
  family: number,
  flags: number,
  { portId }: ScriptedRequest,
  now: number,
): number {
  const entry = lookUp(table, asked, family);
  if (typeof entry === 'number') {
    if (entry !== ERRNO.ENOENT || (flags & NLM_F.CREATE) === 0) return entry;
    return create(table, asked, family, portId);
  }
  if ((flags & NLM_F.EXCL) !== 0) return ERRNO.EEXIST;
  return change(table, entry, asked, portId, now);
}

function create(table: ConntrackTable, asked: FlowAttributes, family: number, portId: number): number {
  const { originalTuple, replyTuple, timeout, status, mark, zone, protocolInfo } = asked;
  if (!originalTuple || !replyTuple || timeout === undefined) return ERRNO.EINVAL;
  if (checkTuple(replyTuple, family) !== 0 || replyTuple.protocol !== originalTuple.protocol)
    return ERRNO.EINVAL;
  if (status !== undefined && (status & FIXED_BITS) !== IPS.CONFIRMED) return ERRNO.EBUSY;
  const added = table.add(
    {
      originalTuple: originalTuple as CompleteTuple,
      replyTuple: replyTuple as CompleteTuple,
      status: (status ?? 0) | IPS.CONFIRMED,
      lifeMs: Math.min(timeout, LONGEST_TIMEOUT) * 1000,
      ...(zone !== undefined && { zone }),
      ...(mark !== undefined && { mark }),
      ...(protocolInfo && { protocolInfo }),
    },
    portId,
  );
  return added ? 0 : ERRNO.EEXIST;
}

function change(
  table: ConntrackTable,
  entry: ConntrackEntry,
  { mark, markMask = 0xffffffff, status, timeout, protocolInfo }: FlowAttributes,
  portId: number,
  now: number,
): number {
  if (status !== undefined) {
    const changed = status ^ entry.status;
    const isCleared = (changed & (IPS.SEEN_REPLY | IPS.ASSURED) & entry.status) !== 0;
    if ((changed & FIXED_BITS) !== 0 || isCleared) return ERRNO.EBUSY;
    entry.status |= status & (IPS.SEEN_REPLY | IPS.ASSURED | IPS.FIXED_TIMEOUT);
  }
  if (timeout !== undefined) entry.expiresAt = now + Math.min(timeout, LONGEST_TIMEOUT) * 1000;
  if (mark !== undefined) entry.mark = ((entry.mark & ~markMask) ^ mark) >>> 0;
  if (protocolInfo?.tcp && entry.protocolInfo)
    entry.protocolInfo = { tcp: { ...entry.protocolInfo.tcp, ...protocolInfo.tcp } };
  table.changed(entry, portId);
  return 0;
}
