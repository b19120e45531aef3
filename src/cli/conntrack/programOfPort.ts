import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const NETLINK_NETFILTER = 12;

interface Found {
  readonly inode: string;
  readonly program: string | undefined;
}

const known = new Map<number, Found>();
const MAX_KNOWN = 64;

/** The name of the program behind a netlink address; undefined where it is gone, or not ours to see. */
export function programOfPort(portId: number): string | undefined {
  const inode = inodeOfPort(portId);
  if (inode === undefined) return undefined;
  const last = known.get(portId);
  if (last?.inode === inode) return last.program;
  const program = programWithSocket(portId, inode);
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(portId, { inode, program });
  return program;
}

/** /proc/net/netlink: sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode, where Pid is the address. */
function inodeOfPort(portId: number): string | undefined {
  for (const row of readText('/proc/net/netlink').split('\n')) {
    const [, protocol, port, , , , , , , inode] = row.trim().split(/\s+/);
    if (Number(protocol) === NETLINK_NETFILTER && Number(port) === portId) return inode;
  }
  return undefined;
}

function programWithSocket(portId: number, inode: string): string | undefined {
  // many programs have their process id as the address of their first socket
  for (const pid of [String(portId), ...processes()]) {
    if (hasSocket(pid, inode)) return /\((.*)\)/.exec(readText(`/proc/${pid}/stat`))?.[1];
  }
  return undefined;
}

function processes(): string[] {
  return list('/proc').filter((name) => /^\d+$/.test(name) && name !== '1');
}

function hasSocket(pid: string, inode: string): boolean {
  return list(`/proc/${pid}/fd`).some((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`;
    } catch {
      return false;
    }
  });
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
