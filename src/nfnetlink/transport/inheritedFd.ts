/**
 * Sockets that a launcher opened for this process: systemd's protocol (sd_listen_fds(3)), which any
 * program can speak. LISTEN_PID names the process they are meant for, LISTEN_FDS says how many there
 * are, from descriptor 3 on, LISTEN_FDNAMES their names. Node cannot set FD_CLOEXEC on them, so programs
 * started with `stdio` beyond the first three would hold them too; those that Node starts by default do
 * not, because libuv closes what it was not asked to pass on.
 */
import { isMainThread } from 'node:worker_threads';
import { TransportError } from '../errors.ts';
import type { TransportOptions } from '../transport.ts';
import type { NetlinkDescriptor } from './handle.ts';
import { hasGroup, type ListedSocket, listedSocket, socketInode } from './procNetlink.ts';
import { NETLINK_NETFILTER } from './socketConstants.ts';

const firstDescriptor = 3; // SD_LISTEN_FDS_START

export interface InheritedSocket extends ListedSocket {
  readonly fd: number;
  /** Its entry of LISTEN_FDNAMES. */
  readonly name: string | undefined;
}

/** Descriptors are handed out once: after that they are the transport's, and closed by it. */
const taken = new Set<number>();

/** The bound netlink sockets that were passed to this process and are still to be had. */
export function inheritedSockets(): InheritedSocket[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = process.env;
  if (!isMainThread || process.platform !== 'linux') return [];
  if (Number(LISTEN_PID) !== process.pid || !/^\d{1,4}$/.test(LISTEN_FDS ?? '')) return [];
  const names = LISTEN_FDNAMES?.split(':') ?? [];
  const sockets: InheritedSocket[] = [];
  for (let i = 0; i < Number(LISTEN_FDS); i++) {
    const fd = firstDescriptor + i;
    const inode = taken.has(fd) ? undefined : socketInode(fd);
    const listed = inode === undefined ? undefined : listedSocket(inode);
    if (listed) sockets.push({ ...listed, fd, name: names[i] });
  }
  return sockets;
}

/** A socket with groups serves a subscription to those groups; one without serves requests. */
function fits(socket: InheritedSocket, { protocol, groups = [] }: TransportOptions): boolean {
  if (socket.protocol !== (protocol ?? NETLINK_NETFILTER)) return false;
  return groups.length === 0 ? socket.groups === 0 : groups.every((group) => hasGroup(socket, group));
}

/** Takes an inherited socket that fits; undefined if there is none (left). */
export function takeInherited(options: TransportOptions): NetlinkDescriptor | undefined {
  const socket = inheritedSockets().find((candidate) => fits(candidate, options));
  if (!socket) return undefined;
  taken.add(socket.fd);
  return {
    fd: socket.fd,
    join(group) {
      if (hasGroup(socket, group)) return;
      throw new TransportError(
        'setsockopt NETLINK_ADD_MEMBERSHIP',
        'EOPNOTSUPP',
        `the inherited socket (descriptor ${socket.fd}) is not in group ${group} and cannot join it: let its ` +
          'launcher bind it with that group (systemd: the bit mask in ListenNetlink=netfilter MASK), or start ' +
          'without LISTEN_FDS',
      );
    },
  };
}
