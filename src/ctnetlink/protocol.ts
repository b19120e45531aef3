import { IPPROTO } from './constants.ts';

/** Every protocol that has a name here, by that name. */
export const protocolNumbers: ReadonlyMap<string, number> = new Map(
  Object.entries(IPPROTO).map(([name, number]) => [name.toLowerCase(), number]),
);

const protocolNames: ReadonlyMap<number, string> = new Map(
  [...protocolNumbers].map(([name, number]) => [number, name]),
);

/** 'tcp' for 6; the number as text where it has no name here. */
export function protocolName(protocol: number): string {
  return protocolNames.get(protocol) ?? String(protocol);
}

export function isIcmp(protocol: number): boolean {
  return protocol === IPPROTO.ICMP || protocol === IPPROTO.ICMPV6;
}

const withPorts: readonly number[] = [
  IPPROTO.TCP,
  IPPROTO.UDP,
  IPPROTO.UDPLITE,
  IPPROTO.SCTP,
  IPPROTO.DCCP,
  IPPROTO.GRE,
];

/** Whether the tuples of the protocol carry two port attributes (for GRE the call ids). */
export function hasPorts(protocol: number): boolean {
  return withPorts.includes(protocol);
}

/**
 * Whether flows of the protocol have port numbers. What stands in their place elsewhere, ICMP's type and
 * code or the call ids of GRE, is never compared with a configured port.
 */
export function hasPortNumbers(protocol: number): boolean {
  return hasPorts(protocol) && protocol !== IPPROTO.GRE;
}
