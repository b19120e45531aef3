import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** The commands of the integration tests, of the laboratory and of other kernels, and the Debian package of each. */
const packages = {
  busybox: 'busybox-static',
  conntrack: 'conntrack',
  cpio: 'cpio',
  ip: 'iproute2',
  ipset: 'ipset',
  iptables: 'iptables',
  'ld-musl-config': 'musl',
  make: 'make',
  nft: 'nftables',
  ping: 'iputils-ping',
  'qemu-system-x86_64': 'qemu-system-x86',
  shellcheck: 'shellcheck',
  sysctl: 'procps',
  'systemd-analyze': 'systemd',
  tshark: 'tshark',
  xz: 'xz-utils',
};

/** What `resteer demo` calls. */
export const demoTools = ['ip', 'ipset', 'iptables', 'sysctl'];

/** What emulating other kernels takes beside. */
export const kernelTools = [
  'busybox',
  'conntrack',
  'cpio',
  'ip',
  'ipset',
  'iptables',
  'qemu-system-x86_64',
  'sysctl',
  'xz',
];
const forKernelsAlone = ['cpio', 'qemu-system-x86_64', 'xz'];

/** Without these the tests that are about them say that they are skipped. */
const dispensable = ['ld-musl-config', 'systemd-analyze', 'tshark'];

const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];

function isCommand(name) {
  return folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const isRoot = () => process.getuid?.() === 0;

function aptGet(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync('apt-get', args, { stdio: ['ignore', 'inherit', 'inherit'], env }).status === 0;
}

/**
 * Makes the machine fit for the integration tests, or for what else calls these commands, as far as it may.
 * @returns {{ reason?: string, fatal?: boolean }} why they cannot run here; `fatal` when only the
 * packages are missing, so that going on would hide it.
 */
export function installTools(
  commands = Object.keys(packages).filter((name) => !forKernelsAlone.includes(name)),
) {
  const missingTools = () => commands.filter((name) => !isCommand(name));
  if (process.platform !== 'linux') return { reason: 'needs Linux' };
  let missing = missingTools();
  const names = () => [...new Set(missing.map((name) => packages[name]))].join(' ');
  if (!isRoot()) {
    return { reason: `needs root${missing.length > 0 ? ` and the Debian packages ${names()}` : ''}` };
  }
  if (missing.length > 0 && isCommand('apt-get')) {
    console.log(`installing the Debian packages ${names()}`);
    const install = () => aptGet('install', '--yes', '--no-install-recommends', ...names().split(' '));
    if (!install() && aptGet('update')) install();
    missing = missingTools();
  }
  missing = missing.filter((name) => !dispensable.includes(name));
  if (missing.length === 0) return {};
  return {
    fatal: true,
    reason: `${missing.join(', ')} missing: install the Debian packages ${names()}, or run npm test -- --unit`,
  };
}
