import { attr, attrs, type Codec } from '../nfnetlink/codec.ts';
import { DecodeError } from '../nfnetlink/errors.ts';
import { bytes, ipv4, ipv6, s32be, text, u8, u16be, u32be, u32host, u64be } from '../nfnetlink/scalar.ts';
import {
  CTA,
  CTA_COUNTERS,
  CTA_FILTER,
  CTA_HELP,
  CTA_NAT,
  CTA_PROTOINFO,
  CTA_PROTOINFO_DCCP,
  CTA_PROTOINFO_SCTP,
  CTA_PROTOINFO_TCP,
  CTA_PROTONAT,
  CTA_SECCTX,
  CTA_SEQADJ,
  CTA_SYNPROXY,
  CTA_TIMESTAMP,
} from './constants.ts';
import { tupleCodec } from './tuple.ts';

/** TCP flags of one direction (IP_CT_TCP_FLAG); in requests `mask` says which of them to change. */
export interface TcpFlags {
  readonly flags: number;
  readonly mask: number;
}

/** struct nf_ct_tcp_flags: two bytes. */
export const tcpFlags: Codec<TcpFlags> = {
  format: 'tcpflags',
  byteLength: ({ flags, mask }) => u8.byteLength(flags) + u8.byteLength(mask),
  encode({ flags, mask }, target, offset) {
    target[offset] = flags;
    target[offset + 1] = mask;
  },
  decode(source, start, end) {
    if (end - start < 2) throw new DecodeError(`${end - start} bytes where tcpflags needs 2`, start);
    return { flags: source[start]!, mask: source[start + 1]! };
  },
};

export const tcpInfoAttributes = attrs('CTA_PROTOINFO_TCP', CTA_PROTOINFO_TCP, {
  /** TCP_CONNTRACK. */
  state: attr(CTA_PROTOINFO_TCP.STATE, u8),
  windowScaleOriginal: attr(CTA_PROTOINFO_TCP.WSCALE_ORIGINAL, u8),
  windowScaleReply: attr(CTA_PROTOINFO_TCP.WSCALE_REPLY, u8),
  flagsOriginal: attr(CTA_PROTOINFO_TCP.FLAGS_ORIGINAL, tcpFlags),
  flagsReply: attr(CTA_PROTOINFO_TCP.FLAGS_REPLY, tcpFlags),
});

export const dccpInfoAttributes = attrs('CTA_PROTOINFO_DCCP', CTA_PROTOINFO_DCCP, {
  state: attr(CTA_PROTOINFO_DCCP.STATE, u8),
  role: attr(CTA_PROTOINFO_DCCP.ROLE, u8),
  handshakeSequence: attr(CTA_PROTOINFO_DCCP.HANDSHAKE_SEQ, u64be),
});

export const sctpInfoAttributes = attrs('CTA_PROTOINFO_SCTP', CTA_PROTOINFO_SCTP, {
  /** SCTP_CONNTRACK. */
  state: attr(CTA_PROTOINFO_SCTP.STATE, u8),
  verificationTagOriginal: attr(CTA_PROTOINFO_SCTP.VTAG_ORIGINAL, u32be),
  verificationTagReply: attr(CTA_PROTOINFO_SCTP.VTAG_REPLY, u32be),
});

export const protocolInfoAttributes = attrs('CTA_PROTOINFO', CTA_PROTOINFO, {
  tcp: attr(CTA_PROTOINFO.TCP, tcpInfoAttributes),
  dccp: attr(CTA_PROTOINFO.DCCP, dccpInfoAttributes),
  sctp: attr(CTA_PROTOINFO.SCTP, sctpInfoAttributes),
});

export const helperAttributes = attrs('CTA_HELP', CTA_HELP, {
  /** NF_CT_HELPER_NAME_LEN is 16 with the zero. */
  name: attr(CTA_HELP.NAME, text(15)),
  /** Private data of a helper; the kernel's own have none to show. */
  info: attr(CTA_HELP.INFO, bytes()),
});

export const natPortAttributes = attrs('CTA_PROTONAT', CTA_PROTONAT, {
  minPort: attr(CTA_PROTONAT.PORT_MIN, u16be),
  maxPort: attr(CTA_PROTONAT.PORT_MAX, u16be),
});

/** Only for making flows: the kernel tells a flow's translation by its reply tuple and status. */
export const natAttributes = attrs('CTA_NAT', CTA_NAT, {
  minIpv4: attr(CTA_NAT.V4_MINIP, ipv4),
  maxIpv4: attr(CTA_NAT.V4_MAXIP, ipv4),
  ports: attr(CTA_NAT.PROTO, natPortAttributes),
  minIpv6: attr(CTA_NAT.V6_MINIP, ipv6),
  maxIpv6: attr(CTA_NAT.V6_MAXIP, ipv6),
});

export const countersAttributes = attrs('CTA_COUNTERS', CTA_COUNTERS, {
  packets: attr(CTA_COUNTERS.PACKETS, u64be),
  bytes: attr(CTA_COUNTERS.BYTES, u64be),
});

/** Nanoseconds since 1970. */
export const timestampAttributes = attrs('CTA_TIMESTAMP', CTA_TIMESTAMP, {
  start: attr(CTA_TIMESTAMP.START, u64be),
  stop: attr(CTA_TIMESTAMP.STOP, u64be),
});

/** By how much a helper's edits have moved the TCP sequence numbers of one direction. */
export const sequenceAdjustmentAttributes = attrs('CTA_SEQADJ', CTA_SEQADJ, {
  correctionPosition: attr(CTA_SEQADJ.CORRECTION_POS, u32be),
  offsetBefore: attr(CTA_SEQADJ.OFFSET_BEFORE, s32be),
  offsetAfter: attr(CTA_SEQADJ.OFFSET_AFTER, s32be),
});

export const synproxyAttributes = attrs('CTA_SYNPROXY', CTA_SYNPROXY, {
  /** Initial sequence number. */
  isn: attr(CTA_SYNPROXY.ISN, u32be),
  /** Initial timestamp. */
  its: attr(CTA_SYNPROXY.ITS, u32be),
  timestampOffset: attr(CTA_SYNPROXY.TSOFF, u32be),
});

export const securityContextAttributes = attrs('CTA_SECCTX', CTA_SECCTX, {
  name: attr(CTA_SECCTX.NAME, text()),
});

/** Which parts of the tuples a dump or a flush compares (CTA_FILTER_FLAG); the only words in host order. */
export const filterAttributes = attrs('CTA_FILTER', CTA_FILTER, {
  originalFlags: attr(CTA_FILTER.ORIG_FLAGS, u32host),
  replyFlags: attr(CTA_FILTER.REPLY_FLAGS, u32host),
});

/**
 * Everything that a message about a flow may carry, in both directions of the conversation; in the order
 * in which requests are written.
 */
export const flowAttributes = attrs('CTA', CTA, {
  filter: attr(CTA.FILTER, filterAttributes),
  originalTuple: attr(CTA.TUPLE_ORIG, tupleCodec),
  replyTuple: attr(CTA.TUPLE_REPLY, tupleCodec),
  masterTuple: attr(CTA.TUPLE_MASTER, tupleCodec),
  timeout: attr(CTA.TIMEOUT, u32be),
  status: attr(CTA.STATUS, u32be),
  statusMask: attr(CTA.STATUS_MASK, u32be),
  protocolInfo: attr(CTA.PROTOINFO, protocolInfoAttributes),
  mark: attr(CTA.MARK, u32be),
  markMask: attr(CTA.MARK_MASK, u32be),
  zone: attr(CTA.ZONE, u16be),
  id: attr(CTA.ID, u32be),
  use: attr(CTA.USE, u32be),
  helper: attr(CTA.HELP, helperAttributes),
  sourceNat: attr(CTA.NAT_SRC, natAttributes),
  destinationNat: attr(CTA.NAT_DST, natAttributes),
  originalCounters: attr(CTA.COUNTERS_ORIG, countersAttributes),
  replyCounters: attr(CTA.COUNTERS_REPLY, countersAttributes),
  timestamps: attr(CTA.TIMESTAMP, timestampAttributes),
  originalSequenceAdjustment: attr(CTA.SEQ_ADJ_ORIG, sequenceAdjustmentAttributes),
  replySequenceAdjustment: attr(CTA.SEQ_ADJ_REPLY, sequenceAdjustmentAttributes),
  synproxy: attr(CTA.SYNPROXY, synproxyAttributes),
  labels: attr(CTA.LABELS, bytes()),
  labelsMask: attr(CTA.LABELS_MASK, bytes()),
  securityMark: attr(CTA.SECMARK, u32be),
  securityContext: attr(CTA.SECCTX, securityContextAttributes),
  eventTimestamp: attr(CTA.TIMESTAMP_EVENT, u64be),
});
