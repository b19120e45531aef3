import { payloadIn } from '../../nfnetlink/attribute.ts';
import { NFNL_SUBSYS, NLM_F } from '../../nfnetlink/constants.ts';
import { EncodeError } from '../../nfnetlink/errors.ts';
import { ATTRIBUTES_AT, encodeRequest, messageTypeOf } from '../../nfnetlink/message.ts';
import { flowAttributes } from '../attributes.ts';
import { CTA, IPCTNL_MSG_CT } from '../constants.ts';
import { encodeKey, type FlowKey } from '../flowKey.ts';
import { TupleView } from '../tupleView.ts';

/**
 * Deletes one flow, by its tuple, its zone and, where the key has one, its id. Marks and status are not
 * compared by the kernel. A key that is a whole Flow is the safest.
 *
 * Without a tuple this message would empty the whole table, so the bytes are read back before they are
 * handed out.
 * @throws EncodeError where the key does not name one flow.
 */
export function encodeDeleteFlow(key: FlowKey): Uint8Array {
  const { family, attributes } = encodeKey(key);
  const type = messageTypeOf(NFNL_SUBSYS.CTNETLINK, IPCTNL_MSG_CT.DELETE);
  const message = encodeRequest({ type, flags: NLM_F.REQUEST | NLM_F.ACK, family }, flowAttributes, {
    ...attributes,
    id: key.id,
  });
  if (!namesFlow(message)) throw new EncodeError('the message names no flow and would empty the table');
  return message;
}

/** Whether a message carries a tuple with addresses and a protocol. */
function namesFlow(message: Uint8Array): boolean {
  const whole = { start: ATTRIBUTES_AT, end: message.length };
  const tuple = payloadIn(message, whole, CTA.TUPLE_ORIG) ?? payloadIn(message, whole, CTA.TUPLE_REPLY);
  if (!tuple) return false;
  const data = new DataView(message.buffer, message.byteOffset, message.byteLength);
  return new TupleView().attach(message, data, tuple.start, tuple.end).isComplete;
}
