/**
 * The attribute tables of ipset. Rows stand in the order in which ipset(8) writes requests, and in
 * which the kernel writes replies, so that both can be written byte for byte.
 *
 * ipset is strict where the rest of netfilter is liberal: it refuses nests without NLA_F_NESTED and
 * integers without NLA_F_NET_BYTEORDER (ip_set_attr_netorder() in ip_set.h).
 */
import {
  attr,
  attrs,
  bytes,
  netByteOrder,
  repeated,
  text,
  u8,
  u16be,
  u32be,
  u32host,
  u64be,
  type ValueOf,
} from '../nfnetlink/index.ts';
import { listedAddress, requestedAddress } from './address.ts';
import {
  IFNAMSIZ,
  IPSET_ATTR,
  IPSET_ATTR_ADT,
  IPSET_ATTR_CADT,
  IPSET_ATTR_CREATE,
  IPSET_ATTR_PROTOCOL_MIN,
  IPSET_ATTR_SETNAME2,
  IPSET_MAX_COMMENT_SIZE,
  IPSET_MAXNAMELEN,
} from './constants.ts';

/** A set's or a type's name. */
const name = text(IPSET_MAXNAMELEN - 1);

const createIds = { ...IPSET_ATTR_CADT, ...IPSET_ATTR_CREATE };
const elementIds = { ...IPSET_ATTR_CADT, ...IPSET_ATTR_ADT };

const port = netByteOrder(attr(IPSET_ATTR_CADT.PORT, u16be));
const portTo = netByteOrder(attr(IPSET_ATTR_CADT.PORT_TO, u16be));
const timeout = netByteOrder(attr(IPSET_ATTR_CADT.TIMEOUT, u32be));
const flags = netByteOrder(attr(IPSET_ATTR_CADT.CADT_FLAGS, u32be));
// opaque to the kernel, which sends it back; ipset(8) stores network order and marks it so
const line = netByteOrder(attr(IPSET_ATTR_CADT.LINENO, u32host));

/** DATA of CREATE: the options of a new set. */
export const createOptions = attrs('IPSET_ATTR', createIds, {
  ip: attr(IPSET_ATTR_CADT.IP, requestedAddress),
  ipTo: attr(IPSET_ATTR_CADT.IP_TO, requestedAddress),
  cidr: attr(IPSET_ATTR_CADT.CIDR, u8),
  port,
  portTo,
  timeout,
  flags,
  markMask: netByteOrder(attr(IPSET_ATTR_CADT.MARKMASK, u32be)),
  bitmask: attr(IPSET_ATTR_CADT.BITMASK, requestedAddress),
  initialValue: netByteOrder(attr(IPSET_ATTR_CREATE.INITVAL, u32be)),
  hashSize: netByteOrder(attr(IPSET_ATTR_CREATE.HASHSIZE, u32be)),
  maxElements: netByteOrder(attr(IPSET_ATTR_CREATE.MAXELEM, u32be)),
  netmask: attr(IPSET_ATTR_CREATE.NETMASK, u8),
  bucketSize: attr(IPSET_ATTR_CREATE.BUCKETSIZE, u8),
  resize: attr(IPSET_ATTR_CREATE.RESIZE, u8),
  size: netByteOrder(attr(IPSET_ATTR_CREATE.SIZE, u32be)),
});

/** DATA of a listing: the options that a set has, and what it holds. */
export const listedOptions = attrs('IPSET_ATTR', createIds, {
  ip: attr(IPSET_ATTR_CADT.IP, listedAddress),
  ipTo: attr(IPSET_ATTR_CADT.IP_TO, listedAddress),
  port,
  portTo,
  hashSize: netByteOrder(attr(IPSET_ATTR_CREATE.HASHSIZE, u32be)),
  maxElements: netByteOrder(attr(IPSET_ATTR_CREATE.MAXELEM, u32be)),
  bitmask: attr(IPSET_ATTR_CADT.BITMASK, listedAddress),
  netmask: attr(IPSET_ATTR_CREATE.NETMASK, u8),
  // host order: mtype_head() in ip_set_hash_gen.h writes it by nla_put_u32()
  markMask: attr(IPSET_ATTR_CADT.MARKMASK, u32host),
  bucketSize: attr(IPSET_ATTR_CREATE.BUCKETSIZE, u8),
  initialValue: netByteOrder(attr(IPSET_ATTR_CREATE.INITVAL, u32be)),
  size: netByteOrder(attr(IPSET_ATTR_CREATE.SIZE, u32be)),
  references: netByteOrder(attr(IPSET_ATTR_CREATE.REFERENCES, u32be)),
  memorySize: netByteOrder(attr(IPSET_ATTR_CREATE.MEMSIZE, u32be)),
  elements: netByteOrder(attr(IPSET_ATTR_CREATE.ELEMENTS, u32be)),
  timeout,
  flags,
});

const extensions = {
  bytes: netByteOrder(attr(IPSET_ATTR_ADT.BYTES, u64be)),
  packets: netByteOrder(attr(IPSET_ATTR_ADT.PACKETS, u64be)),
  comment: attr(IPSET_ATTR_ADT.COMMENT, text(IPSET_MAX_COMMENT_SIZE)),
  /** The mark in the upper 32 bits, its mask in the lower. */
  skbMark: netByteOrder(attr(IPSET_ATTR_ADT.SKBMARK, u64be)),
  skbPriority: netByteOrder(attr(IPSET_ATTR_ADT.SKBPRIO, u32be)),
  skbQueue: netByteOrder(attr(IPSET_ATTR_ADT.SKBQUEUE, u16be)),
};

const protocol = attr(IPSET_ATTR_CADT.PROTO, u8);
const mark = netByteOrder(attr(IPSET_ATTR_CADT.MARK, u32be));
const ether = attr(IPSET_ATTR_ADT.ETHER, bytes(6));
const member = attr(IPSET_ATTR_ADT.NAME, name);
const neighbour = attr(IPSET_ATTR_ADT.NAMEREF, name);
const cidr = attr(IPSET_ATTR_CADT.CIDR, u8);
const cidr2 = attr(IPSET_ATTR_ADT.CIDR2, u8);
const interfaceName = attr(IPSET_ATTR_ADT.IFACE, text(IFNAMSIZ - 1));

/** DATA of ADD, DEL and TEST: one element. */
export const requestedElement = attrs('IPSET_ATTR', elementIds, {
  ip: attr(IPSET_ATTR_CADT.IP, requestedAddress),
  ipTo: attr(IPSET_ATTR_CADT.IP_TO, requestedAddress),
  cidr,
  port,
  portTo,
  timeout,
  protocol,
  flags,
  mark,
  ether,
  name: member,
  nameReference: neighbour,
  ip2: attr(IPSET_ATTR_ADT.IP2, requestedAddress),
  cidr2,
  ip2To: attr(IPSET_ATTR_ADT.IP2_TO, requestedAddress),
  iface: interfaceName,
  ...extensions,
  line,
});

/** DATA inside ADT of a listing: one element. */
export const listedElement = attrs('IPSET_ATTR', elementIds, {
  ip: attr(IPSET_ATTR_CADT.IP, listedAddress),
  ip2: attr(IPSET_ATTR_ADT.IP2, listedAddress),
  port,
  cidr,
  cidr2,
  protocol,
  mark,
  ether,
  iface: interfaceName,
  name: member,
  flags,
  timeout,
  ...extensions,
});

const requestHead = {
  protocol: attr(IPSET_ATTR.PROTOCOL, u8),
  setName: attr(IPSET_ATTR.SETNAME, name),
};

/** CREATE, and TYPE without a name and options. */
export const createRequest = attrs('IPSET_ATTR', IPSET_ATTR, {
  ...requestHead,
  typeName: attr(IPSET_ATTR.TYPENAME, name),
  revision: attr(IPSET_ATTR.REVISION, u8),
  family: attr(IPSET_ATTR.FAMILY, u8),
  data: attr(IPSET_ATTR.DATA, createOptions),
});

/** ADD, DEL and TEST: one element in DATA, or many in ADT with a line number at both levels. */
export const elementRequest = attrs('IPSET_ATTR', IPSET_ATTR, {
  ...requestHead,
  data: attr(IPSET_ATTR.DATA, requestedElement),
  line: netByteOrder(attr(IPSET_ATTR.LINENO, u32host)),
  elements: attr(
    IPSET_ATTR.ADT,
    attrs('IPSET_ATTR', IPSET_ATTR, { data: repeated(attr(IPSET_ATTR.DATA, requestedElement)) }),
  ),
});

/** PROTOCOL, DESTROY, FLUSH, LIST, SAVE, HEADER, GET_BYNAME and GET_BYINDEX. */
export const plainRequest = attrs('IPSET_ATTR', IPSET_ATTR, {
  ...requestHead,
  flags: netByteOrder(attr(IPSET_ATTR.FLAGS, u32be)),
  index: netByteOrder(attr(IPSET_ATTR.INDEX, u16be)),
});

/** RENAME and SWAP. */
export const twoNamesRequest = attrs(
  'IPSET_ATTR',
  { PROTOCOL: IPSET_ATTR.PROTOCOL, SETNAME: IPSET_ATTR.SETNAME, SETNAME2: IPSET_ATTR_SETNAME2 },
  { ...requestHead, setName2: attr(IPSET_ATTR_SETNAME2, name) },
);

/** The answer to PROTOCOL. */
export const protocolReply = attrs(
  'IPSET_ATTR',
  { PROTOCOL: IPSET_ATTR.PROTOCOL, PROTOCOL_MIN: IPSET_ATTR_PROTOCOL_MIN },
  {
    protocol: attr(IPSET_ATTR.PROTOCOL, u8),
    protocolMin: attr(IPSET_ATTR_PROTOCOL_MIN, u8),
  },
);

/** What LIST, SAVE, HEADER, TYPE, GET_BYNAME and GET_BYINDEX answer. */
export const setReply = attrs('IPSET_ATTR', IPSET_ATTR, {
  ...requestHead,
  typeName: attr(IPSET_ATTR.TYPENAME, name),
  family: attr(IPSET_ATTR.FAMILY, u8),
  revision: attr(IPSET_ATTR.REVISION, u8),
  revisionMin: attr(IPSET_ATTR.REVISION_MIN, u8),
  index: netByteOrder(attr(IPSET_ATTR.INDEX, u16be)),
  data: attr(IPSET_ATTR.DATA, listedOptions),
  elements: attr(
    IPSET_ATTR.ADT,
    attrs('IPSET_ATTR', IPSET_ATTR, { data: repeated(attr(IPSET_ATTR.DATA, listedElement)) }),
  ),
});

export interface CreateOptionsWire extends ValueOf<typeof createOptions> {}
export interface ListedOptionsWire extends ValueOf<typeof listedOptions> {}
export interface RequestedElementWire extends ValueOf<typeof requestedElement> {}
export interface ListedElementWire extends ValueOf<typeof listedElement> {}
export interface SetReply extends ValueOf<typeof setReply> {}
