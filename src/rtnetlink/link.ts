import {
  attr,
  attrs,
  bytes,
  type Codec,
  text,
  u8,
  u16host,
  u32host,
  type ValueOf,
} from '../nfnetlink/index.ts';
import { IFLA } from './constants.ts';
import { payload, struct } from './payload.ts';

/** IFNAMSIZ without the terminating zero. */
const LONGEST_NAME = 15;

/** struct ifinfomsg; sixteen bytes. */
export const linkHeader = struct({
  family: u8,
  padding: u8,
  /** ARPHRD. */
  type: u16host,
  index: u32host,
  /** IFF bits. */
  flags: u32host,
  change: u32host,
});

// in the order of rtnl_fill_ifinfo()
export const linkAttributes = attrs('IFLA', IFLA, {
  name: attr(IFLA.IFNAME, text(LONGEST_NAME)),
  operationalState: attr(IFLA.OPERSTATE, u8),
  mtu: attr(IFLA.MTU, u32host),
  master: attr(IFLA.MASTER, u32host),
  /** Index of the link below: the other end of a veth, the parent of a VLAN. */
  lower: attr(IFLA.LINK, u32host),
  hardwareAddress: attr(IFLA.ADDRESS, bytes()),
});

/** A network interface: RTM_NEWLINK, RTM_DELLINK. Integers are in host order. */
export interface Link extends ValueOf<typeof linkHeader>, ValueOf<typeof linkAttributes> {}

export const link: Codec<Link> = payload(linkHeader, linkAttributes);
