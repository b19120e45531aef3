import { flowAttributes } from '../../ctnetlink/attributes.ts';
import { IPCTNL_MSG_CT, IPS } from '../../ctnetlink/constants.ts';
import { tableStatisticsAttributes } from '../../ctnetlink/statisticsAttributes.ts';
import { plainRequest, protocolReply } from '../../ipset/attributes.ts';
import { IPSET_CMD, IPSET_PROTOCOL_MIN } from '../../ipset/constants.ts';
import { NFNL_SUBSYS, NLM_F } from '../../nfnetlink/constants.ts';
import { DecodeError } from '../../nfnetlink/errors.ts';
import { ATTRIBUTES_AT, encodeRequest, messageTypeOf } from '../../nfnetlink/message.ts';
import type { Requester } from '../../nfnetlink/requester.ts';

/** How many flows there are and may be. */
export interface TableSize {
  readonly entries: number;
  /** Zero where the kernel has no limit. */
  readonly maximum: number | undefined;
}

/** The newest and the oldest ipset protocol that the kernel speaks. */
export interface IpsetVersions {
  readonly protocol: number;
  readonly protocolMin: number;
}

/** IPCTNL_MSG_CT_GET_STATS. Kernels before 5.2 tell the entries alone. */
export async function askConntrack(requester: Requester): Promise<TableSize> {
  const type = messageTypeOf(NFNL_SUBSYS.CTNETLINK, IPCTNL_MSG_CT.GET_STATS);
  const request = encodeRequest({ type, flags: NLM_F.REQUEST | NLM_F.ACK }, tableStatisticsAttributes, {});
  const [size] = await requester.query(request, (bytes, start, end) =>
    tableStatisticsAttributes.decode(bytes, start + ATTRIBUTES_AT, end),
  );
  if (size?.entries === undefined)
    throw new DecodeError('the kernel did not say how many flows there are', 0);
  return { entries: size.entries, maximum: size.maxEntries };
}

/** IPSET_CMD_PROTOCOL, asked in the oldest protocol so that every kernel answers. */
export async function askIpset(requester: Requester): Promise<IpsetVersions> {
  const type = messageTypeOf(NFNL_SUBSYS.IPSET, IPSET_CMD.PROTOCOL);
  const request = encodeRequest({ type, flags: NLM_F.REQUEST | NLM_F.ACK }, plainRequest, {
    protocol: IPSET_PROTOCOL_MIN,
  });
  const [versions] = await requester.query(request, (bytes, start, end) =>
    protocolReply.decode(bytes, start + ATTRIBUTES_AT, end),
  );
  if (versions?.protocol === undefined) throw new DecodeError('the kernel did not say its ipset protocol', 0);
  return { protocol: versions.protocol, protocolMin: versions.protocolMin ?? versions.protocol };
}

/** Enough to notice what is odd, little enough to look at on any router. */
const MOST_ENTRIES = 20_000;

/**
 * Whether any flow is offloaded. The kernel filters the dump by status; one that cannot (before 5.15)
 * sends every flow, and then only the first are looked at: undefined when none of those is offloaded.
 */
export async function askOffload(requester: Requester): Promise<boolean | undefined> {
  const type = messageTypeOf(NFNL_SUBSYS.CTNETLINK, IPCTNL_MSG_CT.GET);
  const status = IPS.OFFLOAD;
  const request = encodeRequest({ type, flags: NLM_F.REQUEST | NLM_F.DUMP }, flowAttributes, {
    status,
    statusMask: status,
  });
  const statuses = requester.dump(request, (bytes, start, end) => {
    return flowAttributes.decode(bytes, start + ATTRIBUTES_AT, end).status ?? 0;
  });
  let seen = 0;
  for await (const found of statuses) {
    if ((found & IPS.OFFLOAD) !== 0) return true;
    if (++seen === MOST_ENTRIES) return undefined;
  }
  return false;
}

/** How many of the flows that were looked at have each mark. */
export interface MarkCounts {
  readonly counts: ReadonlyMap<number, number>;
  readonly seen: number;
  /** Whether that is the whole table. */
  readonly isWhole: boolean;
}

/** Counts the marks under the mask that are not `known`, in as many flows as are worth the time. */
export async function countMarks(
  requester: Requester,
  mask: number,
  known: ReadonlySet<number>,
): Promise<MarkCounts> {
  const type = messageTypeOf(NFNL_SUBSYS.CTNETLINK, IPCTNL_MSG_CT.GET);
  const request = encodeRequest({ type, flags: NLM_F.REQUEST | NLM_F.DUMP }, flowAttributes, {});
  const marks = requester.dump(request, (bytes, start, end) => {
    return flowAttributes.decode(bytes, start + ATTRIBUTES_AT, end).mark ?? 0;
  });
  const counts = new Map<number, number>();
  let seen = 0;
  for await (const mark of marks) {
    if (seen === MOST_ENTRIES) return { counts, seen, isWhole: false };
    seen++;
    const masked = (mark & mask) >>> 0;
    if (!known.has(masked)) counts.set(masked, (counts.get(masked) ?? 0) + 1);
  }
  return { counts, seen, isWhole: true };
}
