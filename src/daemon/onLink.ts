import { AF } from '../nfnetlink/constants.ts';
import { type Address, IFA_F, type Route, RT_TABLE, RTM_F, RTN, tableOf } from '../rtnetlink/index.ts';
import { withoutHostBits } from './network.ts';
import type { Network } from './plan.ts';

/**
 * Routes shorter than this are a default route in parts (0.0.0.0/1 and 128.0.0.0/1, 2000::/3): what lies
 * behind them is not on the link, whether they name a gateway or not.
 */
const SHORTEST_PREFIX = 4;

/** Types of routes that lead to a link, or end here. */
const reached: readonly number[] = [RTN.UNICAST, RTN.LOCAL, RTN.BROADCAST, RTN.ANYCAST];

/**
 * The network that a route says to be directly connected, or undefined.
 *
 * The tables main and local are looked at: there the kernel puts what an address brings along, and there
 * mwan3 reads what it calls connected. The tables of the uplinks hold copies of it, and a default route each.
 * A WAN's own network counts, since a flow to it cannot go by another WAN. A route with a gateway does not,
 * nor one with several next hops or a next-hop object, which may lead through gateways.
 */
export function networkOfRoute(route: Route): Network | undefined {
  const { family, destination, destinationPrefix: prefix } = route;
  if (family !== AF.INET && family !== AF.INET6) return undefined;
  const table = tableOf(route);
  if (table !== RT_TABLE.MAIN && table !== RT_TABLE.LOCAL) return undefined;
  if (!reached.includes(route.type) || (route.flags & RTM_F.CLONED) !== 0) return undefined;
  if (route.gateway || route.via || route.multipath || route.nexthopId !== undefined) return undefined;
  return networkOf(destination, prefix, family);
}

/**
 * The networks that an address says to be directly connected: itself, its broadcast address, and its network
 * or peer, also where their routes are in a table of their own (a VRF's, netifd's ip4table), unless it was
 * added without a route.
 */
export function networksOfAddress(address: Address): Network[] {
  const { family, prefixLength } = address;
  if (family !== AF.INET && family !== AF.INET6) return [];
  const whole = family === AF.INET ? 32 : 128;
  const hasRoute = ((address.flags ?? address.shortFlags) & IFA_F.NOPREFIXROUTE) === 0;
  return [
    networkOf(address.local ?? address.address, whole, family),
    networkOf(address.broadcast, whole, family),
    hasRoute ? networkOf(address.address, prefixLength, family) : undefined,
  ].filter((network) => network !== undefined);
}

/** Without host bits; undefined where the bytes are no address of the family, or the prefix no network's. */
function networkOf(bytes: Uint8Array | undefined, prefix: number, family: number): Network | undefined {
  const length = family === AF.INET ? 4 : 16;
  if (bytes?.length !== length || prefix < SHORTEST_PREFIX || prefix > 8 * length) return undefined;
  return { address: withoutHostBits(bytes, prefix), prefix };
}
