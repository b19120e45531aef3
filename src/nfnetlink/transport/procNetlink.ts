import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A bound netlink socket, as the kernel lists it for this process's network namespace. */
export interface ListedSocket {
  readonly protocol: number;
  readonly portId: number;
  /** Bit n - 1 stands for group n; the list holds the first 32 groups. */
  readonly groups: number;
  /** Datagrams that found the receive buffer full, since the socket was made. */
  readonly drops: number;
}

/** The inode of the socket behind a descriptor; undefined if it is no socket, or not open. */
export function socketInode(fd: number): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
  } catch {
    return undefined;
  }
}

/** The descriptors of this process that are sockets. */
export function socketDescriptors(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => socketInode(fd) !== undefined);
}

/**
 * What the kernel says about the netlink socket with this inode. A socket is listed once it is bound
 * (net/netlink/af_netlink.c: netlink_seq_show walks the table of port ids).
 */
export function listedSocket(inode: string): ListedSocket | undefined {
  return findListed((_socket, listed) => listed === inode);
}

/** What it says about the socket with this address. */
export function socketAt(protocol: number, portId: number): ListedSocket | undefined {
  return findListed((socket) => socket.protocol === protocol && socket.portId === portId);
}

function findListed(fits: (socket: ListedSocket, inode: string) => boolean): ListedSocket | undefined {
  // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
  for (const line of readFileSync('/proc/self/net/netlink', 'latin1').split('\n').slice(1)) {
    const [, protocol, portId, groups, , , , , drops, inode = ''] = line.trim().split(/\s+/);
    const socket = {
      protocol: Number(protocol),
      portId: Number(portId) >>> 0,
      groups: Number.parseInt(groups!, 16),
      drops: Number(drops),
    };
    if (fits(socket, inode)) return socket;
  }
  return undefined;
}

/** Whether the socket has joined the group. */
export function hasGroup(socket: ListedSocket, group: number): boolean {
  return group >= 1 && group <= 32 && (socket.groups & (1 << (group - 1))) !== 0;
}
