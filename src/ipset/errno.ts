import { errnoName } from '../nfnetlink/index.ts';
import {
  IPSET_CMD,
  IPSET_ERR,
  IPSET_ERR_BITMAP,
  IPSET_ERR_HASH,
  IPSET_ERR_LIST,
  IPSET_MAX_COMMENT_SIZE,
} from './constants.ts';

/** How a set stores its elements; the first word of its type. */
export type StorageMethod = 'bitmap' | 'hash' | 'list';

/** An errno's name, and what it means with what to do. */
export interface ErrnoMeaning {
  readonly code: string;
  readonly meaning?: string;
}

const general: Readonly<Record<number, string>> = {
  [IPSET_ERR.PRIVATE]: 'the set type refused the request for a reason of its own',
  [IPSET_ERR.PROTOCOL]:
    'the kernel could not use an attribute: check that the address is of the family of the set, and ' +
    'that the kernel speaks this protocol version',
  [IPSET_ERR.FIND_TYPE]:
    'the kernel has no such set type at this revision and family: load its module ' +
    '(modprobe ip_set_hash_net, ...), or create the set with an older revision',
  [IPSET_ERR.MAX_SETS]: 'no more sets fit: destroy some, or load ip_set with a larger max_sets',
  [IPSET_ERR.BUSY]: 'the set is busy: another request is at work on it, try again',
  [IPSET_ERR.EXIST_SETNAME2]: 'the second name is taken (rename), or names no set (swap)',
  [IPSET_ERR.TYPE_MISMATCH]: 'the two sets are of different types or families and cannot be swapped',
  [IPSET_ERR.EXIST]: 'the element is in the set already (add), or is not in it (delete, test)',
  [IPSET_ERR.INVALID_CIDR]: 'the prefix length is out of range for the set: 1 to 32, or 1 to 128',
  [IPSET_ERR.INVALID_NETMASK]: 'the netmask or bitmask of the set is out of range',
  [IPSET_ERR.INVALID_FAMILY]: 'the set type does not take this address family',
  [IPSET_ERR.TIMEOUT]: 'the set has no timeouts: create it with a timeout (0 makes elements permanent)',
  [IPSET_ERR.REFERENCED]: 'a firewall rule or a list:set refers to the set: remove the reference first',
  [IPSET_ERR.IPADDR_IPV4]: 'an IPv4 address is missing or of another family',
  [IPSET_ERR.IPADDR_IPV6]: 'an IPv6 address is missing or of another family',
  [IPSET_ERR.COUNTER]: 'the set has no counters: create it with counters',
  [IPSET_ERR.COMMENT]: `the set has no comments (create it with them), or the comment is over ${IPSET_MAX_COMMENT_SIZE} bytes`,
  [IPSET_ERR.INVALID_MARKMASK]: 'the mark mask of the set is zero: use 1 to 0xffffffff',
  [IPSET_ERR.SKBINFO]: 'the set has no skbinfo: create it with skbinfo',
  [IPSET_ERR.BITMASK_NETMASK_EXCL]: 'netmask and bitmask exclude each other: give one',
};

const specific = {
  hash: names('IPSET_ERR', IPSET_ERR_HASH, {
    [IPSET_ERR_HASH.HASH_FULL]: 'the set is full: destroy it and create it with a larger maxelem',
    [IPSET_ERR_HASH.HASH_ELEM]: 'the zero address, network or MAC cannot be stored in this type of set',
    [IPSET_ERR_HASH.INVALID_PROTO]: 'the protocol is unknown or 0',
    [IPSET_ERR_HASH.MISSING_PROTO]: 'the protocol of the port is missing',
    [IPSET_ERR_HASH.HASH_RANGE_UNSUPPORTED]: 'ranges of IPv6 addresses cannot be stored: add single ones',
    [IPSET_ERR_HASH.HASH_RANGE]: 'the range is not valid, or larger than the type allows',
  }),
  bitmap: names('IPSET_ERR', IPSET_ERR_BITMAP, {
    [IPSET_ERR_BITMAP.BITMAP_RANGE]: 'the element is outside the range of the set',
    [IPSET_ERR_BITMAP.BITMAP_RANGE_SIZE]: 'the range of the set holds over 65536 elements: narrow it',
  }),
  list: names('IPSET_ERR', IPSET_ERR_LIST, {
    [IPSET_ERR_LIST.NAME]: 'the member set does not exist: create it first',
    [IPSET_ERR_LIST.LOOP]: 'a list:set cannot hold a list:set',
    [IPSET_ERR_LIST.BEFORE]: 'no set was named to stand before or after',
    [IPSET_ERR_LIST.NAMEREF]: 'the set named to stand before or after does not exist',
    [IPSET_ERR_LIST.LIST_FULL]: 'the list is full: destroy it and create it with a larger size',
    [IPSET_ERR_LIST.REF_EXIST]: 'the set named to stand before or after is not in the list',
  }),
};

function names(
  group: string,
  ids: Readonly<Record<string, number>>,
  meanings: Readonly<Record<number, string>>,
): ReadonlyMap<number, Required<ErrnoMeaning>> {
  return new Map(
    Object.entries(ids).map(([name, errno]) => [
      errno,
      { code: `${group}_${name}`, meaning: meanings[errno]! },
    ]),
  );
}

const generalNames = names('IPSET_ERR', IPSET_ERR, general);

/** What the errnos of errno.h mean for ipset, where it is narrower than their name. */
function systemMeaning(errno: number, command: number): string | undefined {
  const name = errnoName(errno);
  if (command === IPSET_CMD.PROTOCOL && (name === 'EINVAL' || name === 'EOPNOTSUPP'))
    return 'this kernel has no ipset: load its module (modprobe ip_set; OpenWrt: kmod-ipset)';
  if (name === 'ENOENT')
    return 'no set has this name in this network namespace: create it, or check the name';
  if (name === 'EEXIST' && command === IPSET_CMD.CREATE)
    return 'a set of this name exists (and with `exist` differs): destroy it, or take another name';
  if (name === 'EPERM')
    return 'CAP_NET_ADMIN in the network namespace is needed: run as root, or grant the capability';
  return undefined;
}

/**
 * The name and meaning of a positive errno that an ipset command was refused with, or undefined where
 * errno.h's name says it all.
 *
 * From 4352 on the numbers depend on the storage method of the set; where it is not known, every
 * candidate is named.
 */
export function describeErrno(
  errno: number,
  command: number,
  method?: StorageMethod,
): ErrnoMeaning | undefined {
  if (errno < IPSET_ERR.PRIVATE) {
    const meaning = systemMeaning(errno, command);
    return meaning === undefined ? undefined : { code: errnoName(errno), meaning };
  }
  if (errno < IPSET_ERR.TYPE_SPECIFIC) {
    return generalNames.get(errno) ?? { code: `IPSET_ERR_${errno}`, meaning: 'unknown to this library' };
  }
  const methods = method ? [method] : (['hash', 'bitmap', 'list'] as const);
  const candidates = methods.flatMap((each) => {
    const found = specific[each].get(errno);
    return found ? [{ ...found, method: each }] : [];
  });
  if (candidates.length === 0) return { code: `IPSET_ERR_TYPE_SPECIFIC+${errno - IPSET_ERR.TYPE_SPECIFIC}` };
  if (candidates.length === 1) return { code: candidates[0]!.code, meaning: candidates[0]!.meaning };
  return {
    code: candidates.map(({ code }) => code).join(' or '),
    meaning: candidates.map((each) => `in a ${each.method} set: ${each.meaning}`).join('; '),
  };
}
