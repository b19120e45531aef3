import { errnoName } from '../nfnetlink/errno.ts';
import { IPCTNL_MSG_CT, IPCTNL_MSG_EXP } from './constants.ts';

/** What an errno means and what to do about it, by the name of the errno. */
type Meanings = Readonly<Record<string, string>>;

export interface Refusal {
  readonly code: string;
  readonly meaning?: string;
}

const common: Meanings = {
  EPERM: 'CAP_NET_ADMIN in this network namespace is needed: run as root',
  EINVAL:
    'the kernel lacks this command or finds a value in it impossible: where every request fails so, load the module nf_conntrack_netlink',
  ENOMEM: 'the kernel is out of memory, or the table is full: see net.netfilter.nf_conntrack_max',
  ERANGE: 'an attribute is shorter, longer or larger than this kernel allows',
};

// sources: net/netfilter/nf_conntrack_netlink.c and nf_conntrack_core.c, function names at each
const flowMeanings: Readonly<Record<number, Meanings>> = {
  [IPCTNL_MSG_CT.NEW]: {
    // ctnetlink_change_timeout()
    EPERM: `${common.EPERM}; or the flow's timeout is fixed (IPS_FIXED_TIMEOUT)`,
    // ctnetlink_new_conntrack(), ctnetlink_create_conntrack()
    ENOENT: 'no such flow to update, or the master of the flow to create is gone',
    EEXIST: 'a flow with one of these tuples exists: update it, or delete it first',
    // ctnetlink_change_status(), ctnetlink_change_helper()
    EBUSY: 'a status bit cannot be changed so, or another helper is attached',
    EINVAL: `a flow is created from two complete tuples of one protocol and a timeout; or ${common.EINVAL}`,
    EOPNOTSUPP: 'the helper is unknown to this kernel or protocol, or an existing flow cannot get it',
    // ctnetlink_attach_labels(), nf_conntrack_hash_check_insert()
    ENOSPC: 'the flow has no room for labels (a rule must use labels first), or its hash chain is full',
  },
  [IPCTNL_MSG_CT.GET]: {
    ENOENT: 'no such flow: compare the zone too',
    EBUSY: 'another dump runs on this socket: wait for its end',
    EOPNOTSUPP: 'the family is neither IPv4 nor IPv6, or this kernel lacks the filter',
  },
  [IPCTNL_MSG_CT.DELETE]: {
    ENOENT: 'no such flow, or its id is another',
    // ctnetlink_del_conntrack()
    EBUSY: 'the flow is offloaded to a flow table: it ends when its traffic does',
    EOPNOTSUPP: 'the family is neither IPv4 nor IPv6, or this kernel lacks the filter',
  },
};

const expectationMeanings: Readonly<Record<number, Meanings>> = {
  [IPCTNL_MSG_EXP.NEW]: {
    ENOENT: 'the master flow is gone',
    EEXIST: 'such an expectation exists',
    EINVAL: `an expectation is created from a master, a tuple and a mask; or ${common.EINVAL}`,
    // ctnetlink_create_expect()
    EOPNOTSUPP: 'the master flow has no helper: attach one first',
    EMFILE: 'the master flow has as many expectations as its helper allows',
  },
  [IPCTNL_MSG_EXP.GET]: {
    ENOENT: 'no such expectation, or its id is another',
    EBUSY: 'another dump runs on this socket: wait for its end',
  },
  [IPCTNL_MSG_EXP.DELETE]: { ENOENT: 'no such expectation, or its id is another' },
};

function refusal(errno: number, meanings: Meanings | undefined): Refusal {
  const code = errnoName(errno);
  const meaning = meanings?.[code] ?? common[code];
  return meaning === undefined ? { code } : { code, meaning };
}

/** What the kernel means by refusing a command about flows (IPCTNL_MSG_CT). */
export function flowRefusal(errno: number, command: number): Refusal {
  const asked = command === IPCTNL_MSG_CT.GET_CTRZERO ? IPCTNL_MSG_CT.GET : command;
  return refusal(errno, flowMeanings[asked]);
}

/** What the kernel means by refusing a command about expectations (IPCTNL_MSG_EXP). */
export function expectationRefusal(errno: number, command: number): Refusal {
  return refusal(errno, expectationMeanings[command]);
}
