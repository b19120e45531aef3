import { AF, encodeRequest, messageTypeOf, NFNL_SUBSYS, NLM_F, type ValueOf } from '../nfnetlink/index.ts';
import { createRequest, elementRequest, plainRequest, twoNamesRequest } from './attributes.ts';
import { IPSET_CMD, IPSET_FLAG } from './constants.ts';

/**
 * The requests of ipset as whole messages, with the flags of ipset(8). The family in nfgenmsg means
 * nothing to ipset; ipset(8) writes IPv4.
 */
export function requestHeader(command: number, flags = 0) {
  return {
    type: messageTypeOf(NFNL_SUBSYS.IPSET, command),
    flags: NLM_F.REQUEST | NLM_F.ACK | flags,
    family: AF.INET,
  };
}

/** PROTOCOL, FLUSH, HEADER, GET_BYNAME or GET_BYINDEX. */
export function plainMessage(command: number, value: ValueOf<typeof plainRequest>): Uint8Array {
  return encodeRequest(requestHeader(command), plainRequest, value);
}

/** DESTROY of one set, or of all where no name is given. With `exist` a missing set is no error. */
export function destroyMessage(protocol: number, setName: string | undefined, exist: boolean): Uint8Array {
  const header = requestHeader(IPSET_CMD.DESTROY, exist ? 0 : NLM_F.EXCL);
  return encodeRequest(header, plainRequest, { protocol, setName });
}

/** What of each set a listing holds. */
export type ListScope = 'names' | 'headers' | 'elements';

const scopeFlags: Readonly<Record<ListScope, number | undefined>> = {
  names: IPSET_FLAG.LIST_SETNAME,
  headers: IPSET_FLAG.LIST_HEADER,
  elements: undefined,
};

/** LIST or SAVE of one set, or of all where no name is given. */
export function listMessage(
  command: typeof IPSET_CMD.LIST | typeof IPSET_CMD.SAVE,
  protocol: number,
  setName: string | undefined,
  scope: ListScope,
): Uint8Array {
  const header = requestHeader(command, NLM_F.DUMP);
  return encodeRequest(header, plainRequest, { protocol, setName, flags: scopeFlags[scope] });
}

/** CREATE. With `exist` an equal set is no error. */
export function createMessage(value: ValueOf<typeof createRequest>, exist: boolean): Uint8Array {
  const header = requestHeader(IPSET_CMD.CREATE, NLM_F.CREATE | (exist ? 0 : NLM_F.EXCL));
  return encodeRequest(header, createRequest, value);
}

/** TYPE: which revisions of a set type the kernel has. */
export function typeMessage(protocol: number, typeName: string, family: number): Uint8Array {
  return encodeRequest(requestHeader(IPSET_CMD.TYPE), createRequest, { protocol, typeName, family });
}

/** RENAME or SWAP. */
export function twoNamesMessage(
  command: typeof IPSET_CMD.RENAME | typeof IPSET_CMD.SWAP,
  value: ValueOf<typeof twoNamesRequest>,
): Uint8Array {
  return encodeRequest(requestHeader(command), twoNamesRequest, value);
}

export type ElementCommand = typeof IPSET_CMD.ADD | typeof IPSET_CMD.DEL | typeof IPSET_CMD.TEST;

/** ADD, DEL or TEST. With `exist` an element that is there already (ADD) or missing (DEL) is no error. */
export function elementMessage(
  command: ElementCommand,
  value: ValueOf<typeof elementRequest>,
  exist: boolean,
): Uint8Array {
  const excl = command === IPSET_CMD.TEST || exist ? 0 : NLM_F.EXCL;
  return encodeRequest(requestHeader(command, excl), elementRequest, value);
}
