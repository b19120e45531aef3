import { AF, EncodeError, parseAddress } from '../nfnetlink/index.ts';
import type { CreateOptionsWire, ListedOptionsWire } from './attributes.ts';
import { IPSET_CADT_FLAG } from './constants.ts';
import type { Feature, SetType } from './setType.ts';
import { checkTimeout } from './timeout.ts';

export type Family = 'ipv4' | 'ipv6';

/** The options of a new set; ipset(8) describes each. Absent ones are the kernel's defaults. */
export interface CreateOptions {
  /** The family of the addresses; IPv4 where absent. Not for types without addresses. */
  readonly family?: Family;
  /** Gives elements a time to live, and is its default in seconds; 0: they stay unless told otherwise. */
  readonly timeout?: number;
  readonly counters?: boolean;
  readonly comment?: boolean;
  readonly skbinfo?: boolean;
  /** When the set is full, an addition evicts a random element. */
  readonly forceAdd?: boolean;
  /** Initial size of the hash; the kernel rounds it up to a power of two. */
  readonly hashSize?: number;
  /** The most elements that a hash holds; 65536 where absent. */
  readonly maxElements?: number;
  /** The most elements in a bucket of the hash; the kernel rounds it to an even number from 2 to 12. */
  readonly bucketSize?: number;
  /** Seed of the hash: equal sets with equal seeds are listed in the same order. */
  readonly initialValue?: number;
  /** Prefix length that addresses are cut to. */
  readonly netmask?: number;
  /** Mask that is laid over addresses; excludes `netmask`. */
  readonly bitmask?: string;
  /** Mask that is laid over marks, of hash:ip,mark. */
  readonly markMask?: number;
  /** What a bitmap can hold: '10.0.0.0/24', '10.0.0.1-10.0.0.9', or ports '1000-2000'. */
  readonly range?: string;
  /** The most members of a list:set; 8 where absent. */
  readonly size?: number;
  /** A revision of the type; the newest that the kernel and this library know where absent. */
  readonly revision?: number;
}

const features: readonly Feature[] = [
  'timeout',
  'counters',
  'comment',
  'skbinfo',
  'forceAdd',
  'hashSize',
  'maxElements',
  'bucketSize',
  'initialValue',
  'netmask',
  'bitmask',
  'markMask',
  'range',
  'size',
];

const flagBits: readonly (readonly [keyof CreateOptions, number])[] = [
  ['counters', IPSET_CADT_FLAG.WITH_COUNTERS],
  ['comment', IPSET_CADT_FLAG.WITH_COMMENT],
  ['forceAdd', IPSET_CADT_FLAG.WITH_FORCEADD],
  ['skbinfo', IPSET_CADT_FLAG.WITH_SKBINFO],
];

/** AF.INET, AF.INET6, or 0 for types without addresses. */
export function familyOf(type: SetType, family: Family | undefined): number {
  if (type.families === 'none') {
    if (family !== undefined) throw new EncodeError(`${type.name} holds no addresses`, 'family');
    return AF.UNSPEC;
  }
  if (family === undefined || family === 'ipv4') return AF.INET;
  if (family !== 'ipv6') throw new EncodeError(`${JSON.stringify(family)} is not ipv4 or ipv6`, 'family');
  if (type.families === 'ipv4') throw new EncodeError(`${type.name} holds IPv4 addresses only`, 'family');
  return AF.INET6;
}

/** The name of an address family, or undefined where the set holds no addresses. */
export function familyName(family: number): Family | undefined {
  return family === AF.INET6 ? 'ipv6' : family === AF.INET ? 'ipv4' : undefined;
}

/**
 * The options of a new set as attributes.
 * @param revision the one that the set will have: an option that it lacks is refused
 * @throws EncodeError with the option's name as path.
 */
export function encodeCreateOptions(
  options: CreateOptions,
  type: SetType,
  revision: number,
  family: number,
): CreateOptionsWire {
  for (const feature of features) {
    const value = (options as Record<string, unknown>)[feature];
    if (value !== undefined && value !== false) checkFeature(feature, type, revision);
  }
  if (options.timeout !== undefined) checkTimeout(options.timeout);
  checkMasks(options, family);
  let flags = 0;
  for (const [option, bit] of flagBits) if (options[option]) flags |= bit;
  return {
    ...encodeRange(options.range, type),
    timeout: options.timeout,
    flags: flags === 0 ? undefined : flags,
    markMask: options.markMask,
    bitmask: options.bitmask,
    initialValue: options.initialValue,
    hashSize: options.hashSize,
    maxElements: options.maxElements,
    netmask: options.netmask,
    bucketSize: options.bucketSize,
    size: options.size,
  };
}

function checkFeature(feature: Feature, type: SetType, revision: number): void {
  const since = type.since[feature];
  if (since === undefined) throw new EncodeError(`${type.name} has no such option`, feature);
  if (since > revision) {
    throw new EncodeError(
      `${type.name} has it since revision ${since}, and revision ${revision} is what the kernel offers ` +
        'or was asked for: leave it out, or use a newer kernel',
      feature,
    );
  }
}

function checkMasks({ netmask, bitmask, markMask }: CreateOptions, family: number): void {
  const bits = family === AF.INET6 ? 128 : 32;
  if (netmask !== undefined && (!Number.isInteger(netmask) || netmask < 1 || netmask > bits)) {
    throw new EncodeError(`${netmask} is not a prefix length from 1 to ${bits}`, 'netmask');
  }
  if (netmask !== undefined && bitmask !== undefined) {
    throw new EncodeError('netmask and bitmask exclude each other', 'bitmask');
  }
  if (bitmask !== undefined) {
    const mask = parseAddress(bitmask);
    if (mask?.length !== bits / 8 || mask.every((byte) => byte === 0)) {
      throw new EncodeError(
        `${JSON.stringify(bitmask)} is no mask for ${bits === 32 ? 'IPv4' : 'IPv6'} addresses, 255.255.0.255`,
        'bitmask',
      );
    }
  }
  if (markMask === 0) throw new EncodeError('a mark mask of 0 lets every mark be equal', 'markMask');
}

function encodeRange(range: string | undefined, type: SetType): CreateOptionsWire {
  if (type.since.range === undefined) return {};
  if (range === undefined) throw new EncodeError(`${type.name} needs a range`, 'range');
  return type.name === 'bitmap:port' ? portRange(range) : addressRange(range);
}

function portRange(range: string): CreateOptionsWire {
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range) ?? [];
  const [port, portTo] = [Number(first), Number(last)];
  if (first === undefined || port > portTo || portTo > 0xffff) {
    throw new EncodeError(`${JSON.stringify(range)} is no range of ports, 1000-2000`, 'range');
  }
  return { port, portTo };
}

function addressRange(range: string): CreateOptionsWire {
  const [, ip, cidr, ipTo] = /^([\d.]+)(?:\/(\d{1,2})|-([\d.]+))$/.exec(range) ?? [];
  const isValid =
    ip !== undefined &&
    parseAddress(ip)?.length === 4 &&
    (ipTo === undefined || parseAddress(ipTo)?.length === 4) &&
    (cidr === undefined || (Number(cidr) >= 1 && Number(cidr) <= 32));
  if (!isValid) {
    throw new EncodeError(
      `${JSON.stringify(range)} is no range of IPv4 addresses, 10.0.0.0/24 or 10.0.0.1-10.0.0.9`,
      'range',
    );
  }
  return { ip, ...(ipTo === undefined ? { cidr: Number(cidr) } : { ipTo }) };
}

/** The options that make a set like a listed one. */
export function decodeCreateOptions(wire: ListedOptionsWire, type: SetType, family: number): CreateOptions {
  const { flags = 0 } = wire;
  const name = type.families === 'any' ? familyName(family) : undefined;
  return {
    ...(name !== undefined && { family: name }),
    ...(wire.ip !== undefined && { range: `${wire.ip}-${wire.ipTo ?? wire.ip}` }),
    ...(wire.port !== undefined && { range: `${wire.port}-${wire.portTo ?? wire.port}` }),
    ...(wire.hashSize !== undefined && { hashSize: wire.hashSize }),
    ...(wire.maxElements !== undefined && { maxElements: wire.maxElements }),
    ...(wire.netmask !== undefined && { netmask: wire.netmask }),
    ...(wire.bitmask !== undefined && { bitmask: wire.bitmask }),
    ...(wire.markMask !== undefined && { markMask: wire.markMask }),
    ...(wire.size !== undefined && { size: wire.size }),
    ...(wire.timeout !== undefined && { timeout: wire.timeout }),
    ...((flags & IPSET_CADT_FLAG.WITH_COUNTERS) !== 0 && { counters: true }),
    ...((flags & IPSET_CADT_FLAG.WITH_COMMENT) !== 0 && { comment: true }),
    ...((flags & IPSET_CADT_FLAG.WITH_FORCEADD) !== 0 && { forceAdd: true }),
    ...((flags & IPSET_CADT_FLAG.WITH_SKBINFO) !== 0 && { skbinfo: true }),
    ...(wire.bucketSize !== undefined && { bucketSize: wire.bucketSize }),
    ...(wire.initialValue !== undefined && { initialValue: wire.initialValue }),
  };
}
