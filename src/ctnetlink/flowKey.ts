import { parseAddress } from '../nfnetlink/address.ts';
import { AF } from '../nfnetlink/constants.ts';
import { EncodeError } from '../nfnetlink/errors.ts';
import { IPPROTO } from './constants.ts';
import type { FlowAttributes } from './flow.ts';
import type { CompleteTuple } from './tuple.ts';

interface KeyDetails {
  /** The zone of both directions; a flow of another zone is not found. */
  readonly zone?: number | undefined;
  /** Compared by delete alone: a flow with another id is left, and counts as absent. */
  readonly id?: number | undefined;
}

/**
 * What names one flow to the kernel: a tuple of either direction, and the zone. A Flow is one. The original
 * tuple goes first where both are there.
 */
export type FlowKey = KeyDetails &
  (
    | { readonly originalTuple: CompleteTuple; readonly replyTuple?: CompleteTuple | undefined }
    | { readonly originalTuple?: undefined; readonly replyTuple: CompleteTuple }
  );

/** A key's attributes, checked, and the address family that its message carries. */
export interface EncodedKey {
  readonly family: number;
  readonly attributes: FlowAttributes;
}

const portProtocols: readonly number[] = [
  IPPROTO.TCP,
  IPPROTO.UDP,
  IPPROTO.UDPLITE,
  IPPROTO.SCTP,
  IPPROTO.GRE,
];

/** @throws EncodeError where the key does not name one flow. */
export function encodeKey(key: FlowKey): EncodedKey {
  if (typeof key !== 'object' || key === null) throw new EncodeError('a flow key is an object with a tuple');
  const { originalTuple, replyTuple, zone, id } = key;
  if (zone !== undefined) checkInteger(zone, 0xffff, 'zone');
  if (id !== undefined) checkInteger(id, 0xffffffff, 'id');
  if (originalTuple !== undefined) {
    const family = checkTuple(originalTuple, 'originalTuple');
    return { family, attributes: { originalTuple, zone } };
  }
  const family = checkTuple(replyTuple, 'replyTuple');
  return { family, attributes: { replyTuple, zone } };
}

/**
 * Checks that a tuple names a flow as the kernel wants it, and returns its address family.
 * @throws EncodeError with the path of the field that is wrong or missing.
 */
export function checkTuple(tuple: unknown, path: string): number {
  if (typeof tuple !== 'object' || tuple === null) throw new EncodeError('a complete tuple is needed', path);
  const { source, destination, protocol, sourcePort, destinationPort, icmpId, icmpType, icmpCode, zone } =
    tuple as Partial<CompleteTuple>;
  const sourceLength = addressLength(source, `${path}.source`);
  if (addressLength(destination, `${path}.destination`) !== sourceLength) {
    throw new EncodeError(
      `${destination} is of another address family than ${source}`,
      `${path}.destination`,
    );
  }
  checkInteger(protocol, 0xff, `${path}.protocol`);
  const hasPorts = portProtocols.includes(protocol!);
  if (hasPorts || sourcePort !== undefined) checkInteger(sourcePort, 0xffff, `${path}.sourcePort`);
  if (hasPorts || destinationPort !== undefined) {
    checkInteger(destinationPort, 0xffff, `${path}.destinationPort`);
  }
  const isIcmp = protocol === IPPROTO.ICMP || protocol === IPPROTO.ICMPV6;
  if (isIcmp || icmpId !== undefined) checkInteger(icmpId, 0xffff, `${path}.icmpId`);
  if (isIcmp || icmpType !== undefined) checkInteger(icmpType, 0xff, `${path}.icmpType`);
  if (isIcmp || icmpCode !== undefined) checkInteger(icmpCode, 0xff, `${path}.icmpCode`);
  if (zone !== undefined) checkInteger(zone, 0xffff, `${path}.zone`);
  return sourceLength === 4 ? AF.INET : AF.INET6;
}

function addressLength(address: unknown, path: string): number {
  const bytes = typeof address === 'string' ? parseAddress(address) : undefined;
  if (!bytes) throw new EncodeError(`${shown(address)} is not an IPv4 or IPv6 address`, path);
  return bytes.length;
}

/** @throws EncodeError where the value is not an integer from 0 to `max`. */
export function checkInteger(value: unknown, max: number, path: string): void {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > max) {
    throw new EncodeError(`${shown(value)} is not an integer from 0 to ${max}`, path);
  }
}

// some values have no text of their own: String() of an object without a prototype throws
function shown(value: unknown): string {
  if (typeof value === 'object' || typeof value === 'function') return value === null ? 'null' : typeof value;
  return typeof value === 'string' ? `'${value}'` : String(value);
}
