import { NFNL_SUBSYS, NLM_F } from '../../nfnetlink/constants.ts';
import { encodeRequest, messageTypeOf, type RequestHeader } from '../../nfnetlink/message.ts';
import { flowAttributes } from '../attributes.ts';
import { IPCTNL_MSG_CT } from '../constants.ts';
import type { FlowAttributes } from '../flow.ts';
import { cpuStatisticsAttributes, tableStatisticsAttributes } from '../statisticsAttributes.ts';

function header(command: number, family = 0, flags: number = NLM_F.DUMP): RequestHeader {
  return {
    type: messageTypeOf(NFNL_SUBSYS.CTNETLINK, command),
    flags: NLM_F.REQUEST | flags,
    family,
  };
}

/**
 * Lists the table.
 * @param family AF.INET, AF.INET6, or AF.UNSPEC for both
 * @param filter the kernel's part of a filter: planFilter() makes it
 */
export function encodeListFlows(family = 0, filter: FlowAttributes = {}): Uint8Array {
  return encodeRequest(header(IPCTNL_MSG_CT.GET, family), flowAttributes, filter);
}

/** Lists the table and sets the counters of what is listed to 0. */
export function encodeListFlowsAndZero(family = 0): Uint8Array {
  return encodeRequest(header(IPCTNL_MSG_CT.GET_CTRZERO, family), flowAttributes, {});
}

/** Lists flows that were deleted and whose end some listener has yet to hear. */
export function encodeListDying(family = 0): Uint8Array {
  return encodeRequest(header(IPCTNL_MSG_CT.GET_DYING, family), flowAttributes, {});
}

/** Lists flows whose first packet has not left yet; since Linux 5.19 the kernel knows of none. */
export function encodeListUnconfirmed(family = 0): Uint8Array {
  return encodeRequest(header(IPCTNL_MSG_CT.GET_UNCONFIRMED, family), flowAttributes, {});
}

/** Asks how many flows there are and may be. */
export function encodeGetTableStatistics(): Uint8Array {
  return encodeRequest(header(IPCTNL_MSG_CT.GET_STATS, 0, NLM_F.ACK), tableStatisticsAttributes, {});
}

/** Lists the counters of each CPU. */
export function encodeListCpuStatistics(): Uint8Array {
  return encodeRequest(header(IPCTNL_MSG_CT.GET_STATS_CPU), cpuStatisticsAttributes, {});
}
