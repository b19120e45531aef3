import { parseAddress } from '../nfnetlink/address.ts';
import { AF } from '../nfnetlink/constants.ts';
import { EncodeError } from '../nfnetlink/errors.ts';
import { checkInteger } from './flowKey.ts';
import type { FlowView } from './flowView.ts';
import type { TupleView } from './tupleView.ts';

/** What one direction of a flow has to be. */
export interface DirectionFilter {
  /** An address, or a network as address/prefix. */
  readonly source?: string | undefined;
  readonly destination?: string | undefined;
  /** Flows without ports do not match. */
  readonly sourcePort?: number | undefined;
  readonly destinationPort?: number | undefined;
}

/** Which flows are wanted: those that all of its fields fit. An empty filter fits every flow. */
export interface FlowFilter {
  /** AF.INET or AF.INET6. */
  readonly family?: number | undefined;
  /** IP protocol number. */
  readonly protocol?: number | undefined;
  readonly original?: DirectionFilter | undefined;
  readonly reply?: DirectionFilter | undefined;
  /** The mark under the mask is this. */
  readonly mark?: number | undefined;
  /** The default compares every bit. */
  readonly markMask?: number | undefined;
  /** The status under the mask is this. */
  readonly status?: number | undefined;
  /** The default is the status itself: its bits are set, the others do not matter. */
  readonly statusMask?: number | undefined;
  /** The zone, of both directions or of one; 0 is the default zone. */
  readonly zone?: number | undefined;
}

/** A network with its address as bytes. */
export interface Network {
  readonly address: Uint8Array;
  /** Leading bits that count. */
  readonly prefix: number;
}

interface CheckedDirection {
  readonly source: Network | undefined;
  readonly destination: Network | undefined;
  readonly sourcePort: number | undefined;
  readonly destinationPort: number | undefined;
}

/** A filter whose values were checked, with addresses as bytes and defaults filled in. */
export interface CheckedFilter {
  readonly family: number | undefined;
  readonly protocol: number | undefined;
  readonly original: CheckedDirection;
  readonly reply: CheckedDirection;
  readonly mark: number | undefined;
  readonly markMask: number;
  readonly status: number | undefined;
  readonly statusMask: number;
  readonly zone: number | undefined;
}

const ALL_BITS = 0xffffffff;

/**
 * @throws EncodeError where a value is out of range, no address, of another family than the rest, or where
 * no flow could ever match: a mark with bits outside of its mask.
 */
export function checkFilter(filter: FlowFilter): CheckedFilter {
  const { family, protocol, mark, status, zone } = filter;
  const original = checkDirection(filter.original ?? {}, 'original');
  const reply = checkDirection(filter.reply ?? {}, 'reply');
  if (family !== undefined && family !== AF.INET && family !== AF.INET6) {
    throw new EncodeError(`${family} is neither AF.INET nor AF.INET6`, 'family');
  }
  const networks = [original.source, original.destination, reply.source, reply.destination];
  let implied = family;
  for (const network of networks) {
    if (!network) continue;
    const own = network.address.length === 4 ? AF.INET : AF.INET6;
    if (implied !== undefined && implied !== own) {
      throw new EncodeError('the filter names two address families, and no flow has two');
    }
    implied = own;
  }
  if (protocol !== undefined) checkInteger(protocol, 0xff, 'protocol');
  if (zone !== undefined) checkInteger(zone, 0xffff, 'zone');
  checkMasked(mark, filter.markMask, 'mark');
  checkMasked(status, filter.statusMask, 'status');
  if (status === 0 && filter.statusMask === undefined) {
    throw new EncodeError('0 asks for nothing: statusMask says which bits have to be clear', 'status');
  }
  return {
    ...{ family: implied, protocol, original, reply, mark, status, zone },
    markMask: filter.markMask ?? ALL_BITS,
    statusMask: filter.statusMask ?? status ?? 0,
  };
}

function checkMasked(value: number | undefined, mask: number | undefined, path: string): void {
  if (value !== undefined) checkInteger(value, ALL_BITS, path);
  if (mask === undefined) return;
  checkInteger(mask, ALL_BITS, `${path}Mask`);
  if (value === undefined) throw new EncodeError(`a mask without ${path} compares nothing`, `${path}Mask`);
  if ((value & ~mask) !== 0) throw new EncodeError('has bits outside of its mask: no flow can match', path);
}

function checkDirection(direction: DirectionFilter, path: string): CheckedDirection {
  const { source, destination, sourcePort, destinationPort } = direction;
  if (sourcePort !== undefined) checkInteger(sourcePort, 0xffff, `${path}.sourcePort`);
  if (destinationPort !== undefined) checkInteger(destinationPort, 0xffff, `${path}.destinationPort`);
  return {
    source: source === undefined ? undefined : checkNetwork(source, `${path}.source`),
    destination: destination === undefined ? undefined : checkNetwork(destination, `${path}.destination`),
    sourcePort,
    destinationPort,
  };
}

function checkNetwork(text: string, path: string): Network {
  const [address, prefixText, ...rest] = text.split('/');
  const bytes = parseAddress(address!);
  const prefix = prefixText === undefined ? (bytes?.length ?? 0) * 8 : Number(prefixText);
  const isPrefix = prefixText === undefined || /^\d{1,3}$/.test(prefixText);
  if (!bytes || !isPrefix || prefix > bytes.length * 8 || rest.length > 0) {
    throw new EncodeError(`'${text}' is neither an address nor a network like 192.0.2.0/24`, path);
  }
  return { address: bytes, prefix };
}

/** Whether a flow fits the whole filter, whatever the kernel has already compared. */
export function matchesFilter(filter: CheckedFilter, view: FlowView): boolean {
  if (filter.family !== undefined && view.family !== filter.family) return false;
  if (filter.protocol !== undefined && view.original.protocol !== filter.protocol) return false;
  if (filter.mark !== undefined && ((view.mark ^ filter.mark) & filter.markMask) !== 0) return false;
  if (filter.status !== undefined && ((view.status ^ filter.status) & filter.statusMask) !== 0) return false;
  if (filter.zone !== undefined && zoneOf(view) !== filter.zone) return false;
  return matchesDirection(filter.original, view.original) && matchesDirection(filter.reply, view.reply);
}

// nf_ct_zone_equal_any(): one number, whichever directions it holds for
function zoneOf(view: FlowView): number {
  return view.zone || (view.original.zone ?? view.reply.zone ?? 0);
}

function matchesDirection(wanted: CheckedDirection, tuple: TupleView): boolean {
  const { source, destination, sourcePort, destinationPort } = wanted;
  if (source && !tuple.isSourceIn(source.address, source.prefix)) return false;
  if (destination && !tuple.isDestinationIn(destination.address, destination.prefix)) return false;
  if (sourcePort !== undefined && !(tuple.hasPorts && tuple.sourcePort === sourcePort)) return false;
  return destinationPort === undefined || (tuple.hasPorts && tuple.destinationPort === destinationPort);
}
