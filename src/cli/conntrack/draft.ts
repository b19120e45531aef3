import { IP_CT_TCP_FLAG, IPPROTO, TCP_CONNTRACK } from '../../ctnetlink/constants.ts';
import type { FlowAttributes } from '../../ctnetlink/flow.ts';
import { hasPorts, isIcmp } from '../../ctnetlink/protocol.ts';
import type { Tuple } from '../../ctnetlink/tuple.ts';
import { formatAddress } from '../../nfnetlink/address.ts';
import { readU32host, writeU32be } from '../../nfnetlink/bytes.ts';
import { AF } from '../../nfnetlink/constants.ts';

/** What the command line says of one direction. */
export interface TupleDraft {
  /** AF of the addresses. */
  family?: number;
  source?: Uint8Array;
  destination?: Uint8Array;
  protocol?: number;
  sourcePort?: number;
  destinationPort?: number;
  zone?: number;
}

/** Where a translation leads. */
export interface NatDraft {
  address?: Uint8Array;
  port?: number;
}

/** What the command line says of a flow: to make it, to find it, or to change it. */
export interface FlowDraft {
  readonly original: TupleDraft;
  readonly reply: TupleDraft;
  icmpType?: number;
  icmpCode?: number;
  icmpId?: number;
  timeout?: number;
  id?: number;
  zone?: number;
  tcpState?: number;
  sctpState?: number;
  dccpState?: number;
  dccpRole?: number;
  originalVtag?: number;
  replyVtag?: number;
  /** Set for TCP: flows that are made by hand are not held to windows. */
  isTcp?: boolean;
  readonly sourceNat: NatDraft;
  readonly destinationNat: NatDraft;
}

// net/netfilter/nf_conntrack_proto_icmp.c: invmap
const inverseIcmp: Readonly<Record<number, number>> = {
  ...{ 8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17 },
};
// nf_conntrack_proto_icmpv6.c; node information has no inverse that the kernel would take
const inverseIcmpv6: Readonly<Record<number, number>> = { 128: 129, 129: 128, 139: 140, 140: 139 };
/** No type at all: the kernel refuses it. */
const NO_INVERSE = 255;

/** The direction as a request carries it; undefined where nothing was said of it. */
export function tupleOf(draft: FlowDraft, direction: 'original' | 'reply'): Tuple | undefined {
  const tuple = draft[direction];
  const { family, protocol, source, destination, zone } = tuple;
  if (family === undefined) return undefined;
  const none = new Uint8Array(family === AF.INET ? 4 : 16);
  return {
    source: formatAddress(source ?? none),
    destination: formatAddress(destination ?? none),
    ...protocolFields(draft, tuple, protocol ?? 0, direction),
    zone,
  };
}

function protocolFields(
  draft: FlowDraft,
  tuple: TupleDraft,
  protocol: number,
  direction: 'original' | 'reply',
): Tuple {
  if (hasPorts(protocol)) {
    return { protocol, sourcePort: tuple.sourcePort ?? 0, destinationPort: tuple.destinationPort ?? 0 };
  }
  if (!isIcmp(protocol)) return { protocol };
  const type = draft.icmpType ?? 0;
  const inverse = draft.original.protocol === IPPROTO.ICMPV6 ? inverseIcmpv6 : inverseIcmp;
  const icmpType = direction === 'original' ? type : (inverse[type] ?? NO_INVERSE);
  return { protocol, icmpType, icmpCode: draft.icmpCode ?? 0, icmpId: draft.icmpId ?? 0 };
}

/** Fills in the direction that was not given: the other one turned round. */
export function completeDirections(draft: FlowDraft): void {
  const { original, reply } = draft;
  const hasOriginal = original.source !== undefined || original.destination !== undefined;
  const hasReply = reply.source !== undefined || reply.destination !== undefined;
  if (hasOriginal && !hasReply) turnRound(original, reply);
  else if (hasReply && !hasOriginal) turnRound(reply, original);
}

function turnRound(from: TupleDraft, to: TupleDraft): void {
  const { family, protocol, source, destination, sourcePort, destinationPort } = from;
  const { zone } = to;
  Object.assign(to, {
    ...{ family, protocol, source: destination, destination: source },
    ...{ sourcePort: destinationPort, destinationPort: sourcePort, zone },
  });
}

/** The protocol's own part: undefined where nothing of it was given. */
export function protocolInfoOf(draft: FlowDraft): FlowAttributes['protocolInfo'] {
  const { tcpState, sctpState, dccpState, dccpRole, originalVtag, replyVtag } = draft;
  if (draft.isTcp) {
    const { BE_LIBERAL, SACK_PERM, CLOSE_INIT } = IP_CT_TCP_FLAG;
    // CLOSE_INIT lets a new connection begin from TIME_WAIT (RFC 1122); see nf_conntrack_proto_tcp.c
    const closing = tcpState !== undefined && tcpState >= TCP_CONNTRACK.TIME_WAIT ? CLOSE_INIT : 0;
    const flags = BE_LIBERAL | SACK_PERM | closing;
    const both = { flags, mask: flags };
    return { tcp: { state: tcpState, flagsOriginal: both, flagsReply: both } };
  }
  if (sctpState !== undefined || originalVtag !== undefined || replyVtag !== undefined) {
    return {
      sctp: {
        state: sctpState,
        verificationTagOriginal: inHostOrder(originalVtag),
        verificationTagReply: inHostOrder(replyVtag),
      },
    };
  }
  if (dccpState === undefined && dccpRole === undefined) return undefined;
  return { dccp: { state: dccpState, role: dccpRole } };
}

/** conntrack(8) hands verification tags to the kernel in host order; see vtagOf(). */
function inHostOrder(tag: number | undefined): number | undefined {
  if (tag === undefined) return undefined;
  const bytes = new Uint8Array(4);
  writeU32be(bytes, 0, tag);
  return readU32host(bytes, 0);
}

/** A translation as a request carries it; undefined where none was given. */
export function natOf({ address, port }: NatDraft): FlowAttributes['sourceNat'] {
  if (address === undefined && port === undefined) return undefined;
  const text = address && formatAddress(address);
  return {
    minIpv4: address?.length === 4 ? text : undefined,
    minIpv6: address?.length === 16 ? text : undefined,
    ports: port === undefined ? undefined : { minPort: port, maxPort: port },
  };
}
