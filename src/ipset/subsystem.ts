import { type MessageShape, type NestCodec, NFNL_SUBSYS, NLM_F, type Subsystem } from '../nfnetlink/index.ts';
import {
  createRequest,
  elementRequest,
  plainRequest,
  protocolReply,
  setReply,
  twoNamesRequest,
} from './attributes.ts';
import { IPSET_CMD } from './constants.ts';
import { describeErrno } from './errno.ts';

const requestTables: Readonly<Record<keyof typeof IPSET_CMD, NestCodec<unknown>>> = {
  PROTOCOL: plainRequest,
  CREATE: createRequest,
  DESTROY: plainRequest,
  FLUSH: plainRequest,
  RENAME: twoNamesRequest,
  SWAP: twoNamesRequest,
  LIST: plainRequest,
  SAVE: plainRequest,
  ADD: elementRequest,
  DEL: elementRequest,
  TEST: elementRequest,
  HEADER: plainRequest,
  TYPE: createRequest,
  GET_BYNAME: plainRequest,
  GET_BYINDEX: plainRequest,
};

const requests: (MessageShape | undefined)[] = [];
const replies: (MessageShape | undefined)[] = [];
for (const [key, command] of Object.entries(IPSET_CMD) as [keyof typeof IPSET_CMD, number][]) {
  const name = `IPSET_CMD_${key}`;
  requests[command] = { name, attributes: requestTables[key] };
  replies[command] = { name, attributes: command === IPSET_CMD.PROTOCOL ? protocolReply : setReply };
}

/** ipset as a source of names: the tables of its requests and replies, and its errnos. */
export const ipset: Subsystem = {
  id: NFNL_SUBSYS.IPSET,
  shapeOf: (command, flags) => ((flags & NLM_F.REQUEST) !== 0 ? requests : replies)[command],
  describeErrno: (errno, command) => describeErrno(errno, command),
};
