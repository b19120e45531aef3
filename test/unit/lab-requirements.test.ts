import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { labRequirements, type Machine, missingText } from '../../src/lab/requirements.ts';

const machine = (changes: Partial<Machine>): Machine => ({
  platform: 'linux',
  isPrivileged: true,
  isCommand: () => true,
  exists: () => true,
  read: () => undefined,
  refusesUserNamespace: () => undefined,
  ...changes,
});

test('root with everything builds here', () => {
  assert.equal(labRequirements(machine({})), { ok: true, how: 'root', missing: [] });
});

test('who is not root builds in a user namespace', () => {
  assert.equal(labRequirements(machine({ isPrivileged: false })), {
    ok: true,
    how: 'user-namespace',
    missing: [],
  });
});

const refusing = (setting: string, value: string): Partial<Machine> => ({
  isPrivileged: false,
  read: (path) => (path === setting ? value : undefined),
  refusesUserNamespace: () => 'unshare: unshare failed: Operation not permitted',
});

const cases: [string, Partial<Machine>, string[]][] = [
  [
    'another system',
    { platform: 'darwin' },
    ['resteer: laboratory: network namespaces need Linux, and this is darwin: run it on Linux'],
  ],
  [
    'every missing command, not only the first',
    { isCommand: (name) => name !== 'ip' && name !== 'ipset' },
    [
      'resteer: ip: no such command: install the package iproute2 (OpenWrt: ip-full)',
      'resteer: ipset: no such command: install the package ipset',
    ],
  ],
  [
    'no network namespaces',
    { exists: (path) => path !== '/proc/self/ns/net' },
    ['resteer: network namespaces: the kernel has none: use a kernel with CONFIG_NET_NS'],
  ],
  [
    'no IPv6',
    { exists: (path) => path !== '/proc/sys/net/ipv6' },
    ['resteer: IPv6: the kernel has it switched off: boot without ipv6.disable=1'],
  ],
  [
    'not root and no unshare',
    { isPrivileged: false, isCommand: (name) => name !== 'unshare' },
    [
      'resteer: privileges: no CAP_NET_ADMIN and CAP_SYS_ADMIN, and no command unshare to make a user namespace with: run it as root (in a container: with --privileged), or install the package util-linux',
    ],
  ],
  [
    'AppArmor in the way',
    refusing('/proc/sys/kernel/apparmor_restrict_unprivileged_userns', '1'),
    [
      'resteer: privileges: no CAP_NET_ADMIN and CAP_SYS_ADMIN, and this machine forbids user namespaces (kernel.apparmor_restrict_unprivileged_userns is 1): run it as root (in a container: with --privileged), or allow them: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
    ],
  ],
  [
    'no user namespaces allowed',
    refusing('/proc/sys/user/max_user_namespaces', '0'),
    [
      'resteer: privileges: no CAP_NET_ADMIN and CAP_SYS_ADMIN, and this machine forbids user namespaces (user.max_user_namespaces is 0): run it as root (in a container: with --privileged), or allow them: sysctl -w user.max_user_namespaces=10000',
    ],
  ],
  [
    'refused for a reason of its own',
    refusing('', ''),
    [
      'resteer: privileges: no CAP_NET_ADMIN and CAP_SYS_ADMIN, and no user namespace: unshare: unshare failed: Operation not permitted: run it as root (in a container: with --privileged)',
    ],
  ],
];

for (const [name, changes, texts] of cases) {
  test(`missing: ${name}`, () => {
    const { ok, how, missing } = labRequirements(machine(changes));
    assert.is(ok, false);
    assert.is(how, undefined);
    assert.equal(missing.map(missingText), texts);
  });
}

test.run();
