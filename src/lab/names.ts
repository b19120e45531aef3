/**
 * Namespaces carry the process that made them in their names, `rslab-PID-STARTTIME-N-ROLE`, so that two
 * laboratories can stand side by side and what a killed process left can be told from what is in use.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { childEnvironment } from './command.ts';

const NAMESPACES = '/run/netns';
const PREFIX = 'rslab';
let count = 0;

/** A name that no other laboratory has, also not one of an earlier process with our pid. */
export function newLabId(): string {
  count += 1;
  return `${PREFIX}-${process.pid}-${startTime(process.pid)}-${count}`;
}

/** When a process started, in clock ticks since boot (field 22 of proc(5) stat); undefined if there is none. */
export function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field, the command's name, may hold spaces and brackets.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

/** Whether the name is a laboratory's whose process is no more. */
export function isAbandoned(name: string, startOf: (pid: number) => string | undefined = startTime): boolean {
  const owner = new RegExp(`^${PREFIX}-(\\d+)-(\\d+)-\\d+-`).exec(name);
  return owner !== null && startOf(Number(owner[1])) !== owner[2];
}

/** The network namespaces that `ip netns` knows by name. */
function namespaceNames(): string[] {
  try {
    return readdirSync(NAMESPACES);
  } catch {
    return [];
  }
}

/** Removes the laboratories whose process is no more. */
export function removeAbandoned(): void {
  removeNamespaces(namespaceNames().filter((name) => isAbandoned(name)));
}

/** Ends every process in these namespaces, ourselves excepted, and removes them. Synchronous: it runs at exit too. */
export function removeNamespaces(names: readonly string[]): void {
  const present = namespaceNames().filter((name) => names.includes(name));
  if (present.length === 0) return;
  for (const pid of processesIn(present)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
  const input = present.map((name) => `netns del ${name}\n`).join('');
  spawnSync('ip', ['-force', '-batch', '-'], { input, env: childEnvironment() });
}

/** The processes whose network namespace is one of the named. */
function processesIn(names: readonly string[]): number[] {
  const wanted = new Set<string | undefined>(names.map(inodeOf));
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((pid) => wanted.has(networkOf(pid)))
    .map(Number);
}

function inodeOf(name: string): string {
  try {
    return `net:[${statSync(`${NAMESPACES}/${name}`).ino}]`;
  } catch {
    return name;
  }
}

function networkOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}
