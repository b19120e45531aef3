import { flowAttributes } from '../../ctnetlink/attributes.ts';
import { IPCTNL_MSG_CT, IPS } from '../../ctnetlink/constants.ts';
import { NFNL_SUBSYS, NLM_F } from '../../nfnetlink/constants.ts';
import { encodeRequest, messageTypeOf } from '../../nfnetlink/message.ts';
import type { CommandLine } from './commandLine.ts';
import { completeDirections, natOf, protocolInfoOf, tupleOf } from './draft.ts';
import { refusalCode } from './refusal.ts';
import type { Session } from './session.ts';

/** The request of -I and -A. What makes a flow is left to the kernel to judge. */
export function encodeCreate(line: CommandLine): Uint8Array {
  const { draft, family, mark, status } = line;
  completeDirections(draft);
  const type = messageTypeOf(NFNL_SUBSYS.CTNETLINK, IPCTNL_MSG_CT.NEW);
  const flags = NLM_F.REQUEST | NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL;
  return encodeRequest({ type, flags, family }, flowAttributes, {
    originalTuple: tupleOf(draft, 'original'),
    replyTuple: tupleOf(draft, 'reply'),
    status: status && (status.set | IPS.CONFIRMED) >>> 0,
    timeout: draft.timeout,
    mark: mark?.value,
    protocolInfo: protocolInfoOf(draft),
    sourceNat: natOf(draft.sourceNat),
    destinationNat: natOf(draft.destinationNat),
    zone: draft.zone,
    labels: line.labelChange,
  });
}

/** -I and -A: makes a flow and returns 1; -A returns 0 where it exists. */
export async function createFlow(line: CommandLine, session: Session): Promise<number> {
  const requester = await session.questions;
  try {
    await requester.acknowledge(encodeCreate(line));
    return 1;
  } catch (error) {
    if (line.command === 'add' && refusalCode(error) === 'EEXIST') return 0;
    throw error;
  }
}
