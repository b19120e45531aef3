import { parseAddress } from '../../nfnetlink/address.ts';
import { decodeProtocol } from '../config/protocols.ts';
import { withoutHostBits } from '../network.ts';
import type { Network, PortRange } from '../plan.ts';

/** Names that /etc/protocols has and ours have not, so that iptables knows them. */
const otherProtocols: ReadonlyMap<string, number> = new Map([
  ['igmp', 2],
  ['ipencap', 4],
  ['ipv6', 41],
  ['esp', 50],
  ['ah', 51],
  ['ipv6-icmp', 58],
  ['ospf', 89],
  ['ipip', 94],
  ['pim', 103],
  ['vrrp', 112],
  ['l2tp', 115],
]);

/** A network as iptables takes it: host bits are cleared, the prefix may be a mask; undefined for others. */
export function readNetwork(text: string): Network | undefined {
  const [host = '', behind, ...more] = text.split('/');
  const address = parseAddress(host);
  if (!address || more.length > 0) return undefined;
  const prefix = behind === undefined ? address.length * 8 : prefixOf(behind, address.length);
  return prefix === undefined ? undefined : { address: withoutHostBits(address, prefix), prefix };
}

function prefixOf(text: string, length: number): number | undefined {
  if (/^\d{1,3}$/.test(text)) return Number(text) <= length * 8 ? Number(text) : undefined;
  const mask = parseAddress(text);
  if (mask?.length !== length) return undefined;
  const bits = [...mask].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const prefix = bits.indexOf('0') === -1 ? bits.length : bits.indexOf('0');
  return bits.includes('1', prefix) ? undefined : prefix;
}

/** A port, or a range 'from:to', of the multiport match; undefined for others. */
export function readPorts(text: string): PortRange | undefined {
  const parts = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(text);
  if (!parts) return undefined;
  const from = Number(parts[1]);
  const to = Number(parts[2] ?? parts[1]);
  return from <= to && to <= 65535 ? { from, to } : undefined;
}

/** The number of a protocol, by name or number; null for all of them, undefined for what iptables refuses. */
export function readProtocol(text: string): number | null | undefined {
  const name = text.toLowerCase();
  const number = /^\d{1,3}$/.test(name) ? Number(name) : otherProtocols.get(name);
  // 0 is iptables' own word for all
  if (name === 'all' || number === 0) return null;
  try {
    return decodeProtocol(number ?? name);
  } catch {
    return undefined;
  }
}
