import { CTA_FILTER_FLAG, type FlowAttributes, IPPROTO, type Tuple } from '../ctnetlink/index.ts';
import { AF, ERRNO } from '../nfnetlink/index.ts';
import type { ConntrackEntry } from './conntrackEntry.ts';

/** The comparisons that the model makes: those of addresses, the protocol and ports. */
const KNOWN =
  CTA_FILTER_FLAG.IP_SRC |
  CTA_FILTER_FLAG.IP_DST |
  CTA_FILTER_FLAG.PROTO_NUM |
  CTA_FILTER_FLAG.PROTO_SRC_PORT |
  CTA_FILTER_FLAG.PROTO_DST_PORT;
const PORTS = CTA_FILTER_FLAG.PROTO_SRC_PORT | CTA_FILTER_FLAG.PROTO_DST_PORT;

/** Which entries a dump lists or a flush deletes, or the errno of a filter that is none. */
export type EntryFilter = ((entry: ConntrackEntry) => boolean) | number;

/**
 * @param family of the request; AF.UNSPEC for both
 * Source: ctnetlink_alloc_filter() and ctnetlink_filter_match() in net/netfilter/nf_conntrack_netlink.c.
 */
export function entryFilter(request: FlowAttributes, family: number): EntryFilter {
  const { mark, markMask = 0xffffffff, status, statusMask = status, zone, filter } = request;
  const { originalFlags = 0, replyFlags = 0 } = filter ?? {};
  if (status !== undefined && statusMask === 0) return ERRNO.EINVAL;
  if (filter) {
    if (family !== AF.INET && family !== AF.INET6) return ERRNO.EOPNOTSUPP;
    const refusal =
      checkDirection(originalFlags, request.originalTuple) ?? checkDirection(replyFlags, request.replyTuple);
    if (refusal !== undefined) return refusal;
  }
  return (entry) =>
    (family === AF.UNSPEC || entry.family === family) &&
    (mark === undefined || (entry.mark & markMask) >>> 0 === mark) &&
    (status === undefined || (entry.status & statusMask!) >>> 0 === status) &&
    (zone === undefined || zoneOf(entry) === zone) &&
    matches(originalFlags, request.originalTuple, entry.originalTuple, entry.family) &&
    matches(replyFlags, request.replyTuple, entry.replyTuple, entry.family);
}

function zoneOf({ zone, originalTuple }: ConntrackEntry): number {
  return zone || (originalTuple.zone ?? 0);
}

function checkDirection(flags: number, tuple: Tuple | undefined): number | undefined {
  if (flags === 0) return undefined;
  if ((flags & ~KNOWN) !== 0 || !tuple) return ERRNO.EINVAL;
  const wantsProtocol = (flags & (CTA_FILTER_FLAG.PROTO_NUM | PORTS)) !== 0;
  return wantsProtocol && (flags & CTA_FILTER_FLAG.PROTO_NUM) === 0 ? ERRNO.EINVAL : undefined;
}

function matches(flags: number, wanted: Tuple | undefined, tuple: Tuple, family: number): boolean {
  if (flags === 0 || !wanted) return true;
  const isWanted = (flag: number) => (flags & flag) !== 0;
  // ctnetlink_filter_match_tuple() compares IPv6 addresses the wrong way round
  const isEqual = (a: unknown, b: unknown) => (a === b) === (family === AF.INET);
  if (isWanted(CTA_FILTER_FLAG.IP_SRC) && !isEqual(wanted.source, tuple.source)) return false;
  if (isWanted(CTA_FILTER_FLAG.IP_DST) && !isEqual(wanted.destination, tuple.destination)) return false;
  if (isWanted(CTA_FILTER_FLAG.PROTO_NUM) && wanted.protocol !== tuple.protocol) return false;
  if (tuple.protocol !== IPPROTO.TCP && tuple.protocol !== IPPROTO.UDP) return true;
  if (isWanted(CTA_FILTER_FLAG.PROTO_SRC_PORT) && wanted.sourcePort !== tuple.sourcePort) return false;
  return !isWanted(CTA_FILTER_FLAG.PROTO_DST_PORT) || wanted.destinationPort === tuple.destinationPort;
}
