import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { childEnvironment, searchPath } from './command.ts';
import { unshareOptions } from './userNamespace.ts';

/** What stands in the way of a laboratory. */
export interface MissingRequirement {
  readonly what: string;
  readonly why: string;
  readonly mend: string;
}

export interface LabRequirements {
  readonly ok: boolean;
  /** `root`: build it here. `user-namespace`: start again with `runInUserNamespace`. */
  readonly how: 'root' | 'user-namespace' | undefined;
  readonly missing: readonly MissingRequirement[];
}

/** What is asked of the machine; tests hand in their own. */
export interface Machine {
  readonly platform: string;
  /** Whether it has the capabilities to make network namespaces as it is. */
  readonly isPrivileged: boolean;
  isCommand(name: string): boolean;
  exists(path: string): boolean;
  /** A kernel setting's text; undefined if there is none. */
  read(path: string): string | undefined;
  /** What unshare(1) says against a user namespace; undefined if it can make one. */
  refusesUserNamespace(): string | undefined;
}

/** The commands, and where they come from on Debian and on OpenWrt. */
const packages = {
  ip: 'iproute2 (OpenWrt: ip-full)',
  'iptables-restore': 'iptables (OpenWrt: iptables-nft)',
  'ip6tables-restore': 'iptables (OpenWrt: ip6tables-nft)',
  ipset: 'ipset',
  sysctl: 'procps',
} as const;

/** Settings by which distributions forbid user namespaces, with the value that does. */
const forbidding = [
  { path: '/proc/sys/user/max_user_namespaces', value: '0', allows: '10000' },
  { path: '/proc/sys/kernel/unprivileged_userns_clone', value: '0', allows: '1' },
  { path: '/proc/sys/kernel/apparmor_restrict_unprivileged_userns', value: '1', allows: '0' },
] as const;

/** Whether a laboratory can be built on this machine, and how; all that is missing, not only the first. */
export function labRequirements(machine: Machine = thisMachine): LabRequirements {
  const missing: MissingRequirement[] = [];
  if (machine.platform !== 'linux') {
    const why = `network namespaces need Linux, and this is ${machine.platform}`;
    return { ok: false, how: undefined, missing: [{ what: 'laboratory', why, mend: 'run it on Linux' }] };
  }
  for (const [command, packageName] of Object.entries(packages)) {
    if (machine.isCommand(command)) continue;
    missing.push({ what: command, why: 'no such command', mend: `install the package ${packageName}` });
  }
  if (!machine.exists('/proc/self/ns/net')) {
    const mend = 'use a kernel with CONFIG_NET_NS';
    missing.push({ what: 'network namespaces', why: 'the kernel has none', mend });
  }
  if (!machine.exists('/proc/sys/net/ipv6')) {
    const mend = 'boot without ipv6.disable=1';
    missing.push({ what: 'IPv6', why: 'the kernel has it switched off', mend });
  }
  const how = machine.isPrivileged ? 'root' : 'user-namespace';
  if (!machine.isPrivileged) missing.push(...userNamespaceObstacles(machine));
  return missing.length === 0 ? { ok: true, how, missing } : { ok: false, how: undefined, missing };
}

const UNPRIVILEGED = 'no CAP_NET_ADMIN and CAP_SYS_ADMIN';
const PRIVILEGED = 'run it as root (in a container: with --privileged)';

function userNamespaceObstacles(machine: Machine): MissingRequirement[] {
  const what = 'privileges';
  for (const command of ['unshare', 'mount']) {
    if (machine.isCommand(command)) continue;
    const why = `${UNPRIVILEGED}, and no command ${command} to make a user namespace with`;
    return [{ what, why, mend: `${PRIVILEGED}, or install the package util-linux` }];
  }
  const refusal = machine.refusesUserNamespace();
  if (refusal === undefined) return [];
  const setting = forbidding.find(({ path, value }) => machine.read(path) === value);
  if (!setting)
    return [{ what, why: `${UNPRIVILEGED}, and no user namespace: ${refusal}`, mend: PRIVILEGED }];
  const key = setting.path.slice('/proc/sys/'.length).replaceAll('/', '.');
  const why = `${UNPRIVILEGED}, and this machine forbids user namespaces (${key} is ${setting.value})`;
  return [{ what, why, mend: `${PRIVILEGED}, or allow them: sysctl -w ${key}=${setting.allows}` }];
}

/** The way resteer tells of an error: `resteer: what: why: what to do`. */
export function missingText({ what, why, mend }: MissingRequirement): string {
  return `resteer: ${what}: ${why}: ${mend}`;
}

const CAP_NET_ADMIN = 12n;
const CAP_SYS_ADMIN = 21n;

/** Root in a container may lack what it takes: the capabilities count, not the user id alone. */
function hasCapabilities(): boolean {
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readText('/proc/self/status') ?? '')?.[1];
  if (!line) return false;
  const held = BigInt(`0x${line}`);
  return [CAP_NET_ADMIN, CAP_SYS_ADMIN].every((capability) => (held >> capability) & 1n);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

const thisMachine: Machine = {
  platform: process.platform,
  get isPrivileged() {
    return process.getuid?.() === 0 && hasCapabilities();
  },
  isCommand: (name) =>
    searchPath().some((folder) => {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    }),
  exists: existsSync,
  read: readText,
  refusesUserNamespace() {
    const args = [...unshareOptions, '--', 'mount', '-t', 'tmpfs', 'resteer-lab', '/run'];
    const tried = spawnSync('unshare', args, { env: childEnvironment(), encoding: 'utf8' });
    if (tried.status === 0) return undefined;
    return (tried.error?.message ?? tried.stderr).trim();
  },
};
