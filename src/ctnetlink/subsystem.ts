import type { NestCodec } from '../nfnetlink/codec.ts';
import { NFNL_SUBSYS, NLM_F } from '../nfnetlink/constants.ts';
import type { MessageShape, Subsystem } from '../nfnetlink/subsystem.ts';
import { flowAttributes } from './attributes.ts';
import { IPCTNL_MSG_CT, IPCTNL_MSG_EXP } from './constants.ts';
import { expectationAttributes } from './expectationAttributes.ts';
import { expectationRefusal, flowRefusal } from './refusal.ts';
import {
  cpuStatisticsAttributes,
  expectationStatisticsAttributes,
  tableStatisticsAttributes,
} from './statisticsAttributes.ts';

function shapes(
  prefix: string,
  commands: Readonly<Record<string, number>>,
  tableOf: (command: number) => NestCodec<unknown>,
): readonly MessageShape[] {
  const list: MessageShape[] = [];
  for (const [name, command] of Object.entries(commands)) {
    list[command] = { name: `${prefix}_${name}`, attributes: tableOf(command) };
  }
  return list;
}

const flowShapes = shapes('IPCTNL_MSG_CT', IPCTNL_MSG_CT, (command) => {
  if (command === IPCTNL_MSG_CT.GET_STATS_CPU) return cpuStatisticsAttributes;
  if (command === IPCTNL_MSG_CT.GET_STATS) return tableStatisticsAttributes;
  return flowAttributes;
});

const expectationShapes = shapes('IPCTNL_MSG_EXP', IPCTNL_MSG_EXP, (command) =>
  command === IPCTNL_MSG_EXP.GET_STATS_CPU ? expectationStatisticsAttributes : expectationAttributes,
);

// ctnetlink_exp_stat_fill_info() answers with the number of the other subsystem; no flow is ever sent
// under GET_CTRZERO, so the answer can be told from the request by NLM_F_REQUEST alone
const misnamedStatistics: MessageShape = {
  name: 'EXP_GET_STATS_CPU reply (kernel quirk: nlmsg_type says subsystem 1, cmd 3)',
  attributes: expectationStatisticsAttributes,
};

/** The flows of connection tracking as a source of names. */
export const ctnetlink: Subsystem = {
  id: NFNL_SUBSYS.CTNETLINK,
  shapeOf(command, flags) {
    const isRequest = (flags & NLM_F.REQUEST) !== 0;
    return command === IPCTNL_MSG_CT.GET_CTRZERO && !isRequest ? misnamedStatistics : flowShapes[command];
  },
  describeErrno: flowRefusal,
};

/** The expectations of connection tracking as a source of names. */
export const ctnetlinkExp: Subsystem = {
  id: NFNL_SUBSYS.CTNETLINK_EXP,
  shapeOf: (command) => expectationShapes[command],
  describeErrno: expectationRefusal,
};
