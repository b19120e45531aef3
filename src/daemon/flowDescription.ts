import type { CompleteTuple } from '../ctnetlink/index.ts';
import { hasPorts, isIcmp, protocolName } from '../ctnetlink/protocol.ts';
import { formatAddress } from '../nfnetlink/address.ts';
import { addressLength, FLOW_FLAG, type FlowStore } from './flowStore.ts';
import { type Family, familyName } from './plan.ts';

/** A flow for people, logs and the control socket. */
export interface FlowDescription {
  readonly family: Family;
  /** 'tcp', or the number where the protocol has no name here. */
  readonly protocol: string;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly icmpId?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
  readonly mark: number;
  readonly id: number;
  readonly zone?: number;
}

/** The original tuple of a stored flow, as requests want it. */
export function tupleOf(store: FlowStore, slot: number): CompleteTuple {
  const bytes = store.bytesOf(slot);
  const length = addressLength(store.family(slot));
  const source = store.sourceAt(slot);
  const destination = store.destinationAt(slot);
  const oneWayZone = (store.flags(slot) & FLOW_FLAG.TUPLE_ZONE) !== 0 ? store.zone(slot) : undefined;
  return {
    source: formatAddress(bytes.subarray(source, source + length)),
    destination: formatAddress(bytes.subarray(destination, destination + length)),
    protocol: store.protocol(slot),
    ...distinction(store, slot),
    ...(oneWayZone !== undefined && { zone: oneWayZone }),
  };
}

/** What tells flows of one protocol between two hosts apart: ports, or ICMP's fields. */
function distinction(
  store: FlowStore,
  slot: number,
): Pick<FlowDescription, 'sourcePort' | 'destinationPort' | 'icmpId' | 'icmpType' | 'icmpCode'> {
  const sourcePort = store.sourcePort(slot);
  const destinationPort = store.destinationPort(slot);
  if (isIcmp(store.protocol(slot))) {
    return { icmpId: sourcePort, icmpType: destinationPort >>> 8, icmpCode: destinationPort & 0xff };
  }
  return hasPorts(store.protocol(slot)) ? { sourcePort, destinationPort } : {};
}

export function describeFlow(store: FlowStore, slot: number): FlowDescription {
  const zone = store.zone(slot);
  const { source, destination, protocol } = tupleOf(store, slot);
  return {
    family: familyName(store.family(slot)),
    protocol: protocolName(protocol),
    source,
    destination,
    ...distinction(store, slot),
    mark: store.mark(slot),
    id: store.id(slot),
    ...(zone !== 0 && { zone }),
  };
}

/** One flow in a line: 'tcp 192.168.50.2:41250 -> 203.0.113.10:443'. */
export function flowText(flow: FlowDescription): string {
  const ends =
    flow.sourcePort === undefined
      ? `${flow.source} -> ${flow.destination}`
      : `${endText(flow.source, flow.sourcePort)} -> ${endText(flow.destination, flow.destinationPort!)}`;
  const icmp =
    flow.icmpType === undefined ? '' : ` type ${flow.icmpType} code ${flow.icmpCode} id ${flow.icmpId}`;
  return `${flow.protocol} ${ends}${icmp}`;
}

function endText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
