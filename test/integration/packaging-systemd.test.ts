// run: timeout=300
/**
 * The socket unit's netlink sockets, made as systemd makes them and handed over as it does, serve the daemon
 * with nothing native loaded, for a user with CAP_NET_ADMIN and nothing else; and each of them is needed.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openHandle } from '../../src/nfnetlink/transport/handle.ts';
import { makePrebuilt } from '../../src/nfnetlink/transport/prebuiltBinding.ts';
import { hasCommand, insideNamespace, sh } from '../support/namespace.ts';
import { until } from '../support/waiting.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const socketUnit = readFileSync(join(root, 'packaging/systemd/resteer.socket'), 'utf8');
const families: Record<string, number> = { route: 0, netfilter: 12 };
const nobody = 65534;

interface Passed {
  readonly fd: number;
  readonly inode: string;
  readonly line: string;
}

function inodeOf(path: string): string {
  return readlinkSync(path);
}

/** systemd's socket_address_parse_netlink: the second word is nl_groups, a mask. */
function makeSockets(): Passed[] {
  return [...socketUnit.matchAll(/^ListenNetlink=(\S+)(?: (\d+))?$/gm)].map(([line, family, mask]) => {
    const protocol = families[family!]!;
    const groups = Array.from({ length: 32 }, (_, bit) => bit + 1).filter(
      (group) => (Number(mask ?? 0) >>> (group - 1)) & 1,
    );
    const descriptor = makePrebuilt(protocol);
    openHandle(descriptor, { protocol, groups }).unref();
    return { fd: descriptor.fd, inode: inodeOf(`/proc/self/fd/${descriptor.fd}`), line };
  });
}

const folder = mkdtempSync(join(tmpdir(), 'resteer-systemd-'));
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** systemd's AmbientCapabilities=, CapabilityBoundingSet= and NoNewPrivileges=. */
const privileges = [
  ...['--inh-caps', '-all,+net_admin', '--ambient-caps', '-all,+net_admin'],
  ...['--bounding-set', '-all,+net_admin', '--no-new-privs'],
];

/** Not root, unless its Node lies where only root can read it. */
const user = (() => {
  const asNobody = ['--reuid', `${nobody}`, '--regid', `${nobody}`, '--clear-groups'];
  return spawnSync('setpriv', [...asNobody, process.execPath, '--version']).status === 0 ? asNobody : [];
})();

class Service {
  readonly #child: ChildProcess;
  #output = '';
  #errors = '';

  constructor(sockets: readonly Passed[]) {
    const resteer = [join(folder, 'resteer.cjs'), 'run', '--config', join(folder, 'resteer.json')];
    const options = ['--log-format', 'json', '--log-level', 'debug', '--control', join(folder, 'run.sock')];
    const listening = ['sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh'];
    const command = [...privileges, ...user, ...listening, process.execPath, ...resteer, ...options];
    this.#child = spawn('setpriv', command, {
      stdio: ['ignore', 'pipe', 'pipe', ...sockets.map(({ fd }) => fd)],
      env: { PATH: process.env.PATH, LISTEN_FDS: `${sockets.length}`, RESTEER_TRANSPORT: 'handle' },
    });
    running.add(this.#child);
    this.#child.once('exit', () => running.delete(this.#child));
    this.#child.stdout!.on('data', (text) => {
      this.#output += text;
    });
    this.#child.stderr!.on('data', (text) => {
      this.#errors += text;
    });
  }

  events(name: string): Record<string, unknown>[] {
    const lines = this.#output.split('\n').filter((line) => line.endsWith('}'));
    return lines.map((line) => JSON.parse(line)).filter(({ event }) => event === name);
  }

  async heard(name: string): Promise<Record<string, unknown>> {
    await until(`${name} among\n${this.#output}${this.#errors}`, () => {
      assert.is(this.#child.exitCode, null, this.#errors);
      return this.events(name).length > 0;
    });
    return this.events(name)[0]!;
  }

  /** Native code that is mapped: add-ons, and what was unpacked somewhere and mapped from there. */
  addOns(): string[] {
    const maps = readFileSync(`/proc/${this.#child.pid}/maps`, 'utf8');
    return [...new Set(maps.match(/\/\S+\.node\b|\/memfd:\S+/g) ?? [])];
  }

  /** The netlink sockets that it has open. */
  netlinkSockets(): string[] {
    const listed = readFileSync('/proc/self/net/netlink', 'latin1').split('\n');
    const inodes = new Set(listed.map((line) => `socket:[${line.trim().split(/\s+/).at(-1)}]`));
    const open = readdirSync(`/proc/${this.#child.pid}/fd`).map((fd) =>
      inodeOf(`/proc/${this.#child.pid}/fd/${fd}`),
    );
    return open.filter((inode) => inodes.has(inode)).sort();
  }

  status(): string {
    return readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const ended = new Promise<number | null>((resolve) => this.#child.once('exit', resolve));
    this.#child.kill(signal);
    return ended;
  }
}

await insideNamespace(import.meta.url, () => {
  copyFileSync(join(root, 'dist/resteer.cjs'), join(folder, 'resteer.cjs'));
  writeFileSync(
    join(folder, 'resteer.json'),
    JSON.stringify({
      markMask: '0x3f00',
      interfaces: { wan: { mark: '0x100' }, wanb: { mark: '0x200' } },
      rules: [{ name: 'app', set: 'rs-app', interfaces: ['wan'] }],
    }),
  );
  // whoever the service runs as makes its control socket here
  chmodSync(folder, 0o777);
  sh('ipset', 'create', 'rs-app', 'hash:ip');
  sh('ipset', 'add', 'rs-app', '203.0.113.10');
  const sockets = makeSockets();

  test('the daemon uses the sockets of the unit, all of them, and makes none', async () => {
    const service = new Service(sockets);
    await service.heard('ready');
    assert.equal(service.addOns(), []);
    assert.equal(service.netlinkSockets(), sockets.map(({ inode }) => inode).sort());
    assert.match(service.status(), /^CapEff:\s*0*1000$/m, 'CAP_NET_ADMIN alone');
    if (user.length > 0) assert.match(service.status(), /^Uid:\s*65534\b/m);

    const flow = ['-p', 'tcp', '-s', '192.0.2.2', '-d', '203.0.113.10', '--sport', '40000', '--dport', '443'];
    sh('conntrack', '-I', ...flow, '--state', 'ESTABLISHED', '--timeout', '100', '--mark', '0x200');
    assert.is((await service.heard('reset')).outcome, 'deleted');
    assert.is(await service.end('SIGTERM'), 0);
  });

  test('a killed daemon leaves sockets that serve the next', async () => {
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const service = new Service(sockets);
      await service.heard('ready');
      assert.equal(service.addOns(), []);
      await service.end(signal);
    }
  });

  for (const [index, { line }] of sockets.entries()) {
    test(`${line} (${index + 1}) is needed: without it the daemon loads the binding`, async () => {
      const service = new Service(sockets.filter((_, each) => each !== index));
      await service.heard('ready');
      assert.is(service.addOns().length, 1);
      assert.is(service.netlinkSockets().length, sockets.length);
      assert.is(await service.end('SIGTERM'), 0);
    });
  }

  test('systemd finds nothing wrong, and little exposed', () => {
    if (!hasCommand('systemd-analyze')) {
      console.log('SKIP systemd-analyze: no such command (Debian package systemd)');
      return;
    }
    const units = readdirSync(join(root, 'packaging/systemd')).map((name) => {
      const path = join(folder, name);
      const text = readFileSync(join(root, 'packaging/systemd', name), 'utf8');
      // systemd looks whether there is such a program
      writeFileSync(path, text.replaceAll('/usr/bin/resteer', process.execPath));
      return path;
    });
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], { encoding: 'utf8' });
    assert.equal([verified.status, verified.stderr], [0, '']);
    // 0 to 100; the threshold fails what is above
    for (const name of ['resteer.service', 'resteer-report.service'])
      sh('systemd-analyze', 'security', '--offline=true', '--threshold=15', join(folder, name));
  });

  test.run();
});
