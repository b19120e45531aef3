import * as layout from 'buffer-layout';
import { hostIsLittleEndian } from './bytes.ts';

/**
 * The fixed structures, declared field by field under their kernel names. They serve readable output and
 * are the oracle of the hand-written readers in message.ts, which the hot path uses.
 */
const hostU16 = hostIsLittleEndian ? layout.u16 : layout.u16be;
const hostU32 = hostIsLittleEndian ? layout.u32 : layout.u32be;
const hostS32 = hostIsLittleEndian ? layout.s32 : layout.s32be;

export interface NlMsgHdr {
  readonly nlmsg_len: number;
  readonly nlmsg_type: number;
  readonly nlmsg_flags: number;
  readonly nlmsg_seq: number;
  readonly nlmsg_pid: number;
}

export interface NfGenMsg {
  readonly family: number;
  readonly version: number;
  readonly res_id: number;
}

const nlmsghdr = layout.struct([
  hostU32('nlmsg_len'),
  hostU16('nlmsg_type'),
  hostU16('nlmsg_flags'),
  hostU32('nlmsg_seq'),
  hostU32('nlmsg_pid'),
]);

// nfgenmsg.res_id is the one field in network order
const nfgenmsg = layout.struct([layout.u8('family'), layout.u8('version'), layout.u16be('res_id')]);

const nlmsgerr = layout.struct([hostS32('error')]);

/** struct nlmsghdr (include/uapi/linux/netlink.h) at `offset`; sixteen bytes in host order. */
export function decodeNlMsgHdr(bytes: Uint8Array, offset: number): NlMsgHdr {
  return nlmsghdr.decode(asBuffer(bytes), offset) as unknown as NlMsgHdr;
}

/** struct nfgenmsg (include/uapi/linux/netfilter/nfnetlink.h) at `offset`; four bytes. */
export function decodeNfGenMsg(bytes: Uint8Array, offset: number): NfGenMsg {
  return nfgenmsg.decode(asBuffer(bytes), offset) as unknown as NfGenMsg;
}

/** The error of struct nlmsgerr at `offset`: zero or a negative errno. */
export function decodeNlMsgErr(bytes: Uint8Array, offset: number): number {
  return (nlmsgerr.decode(asBuffer(bytes), offset) as unknown as { error: number }).error;
}

export function encodeNlMsgHdr(header: NlMsgHdr, bytes: Uint8Array, offset: number): void {
  nlmsghdr.encode(header as never, asBuffer(bytes), offset);
}

export function encodeNfGenMsg(header: NfGenMsg, bytes: Uint8Array, offset: number): void {
  nfgenmsg.encode(header as never, asBuffer(bytes), offset);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
