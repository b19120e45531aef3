import { IPPROTO } from '../ctnetlink/constants.ts';
import { AF } from '../nfnetlink/constants.ts';

/** The groups that a report is sorted by, in its order: their numbers are the places in this list. */
export const FLOW_CLASSES = [
  { label: 'TCPv4', family: AF.INET },
  { label: 'UDPv4', family: AF.INET },
  { label: 'ICMPv4', family: AF.INET },
  { label: 'IPv4', family: AF.INET },
  { label: 'TCPv6', family: AF.INET6 },
  { label: 'UDPv6', family: AF.INET6 },
  { label: 'ICMPv6', family: AF.INET6 },
  { label: 'IPv6', family: AF.INET6 },
] as const;

const FIRST_OF_IPV6 = 4;
const [TCP, UDP, ICMP, OTHER] = [0, 1, 2, 3];

/** The class of a flow. What has neither a class nor ports of its own is 'other' of its family. */
export function flowClassOf(family: number, protocol: number): number {
  const isIpv6 = family === AF.INET6;
  const first = isIpv6 ? FIRST_OF_IPV6 : 0;
  if (protocol === IPPROTO.TCP) return first + TCP!;
  if (protocol === IPPROTO.UDP) return first + UDP!;
  return first + (protocol === (isIpv6 ? IPPROTO.ICMPV6 : IPPROTO.ICMP) ? ICMP! : OTHER!);
}

export function isIpv6Class(flowClass: number): boolean {
  return flowClass >= FIRST_OF_IPV6;
}

/** Whether a type and a code stand where others have ports. */
export function isIcmpClass(flowClass: number): boolean {
  return flowClass % FIRST_OF_IPV6 === ICMP;
}

/** Whether the label does not tell the protocol. */
export function isOtherClass(flowClass: number): boolean {
  return flowClass % FIRST_OF_IPV6 === OTHER;
}
