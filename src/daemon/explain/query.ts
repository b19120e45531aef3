import { parseAddress } from '../../nfnetlink/address.ts';
import { decodeMark } from '../config/marks.ts';
import { suggestion } from '../config/nearest.ts';
import { decodeProtocol } from '../config/protocols.ts';
import { listText, Refusal, valueText } from '../config/refusal.ts';
import type { PlanInterface } from '../plan.ts';

/** What to explain: flows to an address, and what else is known of them. */
export interface ExplainQuery {
  readonly destination: Uint8Array;
  readonly source?: Uint8Array;
  readonly protocol?: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** Of an interface, or any. */
  readonly mark?: number;
}

/** A query as the control socket carries it: texts and numbers. */
export interface ExplainRequest {
  readonly destination?: unknown;
  readonly source?: unknown;
  readonly protocol?: unknown;
  readonly sourcePort?: unknown;
  readonly destinationPort?: unknown;
  readonly interface?: unknown;
  readonly mark?: unknown;
}

/**
 * Checks a query.
 * @throws Refusal that names the field, the value and what is allowed.
 */
export function decodeExplainQuery(
  request: ExplainRequest,
  interfaces: readonly PlanInterface[],
): ExplainQuery {
  const read = <T>(name: keyof ExplainRequest, reader: (value: unknown) => T): T | undefined => {
    const value = request[name];
    if (value === undefined) return undefined;
    try {
      return reader(value);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw new Refusal(`${name}: ${valueText(value)} ${error.message}`);
    }
  };
  const destination = read('destination', decodeAddress);
  if (!destination) throw new Refusal('destination: is missing');
  const source = read('source', decodeAddress);
  if (source && source.length !== destination.length) {
    throw new Refusal('source: is of another address family than the destination');
  }
  if (request.interface !== undefined && request.mark !== undefined) {
    throw new Refusal('interface: a flow has one mark: give either the interface or the mark');
  }
  const mark = read('mark', decodeMark) ?? read('interface', (name) => markOf(name, interfaces));
  const fields = {
    source,
    protocol: read('protocol', decodeProtocol),
    sourcePort: read('sourcePort', decodePort),
    destinationPort: read('destinationPort', decodePort),
    mark,
  };
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return { destination, ...Object.fromEntries(given) };
}

function decodeAddress(value: unknown): Uint8Array {
  const address = typeof value === 'string' ? parseAddress(value) : undefined;
  if (!address) throw new Refusal('is not an address such as "192.0.2.7" or "2001:db8::7"');
  return address;
}

function decodePort(value: unknown): number {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > 65535) {
    throw new Refusal('is not a port: a number from 0 to 65535');
  }
  return value as number;
}

function markOf(name: unknown, interfaces: readonly PlanInterface[]): number {
  const found = interfaces.find((each) => each.name === name);
  if (found) return found.mark;
  const names = interfaces.map((each) => each.name);
  const meant = typeof name === 'string' ? suggestion(name, names) : '';
  throw new Refusal(`is no interface of the configuration: one of ${listText(names)}${meant}`);
}
