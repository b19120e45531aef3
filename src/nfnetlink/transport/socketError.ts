import { errnoName } from '../errno.ts';
import { TransportError } from '../errors.ts';

const privilege =
  'this needs CAP_NET_ADMIN in the network namespace: run as root, or give the capability ' +
  '(systemd: AmbientCapabilities=CAP_NET_ADMIN; procd: a capabilities file)';

const advice: Readonly<Record<string, string>> = {
  EPERM: privilege,
  EACCES: privilege,
  EPROTONOSUPPORT:
    'this kernel lacks that netlink family; for netfilter load the module nfnetlink (modprobe nfnetlink, ' +
    'or CONFIG_NETFILTER_NETLINK)',
  EAFNOSUPPORT: 'this kernel has no netlink sockets (CONFIG_NET)',
  EMSGSIZE: 'the datagram is larger than the send buffer (SO_SNDBUF): send fewer messages in one',
  EMFILE: 'the process has as many descriptors as it may have: raise `ulimit -n`',
};

/** What a failed system call is to the caller; `errno` is positive. */
export function socketError(syscall: string, errno: number, otherAdvice?: string): TransportError {
  const code = errnoName(errno);
  return new TransportError(syscall, code, otherAdvice ?? advice[code]);
}

/** The same, for what other code threw with a `code` of its own. */
export function socketErrorFrom(syscall: string, error: unknown): TransportError {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const name = typeof code === 'string' ? code : 'EIO';
  return new TransportError(syscall, name, advice[name] ?? String(message ?? error), { cause: error });
}
