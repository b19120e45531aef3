/** Which addresses and routes make a network that is directly connected, and how changes are followed. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { networkText } from '../../src/daemon/config/networks.ts';
import { ConnectedNetworks } from '../../src/daemon/connectedNetworks.ts';
import { networkOfRoute, networksOfAddress } from '../../src/daemon/onLink.ts';
import { parseAddress } from '../../src/nfnetlink/address.ts';
import { writeU16host, writeU32host } from '../../src/nfnetlink/bytes.ts';
import { type Codec, encodePayload } from '../../src/nfnetlink/codec.ts';
import { DumpInterruptedError, KernelError } from '../../src/nfnetlink/errors.ts';
import { messageType } from '../../src/nfnetlink/message.ts';
import type { MessageDecoder, Requester } from '../../src/nfnetlink/requester.ts';
import { type Address, address } from '../../src/rtnetlink/address.ts';
import { type Route, route } from '../../src/rtnetlink/route.ts';
import { ManualClock } from '../../src/testing/manualClock.ts';
import { turns } from '../support/waiting.ts';

const [RTM_NEWLINK, RTM_NEWADDR, RTM_GETADDR, RTM_NEWROUTE, RTM_DELROUTE] = [16, 20, 22, 24, 25];
const [MAIN, LOCAL] = [254, 255];

/** A route to 198.51.100.0/24 or the like; of IPv6 where the destination is. */
function routeTo(destination: string, more: Partial<Route> = {}): Route {
  const [text, prefix] = destination.split('/') as [string, string];
  const bytes = parseAddress(text)!;
  return {
    family: bytes.length === 4 ? 2 : 10,
    destinationPrefix: Number(prefix),
    sourcePrefix: 0,
    tos: 0,
    shortTable: MAIN,
    protocol: 2,
    scope: 253,
    type: 1,
    flags: 0,
    table: MAIN,
    destination: bytes,
    outLink: 3,
    ...more,
  };
}

function addressOf(own: string, prefixLength: number, more: Partial<Address> = {}): Address {
  const bytes = parseAddress(own)!;
  return {
    family: bytes.length === 4 ? 2 : 10,
    prefixLength,
    shortFlags: 0x80,
    scope: 0,
    index: 3,
    address: bytes,
    ...(bytes.length === 4 && { local: bytes }),
    flags: 0x80,
    ...more,
  };
}

const gateway = parseAddress('192.0.2.9')!;
const routes: readonly [what: string, route: Route, network: string | undefined][] = [
  ['a network on a link', routeTo('192.0.2.0/24'), '192.0.2.0/24'],
  ['a network on a link, IPv6', routeTo('2001:db8:1::/64', { scope: 0 }), '2001:db8:1::/64'],
  ['a peer', routeTo('10.9.0.2/32'), '10.9.0.2/32'],
  ['a peer, IPv6', routeTo('2001:db8:9::2/128'), '2001:db8:9::2/128'],
  ['an own address', routeTo('192.0.2.1/32', { type: 2, table: LOCAL, scope: 254 }), '192.0.2.1/32'],
  ['a broadcast address', routeTo('192.0.2.255/32', { type: 3, table: LOCAL }), '192.0.2.255/32'],
  ['an anycast address', routeTo('2001:db8:1::/128', { type: 4, table: LOCAL }), '2001:db8:1::/128'],
  ['a table of eight bits alone', routeTo('192.0.2.0/24', { table: undefined }), '192.0.2.0/24'],
  ['the table of an uplink', routeTo('192.0.2.0/24', { table: 1, shortTable: 1 }), undefined],
  ['a table of more than eight bits', routeTo('192.0.2.0/24', { table: 1000, shortTable: 252 }), undefined],
  ['a route through a gateway', routeTo('192.0.2.0/24', { gateway }), undefined],
  ['a route through a gateway of the other family', routeTo('192.0.2.0/24', { via: gateway }), undefined],
  ['several next hops', routeTo('192.0.2.0/24', { multipath: new Uint8Array(16) }), undefined],
  ['a next-hop object', routeTo('192.0.2.0/24', { nexthopId: 7 }), undefined],
  ['a default route through a gateway', routeTo('0.0.0.0/0', { gateway, destination: undefined }), undefined],
  ['a default route to a link', routeTo('0.0.0.0/0', { destination: undefined }), undefined],
  ['a default route to a link, IPv6', routeTo('::/0', { destination: undefined }), undefined],
  ['half of a default route', routeTo('128.0.0.0/1'), undefined],
  ['all global addresses of IPv6', routeTo('2000::/3'), undefined],
  ['a large tunnel', routeTo('10.0.0.0/8'), '10.0.0.0/8'],
  ['an unreachable network', routeTo('192.0.2.0/24', { type: 7 }), undefined],
  ['a blackhole', routeTo('192.0.2.0/24', { type: 6 }), undefined],
  ['multicast', routeTo('ff00::/8', { type: 5, table: LOCAL }), undefined],
  ['a copy for one destination', routeTo('192.0.2.7/32', { flags: 0x200 }), undefined],
  ['another family', routeTo('192.0.2.0/24', { family: 7 }), undefined],
  ['an address of the wrong length', routeTo('192.0.2.0/24', { destination: new Uint8Array(16) }), undefined],
  ['a prefix that is too long', routeTo('192.0.2.0/33'), undefined],
];

for (const [what, tried, expected] of routes) {
  test(`a route: ${what}`, () => {
    const network = networkOfRoute(tried);
    assert.is(network && networkText(network), expected);
  });
}

const addresses: readonly [what: string, address: Address, networks: string[]][] = [
  [
    'IPv4',
    addressOf('192.0.2.1', 24, { broadcast: parseAddress('192.0.2.255')! }),
    ['192.0.2.1/32', '192.0.2.255/32', '192.0.2.0/24'],
  ],
  ['IPv6', addressOf('2001:db8:1::1', 64), ['2001:db8:1::1/128', '2001:db8:1::/64']],
  ['a peer', addressOf('10.9.0.2', 32, { local: parseAddress('10.9.0.1')! }), ['10.9.0.1/32', '10.9.0.2/32']],
  ['without a route', addressOf('192.0.2.1', 24, { flags: 0x280 }), ['192.0.2.1/32']],
  [
    'without a route, in a kernel without IFA_FLAGS',
    addressOf('192.0.2.1', 24, { flags: undefined }),
    ['192.0.2.1/32', '192.0.2.0/24'],
  ],
  ['a network of everything', addressOf('192.0.2.1', 0), ['192.0.2.1/32']],
  ['another family', addressOf('192.0.2.1', 24, { family: 7 }), []],
  ['no address', addressOf('192.0.2.1', 24, { address: undefined, local: undefined }), []],
];

for (const [what, tried, expected] of addresses) {
  test(`an address: ${what}`, () => assert.equal(networksOfAddress(tried).map(networkText), expected));
}

function message<T>(type: number, codec: Codec<T>, value: T, flags = 0): Uint8Array {
  const payload = encodePayload(codec, value);
  const bytes = new Uint8Array(16 + payload.length);
  writeU32host(bytes, 0, bytes.length);
  writeU16host(bytes, 4, type);
  writeU16host(bytes, 6, flags);
  bytes.set(payload, 16);
  return bytes;
}

/** A kernel that holds messages, and answers when it is let. */
class FakeKernel implements Pick<Requester, 'visit'> {
  addresses: Address[] = [];
  routes: Route[] = [];
  dumps = 0;
  fault: unknown;
  /** Whether every dump ends by saying that the table has changed. */
  interrupted = false;
  /** Runs before each answer. */
  before: () => void | Promise<void> = () => {};

  async visit(request: Uint8Array, visitor: MessageDecoder<void>): Promise<void> {
    this.dumps++;
    await this.before();
    if (this.fault) throw this.fault;
    const family = request[16];
    const isAddress = messageType(request, 0) === RTM_GETADDR;
    const answers = isAddress
      ? this.addresses
          .filter((each) => each.family === family)
          .map((each) => message(RTM_NEWADDR, address, each))
      : this.routes
          .filter((each) => each.family === family)
          .map((each) => message(RTM_NEWROUTE, route, each));
    for (const bytes of answers) visitor(bytes, 0, bytes.length);
    if (this.interrupted) throw new DumpInterruptedError('RTM_GETROUTE');
  }
}

/** A whole reading. */
const DUMPS = 4;

function follow() {
  const kernel = new FakeKernel();
  const clock = new ManualClock();
  const told: string[] = [];
  const connected = new ConnectedNetworks(kernel as unknown as Requester, {
    clock,
    onChange: () => told.push(connected.list.map(networkText).join(' ')),
    onFailure: (error) => told.push(String(error)),
  });
  const hear = (bytes: Uint8Array) => connected.heard(bytes, 0, bytes.length);
  const pass = async (milliseconds: number) => {
    clock.advance(milliseconds);
    await turns(3);
  };
  return { kernel, connected, told, hear, pass };
}

const link = message(RTM_NEWLINK, address, addressOf('0.0.0.0', 0));

test('what was read can be asked', async () => {
  const { kernel, connected, told } = follow();
  assert.is(connected.networks.has(2, parseAddress('192.0.2.77')!, 0), false);
  kernel.addresses = [addressOf('192.0.2.1', 24), addressOf('2001:db8:1::1', 64)];
  kernel.routes = [routeTo('192.0.2.0/24'), routeTo('203.0.113.0/24', { gateway })];
  await connected.read();
  assert.equal(told, ['2001:db8:1::/64 2001:db8:1::1/128 192.0.2.0/24 192.0.2.1/32']);
  assert.is(connected.networks.has(2, parseAddress('192.0.2.77')!, 0), true);
  assert.is(connected.networks.has(10, parseAddress('2001:db8:1::77')!, 0), true);
  assert.is(connected.networks.has(2, parseAddress('203.0.113.1')!, 0), false);
});

test('many changes are one reading', async () => {
  const { kernel, connected, told, hear, pass } = follow();
  await connected.read();
  kernel.routes = [routeTo('192.0.2.0/24')];
  for (let i = 0; i < 50; i++) hear(message(RTM_NEWROUTE, route, routeTo('192.0.2.0/24')));
  hear(link);
  connected.overrun();
  assert.is(kernel.dumps, DUMPS);
  const before = connected.networks;
  await pass(99);
  assert.is(kernel.dumps, DUMPS);
  await pass(1);
  assert.is(kernel.dumps, 2 * DUMPS);
  assert.equal(told, ['192.0.2.0/24']);
  assert.is.not(connected.networks, before);
  hear(message(RTM_DELROUTE, route, routeTo('192.0.2.0/24')));
  const unchanged = connected.networks;
  await pass(100);
  assert.is(kernel.dumps, 3 * DUMPS);
  assert.is(connected.networks, unchanged, 'the event was no truth: the table is');
  assert.is(told.length, 1);
});

test('a route through a gateway is no change, but one that replaces another is', async () => {
  const { kernel, connected, hear, pass } = follow();
  await connected.read();
  const indirect = routeTo('192.0.2.0/24', { gateway });
  hear(message(RTM_NEWROUTE, route, indirect));
  hear(message(RTM_DELROUTE, route, indirect));
  await pass(1000);
  assert.is(kernel.dumps, DUMPS);
  hear(message(RTM_NEWROUTE, route, indirect, 0x100));
  await pass(100);
  assert.is(kernel.dumps, 2 * DUMPS);
});

test('a malformed route is a change, too', async () => {
  const { kernel, connected, pass } = follow();
  await connected.read();
  const bytes = message(RTM_NEWROUTE, route, routeTo('192.0.2.0/24'));
  connected.heard(bytes, 0, 20);
  await pass(100);
  assert.is(kernel.dumps, 2 * DUMPS);
});

test('a change during a reading is read again', async () => {
  const { kernel, connected, hear, pass, told } = follow();
  kernel.before = () => {
    if (kernel.dumps !== DUMPS) return;
    kernel.addresses = [addressOf('192.0.2.1', 24)];
    hear(message(RTM_NEWADDR, address, kernel.addresses[0]!));
  };
  await connected.read();
  assert.equal(told, []);
  await pass(100);
  assert.equal(told, ['192.0.2.0/24 192.0.2.1/32']);
});

test('a failure keeps what was known, is told, and is tried again', async () => {
  const { kernel, connected, hear, pass, told } = follow();
  kernel.routes = [routeTo('192.0.2.0/24')];
  await connected.read();
  const facts = { errno: 16, code: 'EBUSY', command: 'RTM_GETADDR', seq: 1 };
  kernel.fault = new KernelError(facts);
  hear(link);
  await pass(100);
  assert.equal(told, ['192.0.2.0/24', 'KernelError: RTM_GETADDR: EBUSY']);
  assert.is(connected.networks.has(2, parseAddress('192.0.2.77')!, 0), true);
  kernel.fault = undefined;
  kernel.routes = [];
  await pass(999);
  assert.is(told.length, 2);
  await pass(1);
  assert.equal(told.slice(2), ['']);
});

test('a reading that the table changed under takes no network away, and is made again', async () => {
  const { kernel, connected, hear, pass, told } = follow();
  kernel.routes = [routeTo('192.0.2.0/24')];
  await connected.read();
  kernel.routes = [routeTo('203.0.113.0/24')];
  kernel.interrupted = true;
  hear(link);
  await pass(100);
  assert.equal(told, ['192.0.2.0/24', '192.0.2.0/24 203.0.113.0/24']);
  kernel.interrupted = false;
  await pass(100);
  assert.equal(told.slice(2), ['203.0.113.0/24']);
  await pass(10_000);
  assert.is(kernel.dumps, 3 * DUMPS);
});

test('the first reading fails to its caller', async () => {
  const { kernel, connected, told } = follow();
  kernel.fault = new Error('none');
  let thrown: unknown;
  await connected.read().catch((error) => {
    thrown = error;
  });
  assert.is(thrown, kernel.fault);
  assert.equal(told, []);
});

test('closed, it neither reads nor tells', async () => {
  const { kernel, connected, hear, pass, told } = follow();
  await connected.read();
  kernel.routes = [routeTo('192.0.2.0/24')];
  hear(link);
  connected.close();
  connected.close();
  hear(link);
  await pass(10_000);
  assert.is(kernel.dumps, DUMPS);
  assert.equal(told, []);
});

test.run();
