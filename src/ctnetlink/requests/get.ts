import { NFNL_SUBSYS, NLM_F } from '../../nfnetlink/constants.ts';
import { encodeRequest, messageTypeOf } from '../../nfnetlink/message.ts';
import { flowAttributes } from '../attributes.ts';
import { IPCTNL_MSG_CT } from '../constants.ts';
import { encodeKey, type FlowKey } from '../flowKey.ts';

/**
 * Asks for one flow. The kernel looks a tuple up in both directions, and does not compare the id.
 * @throws EncodeError where the key does not name one flow.
 */
export function encodeGetFlow(key: FlowKey): Uint8Array {
  return encodeLookup(key, IPCTNL_MSG_CT.GET);
}

/** Asks for one flow and sets its counters to 0. */
export function encodeGetFlowAndZero(key: FlowKey): Uint8Array {
  return encodeLookup(key, IPCTNL_MSG_CT.GET_CTRZERO);
}

function encodeLookup(key: FlowKey, command: number): Uint8Array {
  const { family, attributes } = encodeKey(key);
  const type = messageTypeOf(NFNL_SUBSYS.CTNETLINK, command);
  return encodeRequest({ type, flags: NLM_F.REQUEST | NLM_F.ACK, family }, flowAttributes, attributes);
}
