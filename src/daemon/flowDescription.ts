import { hasPorts, isIcmp, protocolName } from '../ctnetlink/protocol.ts';
import { formatAddress } from '../nfnetlink/address.ts';
import { addressLength, type FlowStore } from './flowStore.ts';
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
  const length = addressLength(store.family(slot));
  const address = (at: number) => formatAddress(store.bytesOf(slot).subarray(at, at + length));
  return {
    family: familyName(store.family(slot)),
    protocol: protocolName(store.protocol(slot)),
    source: address(store.sourceAt(slot)),
    destination: address(store.destinationAt(slot)),
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
