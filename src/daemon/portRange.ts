import { IPPROTO } from '../ctnetlink/constants.ts';
import type { PortRange } from './plan.ts';

const numbered: readonly number[] = [IPPROTO.TCP, IPPROTO.UDP, IPPROTO.UDPLITE, IPPROTO.SCTP, IPPROTO.DCCP];

/**
 * Whether flows of the protocol have port numbers. What stands in their place elsewhere, ICMP's type and
 * code or the call ids of GRE, is never compared with a configured port.
 */
export function hasPortNumbers(protocol: number): boolean {
  return numbered.includes(protocol);
}

export function inRange({ from, to }: PortRange, port: number): boolean {
  return port >= from && port <= to;
}
