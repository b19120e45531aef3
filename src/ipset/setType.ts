import { EncodeError } from '../nfnetlink/index.ts';
import type { StorageMethod } from './errno.ts';

/** Every set type of ipset(8). */
export type SetTypeName =
  | 'bitmap:ip'
  | 'bitmap:ip,mac'
  | 'bitmap:port'
  | 'hash:ip'
  | 'hash:mac'
  | 'hash:ip,mac'
  | 'hash:net'
  | 'hash:net,net'
  | 'hash:ip,port'
  | 'hash:net,port'
  | 'hash:ip,port,ip'
  | 'hash:ip,port,net'
  | 'hash:ip,mark'
  | 'hash:net,port,net'
  | 'hash:net,iface'
  | 'list:set';

/** What one dimension of an element is. */
export type Dimension = 'ip' | 'net' | 'port' | 'mac' | 'mark' | 'iface' | 'set';

/** What a set or an element may be given beside its key. */
export type Feature =
  | 'timeout'
  | 'counters'
  | 'comment'
  | 'skbinfo'
  | 'forceAdd'
  | 'hashSize'
  | 'maxElements'
  | 'bucketSize'
  | 'initialValue'
  | 'netmask'
  | 'bitmask'
  | 'markMask'
  | 'range'
  | 'size'
  | 'nomatch'
  | 'wildcard';

/** What the kernel, and this library, know of a set type. */
export interface SetType {
  readonly name: SetTypeName;
  readonly method: StorageMethod;
  readonly dimensions: readonly Dimension[];
  /** 'any': IPv4 or IPv6 by the set; 'ipv4': IPv4 only; 'none': the elements hold no address. */
  readonly families: 'any' | 'ipv4' | 'none';
  /** The newest revision that this table describes; a newer kernel is asked for this one. */
  readonly revision: number;
  /** Since which revision the type takes what; absent: never. */
  readonly since: Readonly<Partial<Record<Feature, number>>>;
  /** Whether one request may name a range of IPv4 addresses (or, for host types, a network of them). */
  readonly addressRanges: boolean;
  /** Whether this row was held against a kernel; otherwise against kernel sources and ipset(8) alone. */
  readonly isVerified: boolean;
}

const hashOptions = { timeout: 0, hashSize: 0, maxElements: 0 } as const;

/** Revisions in which the hash types gained their options, one after the other. */
function hashSince(counters: number, comment: number, forceAdd: number, skbinfo: number, bucketSize: number) {
  return { ...hashOptions, counters, comment, forceAdd, skbinfo, bucketSize, initialValue: bucketSize };
}

const plainSince = { timeout: 0, counters: 1, comment: 2, skbinfo: 3 } as const;

type Given = 'revision' | 'since';
type Defaulted = 'families' | 'addressRanges' | 'isVerified';
type Rest = Pick<SetType, Given> & Partial<Pick<SetType, Defaulted>>;

function setType(name: SetTypeName, rest: Rest): SetType {
  const [method, data] = name.split(':') as [StorageMethod, string];
  const dimensions = data.split(',') as Dimension[];
  return { name, method, dimensions, families: 'any', addressRanges: true, isVerified: true, ...rest };
}

/**
 * The set types, with the revisions in which each gained an option.
 * Sources: the IPSET_TYPE_REV_MAX comments of net/netfilter/ipset/ip_set_*.c (Linux 6.18), `ipset help`
 * of ipset 7.17 and ipset(8). The kernel that this library is tested on has no module for the types that
 * are not verified.
 */
const table: readonly SetType[] = [
  setType('bitmap:ip', {
    families: 'ipv4',
    revision: 3,
    since: { ...plainSince, range: 0, netmask: 0 },
  }),
  setType('bitmap:ip,mac', {
    families: 'ipv4',
    revision: 3,
    since: { ...plainSince, range: 0 },
    addressRanges: false,
  }),
  setType('bitmap:port', { families: 'none', revision: 3, since: { ...plainSince, range: 0 } }),
  setType('hash:ip', { revision: 6, since: { ...hashSince(1, 2, 3, 4, 5), netmask: 0, bitmask: 6 } }),
  setType('hash:mac', { families: 'none', revision: 1, since: hashSince(0, 0, 0, 0, 1), isVerified: false }),
  setType('hash:ip,mac', {
    revision: 1,
    since: hashSince(0, 0, 0, 0, 1),
    addressRanges: false,
    isVerified: false,
  }),
  setType('hash:net', { revision: 7, since: { ...hashSince(3, 4, 5, 6, 7), nomatch: 2 } }),
  setType('hash:net,net', {
    revision: 4,
    since: { ...hashSince(0, 0, 1, 2, 3), nomatch: 0, netmask: 4, bitmask: 4 },
    isVerified: false,
  }),
  setType('hash:ip,port', { revision: 7, since: { ...hashSince(2, 3, 4, 5, 6), netmask: 7, bitmask: 7 } }),
  setType('hash:net,port', { revision: 8, since: { ...hashSince(4, 5, 6, 7, 8), nomatch: 3 } }),
  setType('hash:ip,port,ip', { revision: 6, since: hashSince(2, 3, 4, 5, 6) }),
  setType('hash:ip,port,net', { revision: 8, since: { ...hashSince(4, 5, 6, 7, 8), nomatch: 3 } }),
  setType('hash:ip,mark', {
    revision: 3,
    since: { ...hashSince(0, 0, 1, 2, 3), markMask: 0 },
    isVerified: false,
  }),
  setType('hash:net,port,net', {
    revision: 3,
    since: { ...hashSince(0, 0, 1, 2, 3), nomatch: 0 },
    isVerified: false,
  }),
  setType('hash:net,iface', {
    revision: 8,
    since: { ...hashSince(3, 4, 5, 6, 8), nomatch: 1, wildcard: 7 },
  }),
  setType('list:set', { families: 'none', revision: 3, since: { ...plainSince, size: 0 } }),
];

const byName = new Map<string, SetType>(table.map((type) => [type.name, type]));

/** Every set type that this library can encode. */
export const setTypes: readonly SetType[] = table;

/** The set type of this name, or undefined where this library knows none. */
export function findSetType(name: string): SetType | undefined {
  return byName.get(name);
}

/**
 * The set type of this name.
 * @throws EncodeError where there is none, naming those that there are.
 */
export function setTypeOf(name: string): SetType {
  const type = byName.get(name);
  if (!type)
    throw new EncodeError(`${JSON.stringify(name)} is none of ${[...byName.keys()].join(' ')}`, 'type');
  return type;
}
