import { IPPROTO, IPS } from '../ctnetlink/constants.ts';
import type { FlowView } from '../ctnetlink/flowView.ts';
import { hasPortNumbers } from '../ctnetlink/protocol.ts';
import { flowClassOf, isIcmpClass } from './flowClass.ts';

/**
 * What makes a flow distinct, in bytes, all in network order: class, protocol, two of zero, source and
 * destination (an IPv4 address in the first four of sixteen), and the two ports. So two keys of a class are
 * in the order of their numbers where they are in the order of their bytes from the source on.
 */
export const KEY_BYTES = 40;
export const CLASS_AT = 0;
export const PROTOCOL_AT = 1;
export const SOURCE_AT = 4;
export const DESTINATION_AT = 20;
export const SOURCE_PORT_AT = 36;
export const DESTINATION_PORT_AT = 38;

/** What is known of a distinct flow beside its key; bits that are only ever set. */
export const FLOW_FLAG = {
  /** Both sides spoke. */
  CONFIRMED: 1,
  /** The destination was translated: a filter behind the translation sees another. */
  TRANSLATED: 2,
  /** The two ports are port numbers. */
  PORTS: 4,
  /** One at least was not announced by another flow, as the data of FTP are: `related` does not let it pass. */
  UNRELATED: 8,
} as const;

/** The first port that any program may send from: those from here on say nothing of a service. */
const FIRST_FREE_PORT = 1024;

/**
 * Writes the key of a flow's original direction.
 * @param key at least KEY_BYTES
 * @returns FLOW_FLAG bits; undefined where the message lacks addresses, and the key is not to be used
 */
export function writeFlowKey(view: FlowView, key: Uint8Array): number | undefined {
  const { original, status } = view;
  if (!original.isComplete) return undefined;
  const { protocol } = original;
  const flowClass = flowClassOf(view.family, protocol);
  key.fill(0, 0, KEY_BYTES);
  key[CLASS_AT] = flowClass;
  key[PROTOCOL_AT] = protocol;
  original.copySource(key, SOURCE_AT);
  original.copyDestination(key, DESTINATION_AT);
  const withPorts = hasPortNumbers(protocol) && original.hasPorts;
  if (withPorts) writePorts(key, original.sourcePort, original.destinationPort);
  else if (isIcmpClass(flowClass)) writePorts(key, original.icmpType ?? 0, original.icmpCode ?? 0);
  const replied = protocol === IPPROTO.TCP ? IPS.ASSURED | IPS.SEEN_REPLY : IPS.SEEN_REPLY;
  return (
    ((status & replied) !== 0 ? FLOW_FLAG.CONFIRMED : 0) |
    ((status & IPS.DST_NAT) !== 0 ? FLOW_FLAG.TRANSLATED : 0) |
    ((status & IPS.EXPECTED) === 0 ? FLOW_FLAG.UNRELATED : 0) |
    (withPorts ? FLOW_FLAG.PORTS : 0)
  );
}

/** Writes the ports, or ICMP's type and code, which are below the first free port. */
export function writePorts(key: Uint8Array, source: number, destination: number): void {
  const folded = Math.min(source, FIRST_FREE_PORT);
  key[SOURCE_PORT_AT] = folded >>> 8;
  key[SOURCE_PORT_AT + 1] = folded & 0xff;
  key[DESTINATION_PORT_AT] = destination >>> 8;
  key[DESTINATION_PORT_AT + 1] = destination & 0xff;
}
