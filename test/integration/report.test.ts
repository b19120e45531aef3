/**
 * The report on the real kernel: traffic through this namespace as a router, what is said of it, and whether the
 * rules that are drafted let the same traffic pass and nothing else.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openTransport } from '../../src/nfnetlink/transport/select.ts';
import { createFlows, deleteFlows } from '../support/flowSource.ts';
import {
  type Attempt,
  CLIENT,
  ForwardedTraffic,
  NOBODY,
  ROUTER,
  SERVER,
} from '../support/forwardedTraffic.ts';
import { hasCommand, insideNamespace, sh, skipFile } from '../support/namespace.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/waiting.ts';

for (const command of ['ipset', 'iptables', 'nft', 'ping', 'setpriv']) {
  if (!hasCommand(command)) skipFile(import.meta.url, `no \`${command}\` command`);
}

const program = fileURLToPath(new URL('../../dist/resteer.cjs', import.meta.url));
const folder = temporaryFolder();
const command = [program, 'report'];

function report(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...command, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** What was seen, as text, by a report that ended without complaint. */
function lines(...args: string[]): string[] {
  const { status, stdout, stderr } = report(...args);
  assert.equal([status, stderr], [0, '']);
  return stdout.split('\n').slice(0, -1);
}

/** A report that runs until it is told to end. */
class Running {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  out = '';
  errors = '';

  constructor(...args: string[]) {
    const child = spawn(process.execPath, [...command, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.setEncoding('utf8').on('data', (text) => {
      this.out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      this.errors += text;
    });
    process.on('exit', () => child.kill('SIGKILL'));
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('close', resolve));
  }

  /** Whether its socket hears events. */
  async listens(): Promise<void> {
    // Eth Pid Groups: those of new and updated flows
    const isJoined = () =>
      readFileSync('/proc/self/net/netlink', 'latin1')
        .split('\n')
        .some((line) => /^\S+\s+12\s+\d+\s+00000003\s/.test(line));
    await until(`it listens: ${this.errors}`, isJoined);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async end(name: NodeJS.Signals): Promise<number | null> {
    this.signal(name);
    await this.#ended;
    return this.#child.exitCode;
  }
}

const household: readonly (Attempt & { readonly isAnswered: boolean })[] = [
  { protocol: 'tcp', address: SERVER.ipv4, port: 443, isAnswered: true },
  { protocol: 'tcp', address: NOBODY.ipv4, port: 81, isAnswered: false },
  { protocol: 'udp', address: SERVER.ipv4, port: 53, isAnswered: true },
  { protocol: 'udp', address: SERVER.ipv4, port: 514, localPort: 514, isAnswered: false },
  { protocol: 'ping', address: SERVER.ipv4, isAnswered: true },
  { protocol: 'tcp', address: SERVER.ipv6, port: 443, isAnswered: true },
  { protocol: 'udp', address: SERVER.ipv6, port: 53, isAnswered: true },
  { protocol: 'ping', address: SERVER.ipv6, isAnswered: true },
  // translated to the server's port 443
  { protocol: 'tcp', address: ROUTER.ipv4, port: 8080, isAnswered: true },
  { protocol: 'tcp', address: ROUTER.ipv6, port: 8080, isAnswered: true },
];
const answers = household.map(({ isAnswered }) => isAnswered);

/** More flows than the largest receive buffer holds events of. */
const MANY = 30_000;

const stranger: readonly Attempt[] = [
  { protocol: 'tcp', address: SERVER.ipv4, port: 444 },
  { protocol: 'tcp', address: SERVER.ipv6, port: 444 },
];

const expected = [
  ` TCPv4 [           0] src = ${CLIENT.ipv4} (port=1024) to dst = ${ROUTER.ipv4} (port=8080) (confirmed)`,
  ` TCPv4 [           1] src = ${CLIENT.ipv4} (port=1024) to dst = ${SERVER.ipv4} (port=443) (confirmed)`,
  ` TCPv4 [           2] src = ${CLIENT.ipv4} (port=1024) to dst = ${NOBODY.ipv4} (port=81)`,
  ` UDPv4 [           0] src = ${CLIENT.ipv4} (port=514) to dst = ${SERVER.ipv4} (port=514)`,
  ` UDPv4 [           1] src = ${CLIENT.ipv4} (port=1024) to dst = ${SERVER.ipv4} (port=53) (confirmed)`,
  `ICMPv4 [           0] src = ${CLIENT.ipv4} to dst = ${SERVER.ipv4} (type=8 | code=0) (confirmed)`,
  ` TCPv6 [           0] src = ${CLIENT.ipv6} (port=1024) to dst = ${ROUTER.ipv6} (port=8080) (confirmed)`,
  ` TCPv6 [           1] src = ${CLIENT.ipv6} (port=1024) to dst = ${SERVER.ipv6} (port=443) (confirmed)`,
  ` UDPv6 [           0] src = ${CLIENT.ipv6} (port=1024) to dst = ${SERVER.ipv6} (port=53) (confirmed)`,
  `ICMPv6 [           0] src = ${CLIENT.ipv6} to dst = ${SERVER.ipv6} (type=128 | code=0) (confirmed)`,
];

const seen = join(folder, 'seen.json');
const draft = (format: string) => {
  const path = join(folder, `seen.${format}`);
  assert.equal(lines('--from', seen, '--format', format, '--output', path), []);
  return path;
};

await insideNamespace(import.meta.url, async () => {
  // what was seen is to stay in the table, however slow the machine is
  for (const name of ['udp', 'icmp', 'icmpv6'])
    writeFileSync(`/proc/sys/net/netfilter/nf_conntrack_${name}_timeout`, '600');
  const traffic = new ForwardedTraffic();
  await traffic.start();

  test('without a rule the kernel tracks nothing: it is said, and the lines that it names turn it on', async () => {
    const ping: Attempt[] = [
      { protocol: 'ping', address: SERVER.ipv4 },
      { protocol: 'ping', address: SERVER.ipv6 },
    ];
    assert.equal(await traffic.try(ping), [true, true]);
    const { status, stdout, stderr } = report('--duration', '0s');
    assert.equal([status, stdout], [0, '']);
    assert.match(stderr, /^resteer: report: no flow of IPv4 and IPv6 is tracked, since no rule /);
    const told = stderr.split('\n').flatMap((line) => (line.startsWith('  ') ? [line.trim()] : []));
    const isFor = (tool: string) => told.filter((line) => line.startsWith(tool));
    for (const way of [isFor('nft'), [...isFor('iptables'), ...isFor('ip6tables')]]) {
      assert.is.not(way.length, 0);
      for (const line of way) sh('sh', '-c', line);
      assert.equal(await traffic.try(ping), [true, true]);
      const found = lines('--duration', '0s');
      assert.equal(found, [expected[5], expected[9]]);
      sh('nft', 'flush', 'ruleset');
      sh('conntrack', '-F');
    }
  });

  test('a family whose flows are not tracked is told by itself', () => {
    sh('nft', 'add table ip only; add chain ip only c; add rule ip only c ct state new');
    const { stderr } = report('--duration', '0s');
    assert.match(stderr, /no flow of IPv6 is tracked/);
    assert.match(
      report('--duration', '0s', '--family', 'ipv4').stderr,
      /^resteer: report: no flow was seen /,
    );
    sh('nft', 'flush', 'ruleset');
  });

  test('the events that the sysctl turns off are missed, and it is said', () => {
    const sysctl = '/proc/sys/net/netfilter/nf_conntrack_events';
    writeFileSync(sysctl, '0');
    assert.match(report('--duration', '0s').stderr, /nf_conntrack_events is 0.* sysctl -w /);
    writeFileSync(sysctl, '1');
  });

  test('flows of every kind, confirmed or not, in order', async () => {
    sh('nft', 'add table inet nat');
    sh('nft', 'add chain inet nat prerouting { type nat hook prerouting priority dstnat; }');
    for (const [ip, { ipv4, ipv6 }] of [
      ['ip', SERVER],
      ['ip6', SERVER],
    ] as const) {
      const to = ip === 'ip' ? `${ipv4}:443` : `[${ipv6}]:443`;
      sh(
        'nft',
        `add rule inet nat prerouting meta nfproto ${ip === 'ip' ? 'ipv4' : 'ipv6'} tcp dport 8080 dnat ${ip} to ${to}`,
      );
    }
    const running = new Running('--format', 'json', '--output', seen);
    await running.listens();
    assert.equal(await traffic.try(household), answers);
    // a second time: the same distinct flows
    assert.equal(await traffic.try(household), answers);

    running.signal('SIGUSR1');
    await until('the file that a signal asked for', () => existsSync(seen));
    assert.is(await running.end('SIGTERM'), 0);
    assert.equal([running.out, running.errors], ['', '']);
    assert.equal(readdirSync(folder), ['seen.json'], 'nothing is left beside the file');
    assert.equal(lines('--from', seen), expected);
    const records = readFileSync(seen, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const { flows, ...first } = records[0];
    assert.equal(first, {
      ...{ family: 'ipv4', protocol: 'tcp', source: CLIENT.ipv4, sourcePort: 1024 },
      ...{ destination: ROUTER.ipv4, destinationPort: 8080, confirmed: true, translated: true },
      related: false,
    });
    // one of two that began while the table was being listed may not be counted
    assert.ok(flows === 1 || flows === 2, String(flows));
  });

  test('it goes on from an earlier report, and does not count again what is there', () => {
    const before = readFileSync(seen, 'utf8');
    const old = {
      family: 'ipv4',
      protocol: 'tcp',
      source: '10.9.8.7',
      sourcePort: 22,
      destinationPort: 22,
      flows: 7,
    };
    writeFileSync(seen, `${before}${JSON.stringify({ ...old, destination: '10.9.8.6' })}\n`);
    assert.equal(lines('--duration', '0s', '--format', 'json', '--output', seen, '--resume'), []);
    const [first, ...rest] = readFileSync(seen, 'utf8').split('\n');
    assert.equal([JSON.parse(first!).source, JSON.parse(first!).flows], ['10.9.8.7', 7]);
    assert.is(rest.join('\n'), before);
    writeFileSync(seen, before);
  });

  test('a signal prints what is known, and it goes on', async () => {
    const running = new Running();
    await running.listens();
    running.signal('SIGUSR1');
    await until('what is in the table', () => running.out.split('\n').length > expected.length);
    const first = running.out;
    assert.equal(first.split('\n').slice(0, -1), expected);
    assert.is(await running.end('SIGINT'), 0);
    assert.equal([running.out, running.errors], [first + first, '']);
  });

  test('filters, in the kernel and here', () => {
    const of = (...args: string[]) =>
      lines('--duration', '0s', ...args).map((line) => line.slice(0, 6).trim());
    assert.equal(of('--family', 'ipv6'), ['TCPv6', 'TCPv6', 'UDPv6', 'ICMPv6']);
    assert.equal(of('--protocol', 'udp', '--confirmed'), ['UDPv4', 'UDPv6']);
    assert.equal(of('--destination', '198.51.100.8/29'), ['TCPv4']);
    assert.equal(of('--source', '2001:db8:1::/48', '--protocol', '58'), ['ICMPv6']);
    assert.match(report('--duration', '0s', '--zone', '7').stderr, /no flow was seen that fits/);
    sh('conntrack', '-U', '-p', 'udp', '-s', CLIENT.ipv4, '--dport', '53', '-m', '0x2a1');
    assert.equal(of('--mark', '0x200/0xff00'), ['UDPv4']);
    assert.equal(of('--mark', '0x2a1'), ['UDPv4']);
    assert.is(report('--duration', '0s', '--mark', '0x200').stdout, '');
    assert.equal(lines('--from', seen, '--source', '192.0.2.0/24').length, 6);
  });

  test('it ends when nothing new comes', () => {
    assert.equal(lines('--until-idle', '100ms'), expected);
  });

  test('events that were lost are said and made up for', async () => {
    const path = join(folder, 'lost.json');
    const running = new Running('--source', '10.0.0.0/8', '--format', 'json', '--output', path);
    await running.listens();
    const transport = await openTransport();
    // it hears nothing of more than its buffer holds
    running.signal('SIGSTOP');
    createFlows(transport, 0, MANY);
    running.signal('SIGCONT');
    const version = () => (existsSync(path) ? statSync(path).ino : 0);
    const count = () => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0);
    for (let tries = 0; count() < MANY && tries < 50; tries++) {
      const before = version();
      running.signal('SIGUSR1');
      await until(`another report: ${running.errors}`, () => version() !== before);
    }
    assert.is(await running.end('SIGTERM'), 0);
    assert.match(running.errors, /^resteer: report: events were lost/);
    assert.is(count(), MANY);
    deleteFlows(transport, 0, MANY);
    await transport.close();
  });

  test('drafts of every format load', () => {
    sh('nft', '-c', '-f', draft('nft'));
    sh('iptables-restore', '--test', draft('iptables'));
    sh('ip6tables-restore', '--test', draft('iptables'));
    sh('ipset', '-f', draft('ipset'), 'restore');
  });

  const chain = (text: string) => text.replace(/^#(\tchain forward|\t\t?type|\t\tjump|\t\})/gm, '$1');

  test('the rules drafted for nft let the same traffic pass, and nothing else', async () => {
    assert.equal(await traffic.try(stranger), [true, true]);
    const path = draft('nft');
    writeFileSync(path, chain(readFileSync(path, 'utf8')));
    // loading it again replaces it
    for (let i = 0; i < 2; i++) sh('nft', '-f', path);
    assert.is(
      sh('nft', 'list', 'chain', 'inet', 'resteer', 'seen').match(/comment/g)!.length,
      household.length,
    );
    sh('conntrack', '-F');
    assert.equal(await traffic.try([...household, ...stranger]), [...answers, false, false]);
    sh('nft', 'delete', 'table', 'inet', 'resteer');
  });

  test('the rules drafted for iptables do, too, with the sets of ipset', async () => {
    sh('ipset', '-f', draft('ipset'), 'restore');
    for (let i = 0; i < 2; i++) {
      sh('iptables-restore', '--noflush', draft('iptables'));
      sh('ip6tables-restore', '--noflush', draft('iptables'));
    }
    for (const tool of ['iptables', 'ip6tables']) {
      sh(tool, '-A', 'FORWARD', '-j', 'resteer-seen');
      sh(tool, '-A', 'FORWARD', '-j', 'DROP');
    }
    sh('conntrack', '-F');
    assert.equal(await traffic.try([...household, ...stranger]), [...answers, false, false]);
    for (const tool of ['iptables', 'ip6tables']) sh(tool, '-F');
  });

  test('long lists are sets, of nft and of ipset, and the rules find them there', () => {
    const many = Array.from({ length: 40 }, (_, i) => i).flatMap((i) => [
      { family: 'ipv4', source: `10.0.${i}.1`, destination: `198.51.100.${2 * i}` },
      { family: 'ipv6', source: `2001:db8:${i}::1`, destination: `2001:db8:ffff::${2 * i}` },
    ]);
    const path = join(folder, 'many.json');
    const protocols = ['tcp', 'udp', 'sctp', 'udplite', 'dccp'];
    const records = many.flatMap((ends) => [
      ...protocols.map((protocol) => ({ ...ends, protocol, sourcePort: 1024, destinationPort: 443 })),
      { ...ends, protocol: ends.family === 'ipv4' ? 'icmp' : 'icmpv6', icmpType: 13, icmpCode: 0 },
      { ...ends, protocol: 'gre' },
      { ...ends, protocol: '253', translated: true },
      { ...ends, protocol: 'tcp', sourcePort: 1024, destinationPort: 443, translated: true },
    ]);
    writeFileSync(path, records.map((record) => `${JSON.stringify({ ...record, flows: 1 })}\n`).join(''));
    const write = (format: string, ...args: string[]) => {
      const file = join(folder, `many.${format}`);
      lines('--from', path, '--format', format, '--output', file, ...args);
      return file;
    };
    for (const slack of ['0', '100']) {
      sh('nft', '-f', write('nft', '--slack', slack));
      for (let i = 0; i < 2; i++) sh('ipset', '-f', write('ipset', '--slack', slack), 'restore');
      const rules = write('iptables', '--slack', slack);
      sh('iptables-restore', '--noflush', rules);
      sh('ip6tables-restore', '--noflush', rules);
    }
    sh('nft', 'delete', 'table', 'inet', 'resteer');
    for (const tool of ['iptables', 'ip6tables']) sh(tool, '-F', 'resteer-seen');
    sh('ipset', 'destroy');
  });

  test('a reader that stops reading ends it quietly', () => {
    const { status, stdout, stderr } = spawnSync(
      'sh',
      ['-c', '"$@" | head -n 1', 'sh', process.execPath, ...command, '--from', join(folder, 'many.json')],
      { encoding: 'utf8' },
    );
    assert.equal([status, stdout.split('\n').length, stderr], [0, 2, '']);
  });

  test('without CAP_NET_ADMIN it says so, and exits with 3', () => {
    const args = [
      '--bounding-set',
      '-all',
      '--inh-caps',
      '-all',
      process.execPath,
      ...command,
      '--duration',
      '0s',
    ];
    const { status, stdout, stderr } = spawnSync('setpriv', args, { encoding: 'utf8' });
    assert.equal([status, stdout], [3, '']);
    assert.match(stderr, /^resteer: .*CAP_NET_ADMIN/);
  });

  test.after(() => traffic.stop());
  test.run();
});
