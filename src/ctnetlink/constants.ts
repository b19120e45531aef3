/**
 * Kernel names and numbers of connection tracking.
 * Sources: include/uapi/linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h, nf_conntrack_tcp.h and
 * nf_conntrack_sctp.h (Linux 6.18); the filter flags from net/netfilter/nf_internals.h.
 */

/** Commands of NFNL_SUBSYS.CTNETLINK: enum cntl_msg_types. Entries in answers carry NEW whatever was asked. */
export const IPCTNL_MSG_CT = {
  NEW: 0,
  GET: 1,
  DELETE: 2,
  GET_CTRZERO: 3,
  GET_STATS_CPU: 4,
  GET_STATS: 5,
  GET_DYING: 6,
  GET_UNCONFIRMED: 7,
} as const;

/** Commands of NFNL_SUBSYS.CTNETLINK_EXP: enum ctnl_exp_msg_types. */
export const IPCTNL_MSG_EXP = { NEW: 0, GET: 1, DELETE: 2, GET_STATS_CPU: 3 } as const;

/** Attributes of a flow: enum ctattr_type. */
export const CTA = {
  TUPLE_ORIG: 1,
  TUPLE_REPLY: 2,
  STATUS: 3,
  PROTOINFO: 4,
  HELP: 5,
  NAT_SRC: 6,
  TIMEOUT: 7,
  MARK: 8,
  COUNTERS_ORIG: 9,
  COUNTERS_REPLY: 10,
  USE: 11,
  ID: 12,
  NAT_DST: 13,
  TUPLE_MASTER: 14,
  SEQ_ADJ_ORIG: 15,
  SEQ_ADJ_REPLY: 16,
  SECMARK: 17,
  ZONE: 18,
  SECCTX: 19,
  TIMESTAMP: 20,
  MARK_MASK: 21,
  LABELS: 22,
  LABELS_MASK: 23,
  SYNPROXY: 24,
  FILTER: 25,
  STATUS_MASK: 26,
  TIMESTAMP_EVENT: 27,
} as const;

/** enum ctattr_tuple. */
export const CTA_TUPLE = { IP: 1, PROTO: 2, ZONE: 3 } as const;

/** enum ctattr_ip. */
export const CTA_IP = { V4_SRC: 1, V4_DST: 2, V6_SRC: 3, V6_DST: 4 } as const;

/** enum ctattr_l4proto. */
export const CTA_PROTO = {
  NUM: 1,
  SRC_PORT: 2,
  DST_PORT: 3,
  ICMP_ID: 4,
  ICMP_TYPE: 5,
  ICMP_CODE: 6,
  ICMPV6_ID: 7,
  ICMPV6_TYPE: 8,
  ICMPV6_CODE: 9,
} as const;

/** enum ctattr_protoinfo. */
export const CTA_PROTOINFO = { TCP: 1, DCCP: 2, SCTP: 3 } as const;

/** enum ctattr_protoinfo_tcp. */
export const CTA_PROTOINFO_TCP = {
  STATE: 1,
  WSCALE_ORIGINAL: 2,
  WSCALE_REPLY: 3,
  FLAGS_ORIGINAL: 4,
  FLAGS_REPLY: 5,
} as const;

/** enum ctattr_protoinfo_dccp. Linux 6.18 tracks DCCP as a generic protocol and sends none. */
export const CTA_PROTOINFO_DCCP = { STATE: 1, ROLE: 2, HANDSHAKE_SEQ: 3, PAD: 4 } as const;

/** enum ctattr_protoinfo_sctp. */
export const CTA_PROTOINFO_SCTP = { STATE: 1, VTAG_ORIGINAL: 2, VTAG_REPLY: 3 } as const;

/** enum ctattr_counters, without its two unused 32-bit members. */
export const CTA_COUNTERS = { PACKETS: 1, BYTES: 2, PAD: 5 } as const;

/** enum ctattr_tstamp. */
export const CTA_TIMESTAMP = { START: 1, STOP: 2, PAD: 3 } as const;

/** enum ctattr_nat. */
export const CTA_NAT = { V4_MINIP: 1, V4_MAXIP: 2, PROTO: 3, V6_MINIP: 4, V6_MAXIP: 5 } as const;

/** enum ctattr_protonat. */
export const CTA_PROTONAT = { PORT_MIN: 1, PORT_MAX: 2 } as const;

/** enum ctattr_seqadj. */
export const CTA_SEQADJ = { CORRECTION_POS: 1, OFFSET_BEFORE: 2, OFFSET_AFTER: 3 } as const;

/** enum ctattr_synproxy. */
export const CTA_SYNPROXY = { ISN: 1, ITS: 2, TSOFF: 3 } as const;

/** enum ctattr_help. */
export const CTA_HELP = { NAME: 1, INFO: 2 } as const;

/** enum ctattr_secctx. */
export const CTA_SECCTX = { NAME: 1 } as const;

/** enum ctattr_filter. */
export const CTA_FILTER = { ORIG_FLAGS: 1, REPLY_FLAGS: 2 } as const;

/** Which parts of a tuple CTA_FILTER compares: CTA_FILTER_F_* in nf_internals.h; words in host order. */
export const CTA_FILTER_FLAG = {
  IP_SRC: 0x1,
  IP_DST: 0x2,
  TUPLE_ZONE: 0x4,
  PROTO_NUM: 0x8,
  PROTO_SRC_PORT: 0x10,
  PROTO_DST_PORT: 0x20,
  PROTO_ICMP_TYPE: 0x40,
  PROTO_ICMP_CODE: 0x80,
  PROTO_ICMP_ID: 0x100,
  PROTO_ICMPV6_TYPE: 0x200,
  PROTO_ICMPV6_CODE: 0x400,
  PROTO_ICMPV6_ID: 0x800,
} as const;

/** Attributes of an expectation: enum ctattr_expect. */
export const CTA_EXPECT = {
  MASTER: 1,
  TUPLE: 2,
  MASK: 3,
  TIMEOUT: 4,
  ID: 5,
  HELP_NAME: 6,
  ZONE: 7,
  FLAGS: 8,
  CLASS: 9,
  NAT: 10,
  FN: 11,
} as const;

/** enum ctattr_expect_nat. */
export const CTA_EXPECT_NAT = { DIR: 1, TUPLE: 2 } as const;

/** NF_CT_EXPECT_* in nf_conntrack_common.h. */
export const NF_CT_EXPECT = { PERMANENT: 0x1, INACTIVE: 0x2, USERSPACE: 0x4 } as const;

/** Statistics of one CPU: enum ctattr_stats_cpu. */
export const CTA_STATS = {
  SEARCHED: 1,
  FOUND: 2,
  NEW: 3,
  INVALID: 4,
  IGNORE: 5,
  DELETE: 6,
  DELETE_LIST: 7,
  INSERT: 8,
  INSERT_FAILED: 9,
  DROP: 10,
  EARLY_DROP: 11,
  ERROR: 12,
  SEARCH_RESTART: 13,
  CLASH_RESOLVE: 14,
  CHAIN_TOOLONG: 15,
} as const;

/** enum ctattr_stats_global. */
export const CTA_STATS_GLOBAL = { ENTRIES: 1, MAX_ENTRIES: 2 } as const;

/** enum ctattr_expect_stats. */
export const CTA_STATS_EXP = { NEW: 1, CREATE: 2, DELETE: 3 } as const;

/** Status bits of a flow: enum ip_conntrack_status. */
export const IPS = {
  EXPECTED: 0x1,
  SEEN_REPLY: 0x2,
  ASSURED: 0x4,
  CONFIRMED: 0x8,
  SRC_NAT: 0x10,
  DST_NAT: 0x20,
  SEQ_ADJUST: 0x40,
  SRC_NAT_DONE: 0x80,
  DST_NAT_DONE: 0x100,
  DYING: 0x200,
  FIXED_TIMEOUT: 0x400,
  TEMPLATE: 0x800,
  UNTRACKED: 0x1000,
  HELPER: 0x2000,
  OFFLOAD: 0x4000,
  HW_OFFLOAD: 0x8000,
} as const;

/** enum tcp_conntrack. */
export const TCP_CONNTRACK = {
  NONE: 0,
  SYN_SENT: 1,
  SYN_RECV: 2,
  ESTABLISHED: 3,
  FIN_WAIT: 4,
  CLOSE_WAIT: 5,
  LAST_ACK: 6,
  TIME_WAIT: 7,
  CLOSE: 8,
  SYN_SENT2: 9,
} as const;

/** IP_CT_TCP_FLAG_*, and the two flags of the same word that the header names otherwise. */
export const IP_CT_TCP_FLAG = {
  WINDOW_SCALE: 0x1,
  SACK_PERM: 0x2,
  CLOSE_INIT: 0x4,
  BE_LIBERAL: 0x8,
  DATA_UNACKNOWLEDGED: 0x10,
  MAXACK_SET: 0x20,
  EXP_CHALLENGE_ACK: 0x40,
  SIMULTANEOUS_OPEN: 0x80,
} as const;

/** enum sctp_conntrack. */
export const SCTP_CONNTRACK = {
  NONE: 0,
  CLOSED: 1,
  COOKIE_WAIT: 2,
  COOKIE_ECHOED: 3,
  ESTABLISHED: 4,
  SHUTDOWN_SENT: 5,
  SHUTDOWN_RECD: 6,
  SHUTDOWN_ACK_SENT: 7,
  HEARTBEAT_SENT: 8,
} as const;

/** Transport protocols that connection tracking knows. Source: include/uapi/linux/in.h, in6.h. */
export const IPPROTO = {
  ICMP: 1,
  TCP: 6,
  UDP: 17,
  DCCP: 33,
  GRE: 47,
  ICMPV6: 58,
  SCTP: 132,
  UDPLITE: 136,
} as const;
