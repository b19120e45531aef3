import { attr, attrs, bytes, type Codec, u8, u32host, type ValueOf } from '../nfnetlink/index.ts';
import { RTA } from './constants.ts';
import { payload, struct } from './payload.ts';

/** struct rtmsg; twelve bytes. */
export const routeHeader = struct({
  family: u8,
  destinationPrefix: u8,
  sourcePrefix: u8,
  tos: u8,
  /** The table where its number has eight bits, else RT_TABLE_COMPAT (252): see tableOf. */
  shortTable: u8,
  protocol: u8,
  scope: u8,
  type: u8,
  flags: u32host,
});

// in the order of fib_dump_info() and fib_nexthop_info()
export const routeAttributes = attrs('RTA', RTA, {
  table: attr(RTA.TABLE, u32host),
  /** Absent for a default route. */
  destination: attr(RTA.DST, bytes()),
  source: attr(RTA.SRC, bytes()),
  priority: attr(RTA.PRIORITY, u32host),
  preferredSource: attr(RTA.PREFSRC, bytes()),
  nexthopId: attr(RTA.NH_ID, u32host),
  gateway: attr(RTA.GATEWAY, bytes()),
  /** struct rtvia: a gateway of the other family. */
  via: attr(RTA.VIA, bytes()),
  /** Index of the link. */
  outLink: attr(RTA.OIF, u32host),
  /** struct rtnexthop, several. */
  multipath: attr(RTA.MULTIPATH, bytes()),
  /** struct rta_cacheinfo; host order. */
  cacheInfo: attr(RTA.CACHEINFO, bytes()),
  /** Router preference of IPv6. */
  preference: attr(RTA.PREF, u8),
});

/** A route: RTM_NEWROUTE, RTM_DELROUTE. Addresses are bytes; integers are in host order. */
export interface Route extends ValueOf<typeof routeHeader>, ValueOf<typeof routeAttributes> {}

export const route: Codec<Route> = payload(routeHeader, routeAttributes);

/** The table that a route is in. */
export function tableOf({ table, shortTable }: Route): number {
  return table ?? shortTable;
}
