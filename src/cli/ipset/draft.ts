import type { RequestedElementWire } from '../../ipset/attributes.ts';
import type { KnownType } from './knownType.ts';

/**
 * What was read of a command so far: the set, its type, and the attributes of a new set or of an
 * element, by the names that they have on the wire. A field that is absent was not given.
 */
export interface Draft extends RequestedElementWire {
  setName?: string;
  setName2?: string;
  typeName?: string;
  type?: KnownType;
  /** AF.INET, AF.INET6 or AF.UNSPEC; absent where nothing said it yet. */
  family?: number;
  /** Whether the family is only assumed, so that an option may still say it. */
  isFamilyAssumed?: boolean;
  /** Obsolete options that were warned about. */
  ignored?: Set<string>;
  hashSize?: number;
  maxElements?: number;
  markMask?: number;
  netmask?: number;
  bitmask?: Uint8Array;
  bucketSize?: number;
  initialValue?: number;
  size?: number;
}

/** The address family in force; AF.UNSPEC (0) where there is none. */
export function familyOf(draft: Draft): number {
  return draft.family ?? 0;
}
