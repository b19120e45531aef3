import { hasPortNumbers } from '../../ctnetlink/protocol.ts';
import type { PortExemption, PortRange } from '../plan.ts';
import { decodePortProtocol } from './protocols.ts';
import { Refusal } from './refusal.ts';

/** Reads a port, 443 or "443", or a range of them, "1000-2000". */
export function decodePorts(value: unknown): PortRange {
  const parts = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(typeof value === 'number' ? String(value) : textOf(value));
  if (!parts) throw new Refusal('is not a port: a number from 1 to 65535, or a range such as "1000-2000"');
  const from = Number(parts[1]);
  const to = parts[2] === undefined ? from : Number(parts[2]);
  if (from < 1 || to > 65535) throw new Refusal('is out of range: ports are numbers from 1 to 65535');
  if (from > to) throw new Refusal(`ends before it begins: "${to}-${from}"`);
  return { from, to };
}

/** Reads ports as above, of every protocol that has ports or, behind its name and a slash, of one: "udp/53". */
export function decodePortExemption(value: unknown): PortExemption {
  const slash = textOf(value).indexOf('/');
  if (slash === -1) return { ports: decodePorts(value) };
  const text = textOf(value);
  const protocol = decodePortProtocol(text.slice(0, slash), hasPortNumbers);
  return { protocol, ports: decodePorts(text.slice(slash + 1)) };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
