/**
 * Kernel names and numbers of netlink and nfnetlink.
 * Sources: include/uapi/linux/netlink.h and include/uapi/linux/netfilter/nfnetlink.h (Linux 6.18).
 */

/** Message types below NLMSG_MIN_TYPE, which netlink itself answers. */
export const NLMSG = { NOOP: 1, ERROR: 2, DONE: 3, OVERRUN: 4 } as const;

/** Message flags. Those of GET, NEW and ACK share bits; the command says which apply. */
export const NLM_F = {
  REQUEST: 0x1,
  MULTI: 0x2,
  ACK: 0x4,
  ECHO: 0x8,
  DUMP_INTR: 0x10,
  DUMP_FILTERED: 0x20,
  ROOT: 0x100,
  MATCH: 0x200,
  DUMP: 0x300,
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
  APPEND: 0x800,
  CAPPED: 0x100,
  ACK_TLVS: 0x200,
} as const;

/** Attribute type: two flag bits and fourteen bits of number. */
export const NLA = { F_NESTED: 0x8000, F_NET_BYTEORDER: 0x4000, TYPE_MASK: 0x3fff } as const;

/** Attributes of NLMSG_ERROR and NLMSG_DONE; integers in host order. */
export const NLMSGERR_ATTR = { MSG: 1, OFFS: 2, COOKIE: 3, POLICY: 4, MISS_TYPE: 5, MISS_NEST: 6 } as const;

/** What a policy would have accepted (inside NLMSGERR_ATTR_POLICY); integers in host order. */
export const NL_POLICY_TYPE_ATTR = {
  TYPE: 1,
  MIN_VALUE_S: 2,
  MAX_VALUE_S: 3,
  MIN_VALUE_U: 4,
  MAX_VALUE_U: 5,
  MIN_LENGTH: 6,
  MAX_LENGTH: 7,
  POLICY_IDX: 8,
  POLICY_MAXTYPE: 9,
  BITFIELD32_MASK: 10,
  PAD: 11,
  MASK: 12,
} as const;

/** Netlink families: the third argument of socket(). */
export const NETLINK = { ROUTE: 0, NETFILTER: 12 } as const;

/** nfnetlink subsystems: the upper byte of a message type. */
export const NFNL_SUBSYS = {
  NONE: 0,
  CTNETLINK: 1,
  CTNETLINK_EXP: 2,
  QUEUE: 3,
  ULOG: 4,
  OSF: 5,
  IPSET: 6,
  ACCT: 7,
  CTNETLINK_TIMEOUT: 8,
  CTHELPER: 9,
  NFTABLES: 10,
  NFT_COMPAT: 11,
  HOOK: 12,
} as const;

/** Multicast groups, by the number that NETLINK_ADD_MEMBERSHIP takes. */
export const NFNLGRP = {
  CONNTRACK_NEW: 1,
  CONNTRACK_UPDATE: 2,
  CONNTRACK_DESTROY: 3,
  CONNTRACK_EXP_NEW: 4,
  CONNTRACK_EXP_UPDATE: 5,
  CONNTRACK_EXP_DESTROY: 6,
  NFTABLES: 7,
  ACCT_QUOTA: 8,
  NFTRACE: 9,
} as const;

/**
 * Refusals that callers tell apart: the positive errno of an acknowledgement. Subsystems add their own above
 * 4096. Source: include/uapi/asm-generic/errno-base.h and errno.h.
 */
export const ERRNO = {
  ENOENT: 2,
  EBUSY: 16,
  EEXIST: 17,
  EINVAL: 22,
  ERANGE: 34,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
} as const;

/** Address families of nfgenmsg.nfgen_family. Source: include/linux/socket.h. */
export const AF = { UNSPEC: 0, INET: 2, INET6: 10 } as const;
