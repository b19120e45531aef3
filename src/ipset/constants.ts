/**
 * Kernel names and numbers of ipset.
 * Source: include/uapi/linux/netfilter/ipset/ip_set.h, ip_set_hash.h, ip_set_bitmap.h and ip_set_list.h
 * (Linux 6.18).
 */

/** The newest and the oldest protocol version that this library speaks. */
export const IPSET_PROTOCOL = 7;
export const IPSET_PROTOCOL_MIN = 6;

/** Bytes of a set's or a type's name with its terminating zero. */
export const IPSET_MAXNAMELEN = 32;
/** Bytes of a comment without its terminating zero. */
export const IPSET_MAX_COMMENT_SIZE = 255;
/** Bytes of an interface's name with its terminating zero. Source: include/uapi/linux/if.h. */
export const IFNAMSIZ = 16;
/** The index that no set has. */
export const IPSET_INVALID_ID = 65535;

/** enum ipset_cmd: the lower byte of the message type. */
export const IPSET_CMD = {
  PROTOCOL: 1,
  CREATE: 2,
  DESTROY: 3,
  FLUSH: 4,
  RENAME: 5,
  SWAP: 6,
  LIST: 7,
  SAVE: 8,
  ADD: 9,
  DEL: 10,
  TEST: 11,
  HEADER: 12,
  TYPE: 13,
  GET_BYNAME: 14,
  GET_BYINDEX: 15,
} as const;

/** Attributes at command level. SETNAME2 and REVISION_MIN share numbers with others, by command. */
export const IPSET_ATTR = {
  PROTOCOL: 1,
  SETNAME: 2,
  TYPENAME: 3,
  REVISION: 4,
  FAMILY: 5,
  FLAGS: 6,
  DATA: 7,
  ADT: 8,
  LINENO: 9,
  REVISION_MIN: 10,
  INDEX: 11,
} as const;

/** RENAME and SWAP: what number 3 is there. */
export const IPSET_ATTR_SETNAME2 = 3;
/** PROTOCOL: what number 10 is there. */
export const IPSET_ATTR_PROTOCOL_MIN = 10;

/** Attributes of elements and of create options alike, inside DATA. */
export const IPSET_ATTR_CADT = {
  IP: 1,
  IP_TO: 2,
  CIDR: 3,
  PORT: 4,
  PORT_TO: 5,
  TIMEOUT: 6,
  PROTO: 7,
  CADT_FLAGS: 8,
  LINENO: 9,
  MARK: 10,
  MARKMASK: 11,
  BITMASK: 12,
} as const;

/** Attributes of create options and of set headers only. */
export const IPSET_ATTR_CREATE = {
  INITVAL: 17,
  HASHSIZE: 18,
  MAXELEM: 19,
  NETMASK: 20,
  BUCKETSIZE: 21,
  RESIZE: 22,
  SIZE: 23,
  ELEMENTS: 24,
  REFERENCES: 25,
  MEMSIZE: 26,
} as const;

/** Attributes of elements only. */
export const IPSET_ATTR_ADT = {
  ETHER: 17,
  NAME: 18,
  NAMEREF: 19,
  IP2: 20,
  CIDR2: 21,
  IP2_TO: 22,
  IFACE: 23,
  BYTES: 24,
  PACKETS: 25,
  COMMENT: 26,
  SKBMARK: 27,
  SKBPRIO: 28,
  SKBQUEUE: 29,
  PAD: 30,
} as const;

/** Inside IP, IP_TO, IP2, IP2_TO and BITMASK. */
export const IPSET_ATTR_IPADDR = { IPV4: 1, IPV6: 2 } as const;

/** enum ipset_cmd_flags: IPSET_ATTR_FLAGS of LIST. */
export const IPSET_FLAG = { EXIST: 0x1, LIST_SETNAME: 0x2, LIST_HEADER: 0x4 } as const;

/** enum ipset_cadt_flags: IPSET_ATTR_CADT_FLAGS. */
export const IPSET_CADT_FLAG = {
  BEFORE: 0x1,
  PHYSDEV: 0x2,
  NOMATCH: 0x4,
  WITH_COUNTERS: 0x8,
  WITH_COMMENT: 0x10,
  WITH_FORCEADD: 0x20,
  WITH_SKBINFO: 0x40,
  IFACE_WILDCARD: 0x80,
} as const;

/** enum ipset_errno: the errno of a refusal, above those of errno.h. */
export const IPSET_ERR = {
  PRIVATE: 4096,
  PROTOCOL: 4097,
  FIND_TYPE: 4098,
  MAX_SETS: 4099,
  BUSY: 4100,
  EXIST_SETNAME2: 4101,
  TYPE_MISMATCH: 4102,
  EXIST: 4103,
  INVALID_CIDR: 4104,
  INVALID_NETMASK: 4105,
  INVALID_FAMILY: 4106,
  TIMEOUT: 4107,
  REFERENCED: 4108,
  IPADDR_IPV4: 4109,
  IPADDR_IPV6: 4110,
  COUNTER: 4111,
  COMMENT: 4112,
  INVALID_MARKMASK: 4113,
  SKBINFO: 4114,
  BITMASK_NETMASK_EXCL: 4115,
  TYPE_SPECIFIC: 4352,
} as const;

/** Type-specific errnos of the hash types. */
export const IPSET_ERR_HASH = {
  HASH_FULL: 4352,
  HASH_ELEM: 4353,
  INVALID_PROTO: 4354,
  MISSING_PROTO: 4355,
  HASH_RANGE_UNSUPPORTED: 4356,
  HASH_RANGE: 4357,
} as const;

/** Type-specific errnos of the bitmap types. */
export const IPSET_ERR_BITMAP = { BITMAP_RANGE: 4352, BITMAP_RANGE_SIZE: 4353 } as const;

/** Type-specific errnos of list:set. */
export const IPSET_ERR_LIST = {
  NAME: 4352,
  LOOP: 4353,
  BEFORE: 4354,
  NAMEREF: 4355,
  LIST_FULL: 4356,
  REF_EXIST: 4357,
} as const;
