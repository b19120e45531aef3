import { attr, attrs, mapped, type ValueOf } from '../nfnetlink/codec.ts';
import { EncodeError } from '../nfnetlink/errors.ts';
import { ipv4, ipv6, u8, u16be } from '../nfnetlink/scalar.ts';
import { CTA_IP, CTA_PROTO, CTA_TUPLE, IPPROTO } from './constants.ts';

/** CTA_TUPLE_IP: the addresses of one direction. */
export const addressAttributes = attrs('CTA_IP', CTA_IP, {
  sourceIpv4: attr(CTA_IP.V4_SRC, ipv4),
  destinationIpv4: attr(CTA_IP.V4_DST, ipv4),
  sourceIpv6: attr(CTA_IP.V6_SRC, ipv6),
  destinationIpv6: attr(CTA_IP.V6_DST, ipv6),
});

/** CTA_TUPLE_PROTO: the transport protocol and what it tells flows apart by. */
export const protocolAttributes = attrs('CTA_PROTO', CTA_PROTO, {
  number: attr(CTA_PROTO.NUM, u8),
  sourcePort: attr(CTA_PROTO.SRC_PORT, u16be),
  destinationPort: attr(CTA_PROTO.DST_PORT, u16be),
  icmpId: attr(CTA_PROTO.ICMP_ID, u16be),
  icmpType: attr(CTA_PROTO.ICMP_TYPE, u8),
  icmpCode: attr(CTA_PROTO.ICMP_CODE, u8),
  icmpv6Id: attr(CTA_PROTO.ICMPV6_ID, u16be),
  icmpv6Type: attr(CTA_PROTO.ICMPV6_TYPE, u8),
  icmpv6Code: attr(CTA_PROTO.ICMPV6_CODE, u8),
});

/** One direction of a flow as the wire nests it. */
export const tupleAttributes = attrs('CTA_TUPLE', CTA_TUPLE, {
  ip: attr(CTA_TUPLE.IP, addressAttributes),
  protocol: attr(CTA_TUPLE.PROTO, protocolAttributes),
  zone: attr(CTA_TUPLE.ZONE, u16be),
});

/**
 * One direction of a flow. Every field may be absent, as every attribute may be: expectations carry
 * masks, other protocols have no ports, and a GRE tuple of a filter may hold the protocol alone.
 */
export interface Tuple {
  /** IPv4 or IPv6 text. */
  readonly source?: string | undefined;
  readonly destination?: string | undefined;
  /** IP protocol number: IPPROTO.TCP. */
  readonly protocol?: number | undefined;
  /** TCP, UDP, UDP-Lite, SCTP and DCCP; of PPTP's GRE the call ids. */
  readonly sourcePort?: number | undefined;
  readonly destinationPort?: number | undefined;
  /** ICMP and ICMPv6 alike; which of the two is told by the protocol. */
  readonly icmpId?: number | undefined;
  readonly icmpType?: number | undefined;
  readonly icmpCode?: number | undefined;
  /** The zone of this direction alone; a zone of both directions stands in the flow. */
  readonly zone?: number | undefined;
}

/** A tuple that names a flow: addresses and protocol are there. What else there must be, the protocol says. */
export interface CompleteTuple extends Tuple {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
}

/** CTA_TUPLE_*: a tuple without the wire's inner nests. */
export const tupleCodec = mapped(tupleAttributes, { decode: flatten, encode: unflatten });

type WireTuple = ValueOf<typeof tupleAttributes>;

function flatten({ ip, protocol, zone }: WireTuple): Tuple {
  return {
    source: ip?.sourceIpv4 ?? ip?.sourceIpv6,
    destination: ip?.destinationIpv4 ?? ip?.destinationIpv6,
    protocol: protocol?.number,
    sourcePort: protocol?.sourcePort,
    destinationPort: protocol?.destinationPort,
    icmpId: protocol?.icmpId ?? protocol?.icmpv6Id,
    icmpType: protocol?.icmpType ?? protocol?.icmpv6Type,
    icmpCode: protocol?.icmpCode ?? protocol?.icmpv6Code,
    zone,
  };
}

function unflatten(tuple: Tuple): WireTuple {
  if (typeof tuple !== 'object' || tuple === null) throw new EncodeError(`${String(tuple)} is not a tuple`);
  const { source, destination, zone } = tuple;
  const isIpv6 = isIpv6Text(source ?? destination);
  if (source !== undefined && destination !== undefined && isIpv6Text(source) !== isIpv6Text(destination)) {
    throw new EncodeError(`${String(source)} and ${String(destination)} are addresses of two families`);
  }
  const hasAddress = source !== undefined || destination !== undefined;
  return {
    ip: !hasAddress
      ? undefined
      : isIpv6
        ? { sourceIpv6: source, destinationIpv6: destination }
        : { sourceIpv4: source, destinationIpv4: destination },
    protocol: unflattenProtocol(tuple),
    zone,
  };
}

function unflattenProtocol(tuple: Tuple): WireTuple['protocol'] {
  const { protocol: number, sourcePort, destinationPort, icmpId, icmpType, icmpCode } = tuple;
  const ports = { number, sourcePort, destinationPort };
  const wire =
    number === IPPROTO.ICMPV6
      ? { ...ports, icmpv6Id: icmpId, icmpv6Type: icmpType, icmpv6Code: icmpCode }
      : { ...ports, icmpId, icmpType, icmpCode };
  return Object.values(wire).some((value) => value !== undefined) ? wire : undefined;
}

function isIpv6Text(address: unknown): boolean {
  return typeof address === 'string' && address.includes(':');
}
