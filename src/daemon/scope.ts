import { hasPortNumbers } from '../ctnetlink/protocol.ts';
import { AF } from '../nfnetlink/constants.ts';
import type { NetworkSet } from './network.ts';
import type { PortExemption } from './plan.ts';
import type { IgnoreReason } from './verdict.ts';

/** Where a flow's facts are read: addresses in place, at offsets into `bytes`. */
export interface ScopeFacts {
  readonly family: number;
  readonly protocol: number;
  /** Looked at for protocols with port numbers only. */
  readonly destinationPort: number;
  readonly bytes: Uint8Array;
  readonly sourceAt: number;
  readonly destinationAt: number;
}

/** What is known beforehand of addresses that are not to be touched. */
export interface Surroundings {
  /** Networks on a link of this machine, its own addresses and their broadcast addresses. */
  readonly connected: NetworkSet;
  readonly exemptDestinations: NetworkSet;
  readonly exemptSources: NetworkSet;
  readonly exemptPorts: readonly PortExemption[];
}

/** Why the flow's ends put it out of scope, or undefined where they do not. Its mark is not looked at. */
export function outOfScope(flow: ScopeFacts, around: Surroundings): IgnoreReason | undefined {
  const { family, bytes, destinationAt } = flow;
  if (family !== AF.INET && family !== AF.INET6) return 'unsupported-family';
  const special = family === AF.INET ? specialIpv4(bytes, destinationAt) : specialIpv6(bytes, destinationAt);
  if (special) return special;
  if (around.connected.has(family, bytes, destinationAt)) return 'connected';
  if (around.exemptDestinations.has(family, bytes, destinationAt)) return 'exempt-destination';
  if (around.exemptSources.has(family, bytes, flow.sourceAt)) return 'exempt-source';
  for (const { protocol, ports } of around.exemptPorts) {
    const protocolFits = protocol === undefined ? hasPortNumbers(flow.protocol) : protocol === flow.protocol;
    if (protocolFits && flow.destinationPort >= ports.from && flow.destinationPort <= ports.to)
      return 'exempt-port';
  }
  return undefined;
}

function specialIpv4(bytes: Uint8Array, at: number): IgnoreReason | undefined {
  const first = bytes[at]!;
  if (first === 127) return 'loopback';
  if (first === 169 && bytes[at + 1] === 254) return 'link-local';
  if (first >= 224 && first < 240) return 'multicast';
  const all = bytes[at]! & bytes[at + 1]! & bytes[at + 2]! & bytes[at + 3]!;
  return all === 255 ? 'broadcast' : undefined;
}

function specialIpv6(bytes: Uint8Array, at: number): IgnoreReason | undefined {
  const first = bytes[at]!;
  if (first === 0xff) return 'multicast';
  if (first === 0xfe && (bytes[at + 1]! & 0xc0) === 0x80) return 'link-local';
  for (let i = 0; i < 15; i++) if (bytes[at + i] !== 0) return undefined;
  return bytes[at + 15] === 1 ? 'loopback' : undefined;
}
