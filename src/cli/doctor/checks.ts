import type { KernelError } from '../../nfnetlink/errors.ts';
import { isNetlinkError, isPermissionError } from '../errors.ts';
import type { Facts } from './facts.ts';
import type { Check, Finding, Status } from './finding.ts';

type MachineCheck = Check<Facts>;

const sysctlLine = (name: string, value: number) => `sysctl -w net.netfilter.nf_conntrack_${name}=${value}`;

const platform: MachineCheck = ({ platform: name }) => ({
  name: 'operating system',
  status: name === 'linux' ? 'ok' : 'fail',
  found: name,
  why: 'netlink is a part of Linux; elsewhere only messages can be decoded',
  ...(name !== 'linux' && { mend: 'run resteer on the Linux router itself' }),
});

/** The oldest runtime that the program is written for, as in package.json. */
const OLDEST_NODE = [18, 20] as const;

const node: MachineCheck = ({ nodeVersion }) => {
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number);
  const isOld = major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1]);
  return {
    name: 'Node.js',
    status: isOld ? 'fail' : 'ok',
    found: nodeVersion,
    why: `older than ${OLDEST_NODE.join('.')} lacks what resteer is built on; 26.9 and later are the fastest`,
    ...(isOld && { mend: `install Node.js ${OLDEST_NODE.join('.')} or later` }),
  };
};

/** An idle Node takes about 40 MB, the daemon's largest tables 45 MB more. */
const WANTED_KILOBYTES = 96 * 1024;

const memory: MachineCheck = ({ availableKilobytes }) => {
  if (availableKilobytes === undefined) return undefined;
  const isTight = availableKilobytes < WANTED_KILOBYTES;
  return {
    name: 'memory',
    status: isTight ? 'warn' : 'ok',
    found: `${Math.floor(availableKilobytes / 1024)} MB available`,
    why: 'Node takes about 40 MB, 262,144 pending flows 45 MB more',
    ...(isTight && { mend: 'stop other programs, or set limits.pendingFlows lower' }),
  };
};

const privileges: MachineCheck = ({ isNetAdmin, isUserNamespace, table }) => {
  const inside = isUserNamespace ? ' (in a user namespace: for its own network namespaces only)' : '';
  const why = 'the kernel answers no conntrack or ipset message, and joins no event group, without it';
  if (isNetAdmin === undefined) {
    return {
      name: 'privileges',
      status: 'warn',
      found: 'unknown: /proc/self/status cannot be read',
      why,
      mend: 'mount /proc',
    };
  }
  if (isNetAdmin && 'error' in table && isPermissionError(table.error)) {
    return {
      name: 'privileges',
      status: 'fail',
      found: `CAP_NET_ADMIN${inside}, but the kernel refuses it in this network namespace`,
      why,
      mend: 'run as root outside, or in a network namespace made inside: unshare --net',
    };
  }
  if (isNetAdmin) return { name: 'privileges', status: 'ok', found: `CAP_NET_ADMIN${inside}`, why };
  return {
    name: 'privileges',
    status: 'fail',
    found: `CAP_NET_ADMIN is missing${inside}`,
    why,
    mend: 'run as root, or from a service with AmbientCapabilities=CAP_NET_ADMIN',
  };
};

const transport: MachineCheck = ({ transport: answer }) => {
  const name = 'transport';
  const why = 'everything is read and sent through it; ffi takes less than half of the time of handle';
  if ('error' in answer) {
    return { name, status: 'fail', found: reasonOf(answer.error), why, mend: 'unset RESTEER_TRANSPORT' };
  }
  const { kind, why: reason } = answer.value;
  if (kind) return { name, status: 'ok', found: `${kind}: ${reason}`, why };
  const mend =
    'install Node.js 26.9 or later, or start resteer with an inherited netlink socket (LISTEN_FDS)';
  return { name, status: 'fail', found: `none: ${reason}`, why, mend };
};

/** What a subsystem's silence means: absent, forbidden, or broken. */
function unanswered(error: unknown, module: string): Pick<Finding, 'status' | 'found' | 'mend'> {
  if (isPermissionError(error)) {
    return { status: 'warn', found: 'not known: not permitted to ask', mend: 'run as root' };
  }
  if (isAbsence(error)) {
    return {
      status: 'fail',
      found: 'this kernel does not have it, or it is not loaded',
      mend: `modprobe ${module} (OpenWrt: opkg install ${openWrtPackages[module]})`,
    };
  }
  return { status: 'fail', found: `no answer: ${reasonOf(error)}` };
}

const openWrtPackages: Readonly<Record<string, string>> = {
  nf_conntrack_netlink: 'kmod-nf-conntrack-netlink',
  ip_set: 'kmod-ipt-ipset',
};

// nfnetlink answers EINVAL to a subsystem that it does not have; without nfnetlink there is no socket
function isAbsence(error: unknown): boolean {
  if (!isNetlinkError(error) || (error.kind !== 'kernel' && error.kind !== 'transport')) return false;
  const { code } = error as KernelError;
  return code === 'EINVAL' || code === 'EPROTONOSUPPORT' || code === 'EAFNOSUPPORT' || code === 'EOPNOTSUPP';
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const conntrack: MachineCheck = ({ table }) => {
  const name = 'ctnetlink';
  const why = 'flows are watched, read and deleted through it';
  if ('error' in table) return { name, why, ...unanswered(table.error, 'nf_conntrack_netlink') };
  return { name, status: 'ok', found: 'present', why };
};

const tracking: MachineCheck = ({ table }) => {
  if ('error' in table) return undefined;
  const { entries } = table.value;
  return {
    name: 'tracked flows',
    status: entries > 0 ? 'ok' : 'warn',
    found: String(entries),
    why: 'the kernel tracks nothing in a network namespace until a rule asks for it (NAT, ct state, ct mark)',
    ...(entries === 0 && { mend: 'if there is traffic, look for such a rule: nft list ruleset' }),
  };
};

/** From here on new flows are about to be refused, and the kernel drops early what it takes for idle. */
const FULL_FROM = 0.8;

const tableSize: MachineCheck = ({ table }) => {
  if ('error' in table || !table.value.maximum) return undefined;
  const { entries, maximum } = table.value;
  const share = entries / maximum;
  const status: Status = share < FULL_FROM ? 'ok' : share < 1 ? 'warn' : 'fail';
  return {
    name: 'table size',
    status,
    found: `${entries} of at most ${maximum} flows (${Math.round(share * 100)} %)`,
    why: 'a full table drops the first packet of every new flow',
    ...(status !== 'ok' && { mend: sysctlLine('max', maximum * 2) }),
  };
};

const ipset: MachineCheck = ({ ipset: answer }) => {
  const name = 'ip_set';
  const why = 'the sets say which uplink an application belongs to';
  if ('error' in answer) return { name, why, ...unanswered(answer.error, 'ip_set') };
  const { protocol, protocolMin } = answer.value;
  const isSpoken = protocolMin <= 7 && protocol >= 6;
  return {
    name,
    status: isSpoken ? 'ok' : 'fail',
    found: protocolMin === protocol ? `protocol ${protocol}` : `protocol ${protocolMin} to ${protocol}`,
    why,
    ...(!isSpoken && { mend: 'resteer speaks protocols 6 and 7: use another kernel' }),
  };
};

const eventModes = ['off', 'always on', 'on while someone listens'];

const events: MachineCheck = ({ sysctl }) => {
  const name = 'nf_conntrack_events';
  const why = 'a misplaced flow is seen when it begins; without events only by sweeps of the whole table';
  if (sysctl.events === undefined) {
    const found = 'this kernel has no conntrack events, or conntrack is not loaded';
    return { name, status: 'warn', found, why, mend: 'modprobe nf_conntrack_netlink' };
  }
  return {
    name,
    status: sysctl.events === 0 ? 'warn' : 'ok',
    found: `${sysctl.events} (${eventModes[sysctl.events] ?? 'unknown'})`,
    why,
    ...(sysctl.events === 0 && { mend: sysctlLine('events', 1) }),
  };
};

/** What becomes of a TCP connection whose entry is deleted under it. */
const tcpLoose: MachineCheck = ({ sysctl }) => {
  const name = 'nf_conntrack_tcp_loose';
  const why =
    'after a reset the next packet leaves by the new uplink with a new source address, unknown to the server; ' +
    'where the uplink stays the same nothing changes';
  if (sysctl.tcpLoose === undefined) return undefined;
  if (sysctl.tcpLoose !== 0) {
    return { name, status: 'ok', found: '1: a reset TCP client gets a RST at once and reconnects', why };
  }
  return {
    name,
    status: 'warn',
    found: '0: a reset TCP connection is a black hole until its client gives up',
    why,
    mend:
      `${sysctlLine('tcp_loose', 1)}, or a forward rule: ` +
      'ct state invalid meta l4proto tcp reject with tcp reset',
  };
};

const accounting: MachineCheck = ({ sysctl }) => {
  if (sysctl.acct === undefined) return undefined;
  return {
    name: 'nf_conntrack_acct',
    status: 'ok',
    found: sysctl.acct === 0 ? '0: flows carry no packet and byte counts' : '1',
    why: 'not needed to move flows; with it a report can say how much each one carried',
  };
};

const timestamp: MachineCheck = ({ sysctl }) => {
  if (sysctl.timestamp === undefined) return undefined;
  const isOff = sysctl.timestamp === 0;
  return {
    name: 'nf_conntrack_timestamp',
    status: isOff ? 'warn' : 'ok',
    found: isOff ? '0: flows carry no start time' : '1',
    why:
      'a flow that ended and began anew has the same id, which only the start time tells apart; and by its ' +
      'age a flow stays where it is when a better uplink is back',
    ...(isOff && { mend: sysctlLine('timestamp', 1) }),
  };
};

/**
 * What one queued event costs of the receive buffer: a kilobyte of data with its skb_shared_info, and
 * struct sk_buff (measured on Linux 6.18: 166 events in 212992 bytes).
 */
const EVENT_TRUESIZE = 1280;
const WANTED_BURST = 10_000;

const receiveBuffer: MachineCheck = ({ sysctl, transport: answer }) => {
  const name = 'net.core.rmem_max';
  const max = sysctl.receiveBufferMax;
  if (max === undefined) return undefined;
  // SO_RCVBUF doubles what it is asked for, and the kernel counts whole buffers against that
  const burst = Math.floor((2 * max) / EVENT_TRUESIZE);
  const sum = `2 x ${max} bytes / ${EVENT_TRUESIZE} an event = ${burst} events`;
  const why = 'events beyond it are lost in a burst, and the whole table has to be read again';
  if ('value' in answer && answer.value.kind === 'ffi') {
    return { name, status: 'ok', found: `${sum}; ffi may go beyond it (SO_RCVBUFFORCE)`, why };
  }
  if (burst >= WANTED_BURST) return { name, status: 'ok', found: sum, why };
  return { name, status: 'warn', found: sum, why, mend: 'sysctl -w net.core.rmem_max=8388608' };
};

const offload: MachineCheck = ({ offloaded }) => {
  if ('error' in offloaded) return undefined;
  const { value } = offloaded;
  return {
    name: 'flow offload',
    status: value ? 'warn' : 'ok',
    found: value ? 'in use' : value === false ? 'no flow is offloaded' : 'none among the flows looked at',
    why:
      'kernels before 5.10.182, 5.15.115, 6.1.32 and 6.4 refuse to delete an offloaded flow (EBUSY); ' +
      'later ones allow it',
    ...(value && { mend: 'on such a kernel, exempt the flows in question from the flowtable' }),
  };
};

/** What can be said of the machine alone, in the order of reading. */
export const machineChecks: readonly MachineCheck[] = [
  platform,
  node,
  memory,
  privileges,
  transport,
  conntrack,
  ipset,
  tracking,
  tableSize,
  events,
  tcpLoose,
  timestamp,
  accounting,
  receiveBuffer,
  offload,
];

/** Runs checks over the facts; those with nothing to judge say nothing. */
export function findings<F>(checks: readonly Check<F>[], facts: F): Finding[] {
  return checks.flatMap((check) => check(facts) ?? []);
}
