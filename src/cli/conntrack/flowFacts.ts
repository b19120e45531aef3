import {
  CTA,
  CTA_COUNTERS,
  CTA_HELP,
  CTA_PROTOINFO,
  CTA_PROTOINFO_DCCP,
  CTA_PROTOINFO_SCTP,
  CTA_PROTOINFO_TCP,
  CTA_SECCTX,
  CTA_TIMESTAMP,
  IPPROTO,
  IPS,
} from '../../ctnetlink/constants.ts';
import type { FlowView } from '../../ctnetlink/flowView.ts';
import { ATTRIBUTE_HEADER, align4, lengthOf, payloadEnd, typeOf } from '../../nfnetlink/attribute.ts';
import { readU32be, readU32host } from '../../nfnetlink/bytes.ts';
import { AF } from '../../nfnetlink/constants.ts';

/** What the lines of flows are made of and a view has no getter for: offsets into the view's buffer. */

/** Names by protocol number, as libnetfilter_conntrack prints them. */
export const protocolNames: Readonly<Record<number, string>> = {
  [IPPROTO.TCP]: 'tcp',
  [IPPROTO.UDP]: 'udp',
  [IPPROTO.UDPLITE]: 'udplite',
  [IPPROTO.ICMP]: 'icmp',
  [IPPROTO.ICMPV6]: 'icmpv6',
  [IPPROTO.SCTP]: 'sctp',
  [IPPROTO.GRE]: 'gre',
  [IPPROTO.DCCP]: 'dccp',
};

/** Payload of the first attribute of a type inside a nest, long enough to be read; 0 where there is none. */
export function findIn(view: FlowView, nest: number, type: number, length: number): number {
  if (nest === 0) return 0;
  const bytes = view.buffer;
  const end = view.payloadEnd(nest);
  for (let at = nest; at + ATTRIBUTE_HEADER <= end; ) {
    const stop = payloadEnd(bytes, at, end);
    if (typeOf(bytes, at) === type && stop - at - ATTRIBUTE_HEADER >= length) return at + ATTRIBUTE_HEADER;
    at += align4(lengthOf(bytes, at));
  }
  return 0;
}

/** Eight bytes of packets; the bytes are at `bytesOf`. 0 where the flow has no counters. */
export function packetsAt(view: FlowView, counters: number): number {
  return findIn(view, view.payloadStart(counters), CTA_COUNTERS.PACKETS, 8);
}
export function bytesAt(view: FlowView, counters: number): number {
  return findIn(view, view.payloadStart(counters), CTA_COUNTERS.BYTES, 8);
}

export function startAt(view: FlowView): number {
  return findIn(view, view.payloadStart(CTA.TIMESTAMP), CTA_TIMESTAMP.START, 8);
}
export function stopAt(view: FlowView): number {
  return findIn(view, view.payloadStart(CTA.TIMESTAMP), CTA_TIMESTAMP.STOP, 8);
}

/** Eight bytes of nanoseconds since 1970 in whole seconds. */
export function secondsAt(bytes: Uint8Array, at: number): number {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Number(data.getBigUint64(at) / 1_000_000_000n);
}

/** How many hold the entry in the kernel; 0 where the message does not tell. */
export function useOf(view: FlowView): number {
  const at = view.payloadStart(CTA.USE);
  return at === 0 ? 0 : readU32be(view.buffer, at);
}

/** State of a TCP, SCTP or DCCP flow; undefined where the message tells none. */
export function stateOf(view: FlowView): { protocol: number; state: number } | undefined {
  const info = view.payloadStart(CTA.PROTOINFO);
  if (info === 0) return undefined;
  for (const [protocol, nestType, stateType] of stateTypes) {
    const nest = findIn(view, info, nestType, 0);
    const at = findIn(view, nest, stateType, 1);
    if (at !== 0) return { protocol, state: view.buffer[at]! };
  }
  return undefined;
}

const stateTypes = [
  [IPPROTO.TCP, CTA_PROTOINFO.TCP, CTA_PROTOINFO_TCP.STATE],
  [IPPROTO.SCTP, CTA_PROTOINFO.SCTP, CTA_PROTOINFO_SCTP.STATE],
  [IPPROTO.DCCP, CTA_PROTOINFO.DCCP, CTA_PROTOINFO_DCCP.STATE],
] as const;

/**
 * SCTP's verification tag of a direction; undefined where the message tells none. In host order, as
 * conntrack(8) writes and reads it, so that what one of the two saves the other can load.
 */
export function vtagOf(view: FlowView, type: number): number | undefined {
  const nest = findIn(view, view.payloadStart(CTA.PROTOINFO), CTA_PROTOINFO.SCTP, 0);
  const at = findIn(view, nest, type, 4);
  if (at === 0) return undefined;
  return readU32host(view.buffer, at);
}

/** Text of an attribute inside a nest, without the zero at its end. */
function textIn(view: FlowView, attribute: number, type: number): string | undefined {
  const at = findIn(view, view.payloadStart(attribute), type, 1);
  if (at === 0) return undefined;
  const text = Buffer.from(view.buffer.subarray(at, view.payloadEnd(at))).toString('utf8');
  const zero = text.indexOf('\0');
  return zero < 0 ? text : text.slice(0, zero);
}

export function helperOf(view: FlowView): string | undefined {
  return textIn(view, CTA.HELP, CTA_HELP.NAME);
}
export function securityContextOf(view: FlowView): string | undefined {
  return textIn(view, CTA.SECCTX, CTA_SECCTX.NAME);
}

/** The bitmap of labels; undefined where the flow has none. It is valid as long as the view. */
export function labelsOf(view: FlowView): Uint8Array | undefined {
  const at = view.payloadStart(CTA.LABELS);
  return at === 0 ? undefined : view.buffer.subarray(at, view.payloadEnd(at));
}

const here = new Uint8Array(16);
const there = new Uint8Array(16);

function isSame(left: Uint8Array, right: Uint8Array, length: number): boolean {
  for (let i = 0; i < length; i++) if (left[i] !== right[i]) return false;
  return true;
}

/** Whether the source was translated: the answers go to another address. */
export function isSourceNat(view: FlowView): boolean {
  if ((view.status & IPS.SRC_NAT_DONE) === 0) return false;
  const { original, reply } = view;
  if (view.family === AF.INET) return original.sourceIpv4 !== reply.destinationIpv4;
  return !isSame(here, there, original.copySource(here, 0) && reply.copyDestination(there, 0));
}
export function isDestinationNat(view: FlowView): boolean {
  if ((view.status & IPS.DST_NAT_DONE) === 0) return false;
  const { original, reply } = view;
  if (view.family === AF.INET) return original.destinationIpv4 !== reply.sourceIpv4;
  return !isSame(here, there, original.copyDestination(here, 0) && reply.copySource(there, 0));
}
export function isSourcePortNat(view: FlowView): boolean {
  if ((view.status & IPS.SRC_NAT_DONE) === 0 || !view.original.hasPorts) return false;
  return view.reply.destinationPort !== view.original.sourcePort;
}
export function isDestinationPortNat(view: FlowView): boolean {
  if ((view.status & IPS.DST_NAT_DONE) === 0 || !view.original.hasPorts) return false;
  return view.reply.sourcePort !== view.original.destinationPort;
}
