import { AF, NFNL_SUBSYS, NLM_F } from '../../nfnetlink/constants.ts';
import { EncodeError } from '../../nfnetlink/errors.ts';
import { encodeRequest, messageTypeOf } from '../../nfnetlink/message.ts';
import { flowAttributes } from '../attributes.ts';
import { IPCTNL_MSG_CT } from '../constants.ts';

/**
 * EMPTIES the connection tracking table of the network namespace: every flow of every zone is deleted.
 * @param family AF.INET or AF.INET6 to empty one family alone; a kernel older than 5.3 does not know the
 * difference and empties both. Source: ctnetlink_del_conntrack().
 */
export function encodeFlushTable(family: number = AF.UNSPEC): Uint8Array {
  if (family !== AF.UNSPEC && family !== AF.INET && family !== AF.INET6) {
    throw new EncodeError(`${String(family)} is none of AF.UNSPEC, AF.INET and AF.INET6`, 'family');
  }
  const type = messageTypeOf(NFNL_SUBSYS.CTNETLINK, IPCTNL_MSG_CT.DELETE);
  // the kernel looks at the family only where nfgenmsg.version is not 0
  const version = family === AF.UNSPEC ? 0 : 1;
  return encodeRequest({ type, flags: NLM_F.REQUEST | NLM_F.ACK, family, version }, flowAttributes, {});
}
