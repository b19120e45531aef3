/** Two hosts on either side of the network namespace that a test runs in, and traffic through it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { addNamespace, sh } from './namespace.ts';
import { until } from './waiting.ts';

export const CLIENT = { ipv4: '192.0.2.2', ipv6: '2001:db8:1::2' } as const;
export const SERVER = { ipv4: '198.51.100.2', ipv6: '2001:db8:2::2' } as const;
/** The router's own addresses on the client's side. */
export const ROUTER = { ipv4: '192.0.2.1', ipv6: '2001:db8:1::1' } as const;
/** Nobody is there. */
export const NOBODY = { ipv4: '198.51.100.9', ipv6: '2001:db8:2::9' } as const;

/** One exchange that the client tries. */
export interface Attempt {
  readonly protocol: 'tcp' | 'udp' | 'ping';
  readonly address: string;
  readonly port?: number;
  readonly localPort?: number;
}

/** Echoes what comes to TCP 443 and 444 and UDP 53, and hears what comes to UDP 514 without a word. */
const serverProgram = `
  const net = require('node:net');
  const dgram = require('node:dgram');
  for (const port of [443, 444]) {
    net.createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(port, '::');
  }
  for (const port of [53, 514]) {
    const socket = dgram.createSocket({ type: 'udp6', ipv6Only: false });
    socket.on('message', (text, peer) => port === 53 && socket.send(text, peer.port, peer.address));
    socket.bind(port, '::', () => port === 514 && console.log('ready'));
  }`;

/** Tries what its argument says, all at once, and prints which of them were answered. */
const clientProgram = `
  const net = require('node:net');
  const dgram = require('node:dgram');
  const LIMIT_MS = 1500;
  const tcp = ({ address, port, localPort }, done) => {
    const socket = net.connect({ host: address, port, localPort }, () => socket.write('x'));
    socket.on('data', () => { done(true); socket.destroy(); }).on('error', () => done(false));
    setTimeout(() => socket.destroy(), LIMIT_MS);
  };
  const udp = ({ address, port, localPort = 0 }, done) => {
    const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.on('message', () => done(true)).on('error', () => done(false));
    socket.bind(localPort, () => socket.send('x', port, address));
    setTimeout(() => socket.close(), LIMIT_MS);
  };
  const attempts = JSON.parse(process.argv[1]).map((attempt) => new Promise((resolve) => {
    ({ tcp, udp })[attempt.protocol](attempt, resolve);
    setTimeout(() => resolve(false), LIMIT_MS);
  }));
  Promise.all(attempts).then((answered) => console.log(JSON.stringify(answered)));`;

export class ForwardedTraffic {
  readonly #client = addNamespace('client');
  readonly #server = addNamespace('server');
  #program: ChildProcess | undefined;

  /** Connects the hosts and starts the server. */
  async start(): Promise<void> {
    this.#connect(this.#client, 'to-client', CLIENT, ROUTER);
    this.#connect(this.#server, 'to-server', SERVER, { ipv4: '198.51.100.1', ipv6: '2001:db8:2::1' });
    writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
    writeFileSync('/proc/sys/net/ipv6/conf/all/forwarding', '1');
    const args = ['netns', 'exec', this.#server, process.execPath, '-e', serverProgram];
    const program = spawn('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    process.on('exit', () => program.kill('SIGKILL'));
    this.#program = program;
    await once(program.stdout, 'data');
    // a new link forwards nothing for a moment
    for (const address of [SERVER.ipv4, SERVER.ipv6])
      await until(`${address} answers`, () => this.#ping(address));
  }

  stop(): void {
    this.#program?.kill('SIGKILL');
  }

  /** Tries each; says which were answered. */
  async try(attempts: readonly Attempt[]): Promise<boolean[]> {
    const pings = attempts.filter(({ protocol }) => protocol === 'ping');
    const others = attempts.filter(({ protocol }) => protocol !== 'ping');
    const args = [
      'netns',
      'exec',
      this.#client,
      process.execPath,
      '-e',
      clientProgram,
      JSON.stringify(others),
    ];
    const program = spawn('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    program.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const ended = once(program, 'close');
    const pinged = pings.map(({ address }) => this.#ping(address));
    await ended;
    const answered: boolean[] = JSON.parse(said);
    return attempts.map(({ protocol }) => (protocol === 'ping' ? pinged.shift()! : answered.shift()!));
  }

  #ping(address: string): boolean {
    const command = ['netns', 'exec', this.#client, 'ping', '-n', '-q', '-c', '1', '-W', '1', address];
    return spawnSync('ip', command).status === 0;
  }

  #connect(host: string, link: string, own: Ends, router: Ends): void {
    sh('ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host);
    for (const [where, device, { ipv4, ipv6 }] of [
      [[], link, router],
      [['-n', host], 'eth0', own],
    ] as const) {
      sh('ip', ...where, 'address', 'add', `${ipv4}/24`, 'dev', device);
      sh('ip', ...where, 'address', 'add', `${ipv6}/64`, 'dev', device, 'nodad');
      sh('ip', ...where, 'link', 'set', device, 'up');
    }
    sh('ip', '-n', host, 'route', 'add', 'default', 'via', router.ipv4);
    sh('ip', '-n', host, 'route', 'add', 'default', 'via', router.ipv6);
  }
}

interface Ends {
  readonly ipv4: string;
  readonly ipv6: string;
}
