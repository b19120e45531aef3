import {
  IPSET_CMD,
  IPSET_ERR,
  IPSET_ERR_BITMAP,
  IPSET_ERR_HASH,
  IPSET_ERR_LIST,
} from '../../ipset/constants.ts';
import type { StorageMethod } from '../../ipset/errno.ts';
import { ERRNO } from '../../nfnetlink/constants.ts';
import { systemErrorText } from './systemErrorText.ts';

type Texts = Readonly<Record<number, string>>;

/** What ipset(8) says for an errno, whichever command met it. */
const general: Texts = {
  [ERRNO.ENOENT]: 'The set with the given name does not exist',
  [ERRNO.EMSGSIZE]: 'Kernel error received: message could not be created',
  [ERRNO.ERANGE]: 'The specified range is too large, split it up into smaller ranges',
  [IPSET_ERR.PROTOCOL]: 'Kernel error received: ipset protocol error',
  [IPSET_ERR.FIND_TYPE]: 'Kernel error received: set type not supported',
  [IPSET_ERR.MAX_SETS]: 'Kernel error received: maximal number of sets reached, cannot create more.',
  [IPSET_ERR.INVALID_NETMASK]: 'The value of the netmask parameter is invalid',
  [IPSET_ERR.INVALID_MARKMASK]: 'The value of the markmask parameter is invalid',
  [IPSET_ERR.INVALID_FAMILY]: 'Protocol family not supported by the set type',
  [IPSET_ERR.BITMASK_NETMASK_EXCL]: 'netmask and bitmask options are mutually exclusive, provide only one',
  [IPSET_ERR.INVALID_CIDR]: 'The value of the CIDR parameter of the IP address is invalid',
  [IPSET_ERR.TIMEOUT]: 'Timeout cannot be used: set was created without timeout support',
  [IPSET_ERR.IPADDR_IPV4]: 'An IPv4 address is expected, but not received',
  [IPSET_ERR.IPADDR_IPV6]: 'An IPv6 address is expected, but not received',
  [IPSET_ERR.COUNTER]: 'Packet/byte counters cannot be used: set was created without counter support',
  [IPSET_ERR.COMMENT]: 'Comment cannot be used: set was created without comment support',
  [IPSET_ERR.SKBINFO]: 'Skbinfo mapping cannot be used: set was created without skbinfo support',
};

/** What it says for one command only. */
const byCommand: Readonly<Record<number, Texts>> = {
  [IPSET_CMD.CREATE]: {
    [ERRNO.EEXIST]: 'Set cannot be created: set with the same name already exists',
  },
  [IPSET_CMD.DESTROY]: {
    [IPSET_ERR.BUSY]: 'Set cannot be destroyed: it is in use by a kernel component',
  },
  [IPSET_CMD.RENAME]: {
    [IPSET_ERR.EXIST_SETNAME2]: 'Set cannot be renamed: a set with the new name already exists',
    [IPSET_ERR.REFERENCED]: 'Set cannot be renamed: it is in use by another system',
  },
  [IPSET_CMD.SWAP]: {
    [IPSET_ERR.EXIST_SETNAME2]: 'Sets cannot be swapped: the second set does not exist',
    [IPSET_ERR.TYPE_MISMATCH]: 'The sets cannot be swapped: their type does not match',
  },
  [IPSET_CMD.ADD]: {
    [IPSET_ERR.EXIST]: "Element cannot be added to the set: it's already added",
  },
  [IPSET_CMD.DEL]: {
    [IPSET_ERR.EXIST]: "Element cannot be deleted from the set: it's not added",
  },
  [IPSET_CMD.TYPE]: {
    [ERRNO.EEXIST]: 'Kernel error received: set type does not supported',
  },
};

const byMethod: Readonly<Record<StorageMethod, Texts>> = {
  bitmap: {
    [IPSET_ERR_BITMAP.BITMAP_RANGE]: 'Element is out of the range of the set',
    [IPSET_ERR_BITMAP.BITMAP_RANGE_SIZE]: 'The range you specified exceeds the size limit of the set type',
  },
  hash: {
    [IPSET_ERR_HASH.HASH_FULL]: 'Hash is full, cannot add more elements',
    [IPSET_ERR_HASH.HASH_ELEM]: 'Null-valued element, cannot be stored in a hash type of set',
    [IPSET_ERR_HASH.INVALID_PROTO]: 'Invalid protocol specified',
    [IPSET_ERR_HASH.MISSING_PROTO]: 'Protocol missing, but must be specified',
    [IPSET_ERR_HASH.HASH_RANGE_UNSUPPORTED]: 'Range is not supported in the "net" component of the element',
    [IPSET_ERR_HASH.HASH_RANGE]: 'Invalid range, covers the whole address space',
  },
  list: {
    [IPSET_ERR_LIST.NAME]: 'Set to be added/deleted/tested as element does not exist.',
    [IPSET_ERR_LIST.LOOP]: 'Sets with list:set type cannot be added to the set.',
    [IPSET_ERR_LIST.BEFORE]: 'No reference set specified.',
    [IPSET_ERR_LIST.NAMEREF]: "The set to which you referred with 'before' or 'after' does not exist.",
    [IPSET_ERR_LIST.LIST_FULL]: 'The set is full, more elements cannot be added.',
    [IPSET_ERR_LIST.REF_EXIST]:
      "The set to which you referred with 'before' or 'after' is not added to the set.",
  },
};

/**
 * What ipset(8) says where the kernel refuses.
 * @param method how the set of the command is stored; undefined for commands that know no type
 */
export function kernelErrorText(errno: number, command: number, method?: StorageMethod): string {
  const specific = errno >= IPSET_ERR.TYPE_SPECIFIC && method ? byMethod[method][errno] : undefined;
  // a bitmap's range is too large at its creation only
  const isMisplaced =
    method === 'bitmap' && errno === IPSET_ERR_BITMAP.BITMAP_RANGE_SIZE && command !== IPSET_CMD.CREATE;
  const text = (isMisplaced ? undefined : specific) ?? byCommand[command]?.[errno] ?? general[errno];
  if (text !== undefined) return text;
  if (errno < IPSET_ERR.PRIVATE) return `Kernel error received: ${systemErrorText(errno)}`;
  return `Undecoded error ${errno} received from kernel`;
}
