/** Every set type that the kernel has: made by us and read by ipset(8), and the reverse. */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type CreateOptions,
  type Element,
  findSetType,
  formatElement,
  formatExtensions,
  IpsetError,
  openIpset,
  parseElement,
  type SetTypeName,
  setTypes,
} from '../../src/ipset/index.ts';
import { hasCommand, insideNamespace, sh, skipFile } from '../support/namespace.ts';

interface Case {
  readonly type: SetTypeName;
  /** The revision of the type that its options need. */
  readonly since?: number;
  readonly options?: CreateOptions;
  /** Elements as the kernel lists them. */
  readonly elements: readonly Element[];
  /** An element that is not in the set. */
  readonly missing: Element;
}

const cases: readonly Case[] = [
  {
    type: 'bitmap:ip',
    options: { range: '10.0.0.0-10.0.255.255' },
    elements: [{ ip: '10.0.0.7' }, { ip: '10.0.255.255' }],
    missing: { ip: '10.0.0.8' },
  },
  {
    type: 'bitmap:ip',
    options: { range: '10.0.0.0-10.0.255.255', netmask: 24 },
    elements: [{ ip: '10.0.1.0' }],
    missing: { ip: '10.0.2.0' },
  },
  {
    type: 'bitmap:ip,mac',
    options: { range: '10.0.0.0-10.0.0.255' },
    elements: [{ ip: '10.0.0.1', mac: '02:00:00:00:0A:01' }, { ip: '10.0.0.2' }],
    missing: { ip: '10.0.0.1', mac: '02:00:00:00:0A:02' },
  },
  {
    type: 'bitmap:port',
    options: { range: '1000-2000' },
    elements: [{ port: 1000 }, { port: 1080 }],
    missing: { port: 1081 },
  },
  { type: 'hash:ip', elements: [{ ip: '10.0.0.1' }, { ip: '255.255.255.255' }], missing: { ip: '10.0.0.2' } },
  {
    type: 'hash:ip',
    options: { family: 'ipv6' },
    elements: [{ ip: '2001:db8::1' }, { ip: '::1' }],
    missing: { ip: '2001:db8::2' },
  },
  {
    type: 'hash:ip',
    options: { hashSize: 4096, maxElements: 100, bucketSize: 8, netmask: 30, initialValue: 7 },
    elements: [{ ip: '10.0.0.4' }],
    missing: { ip: '10.0.0.8' },
  },
  {
    type: 'hash:ip',
    since: 6,
    options: { bitmask: '255.0.255.0' },
    elements: [{ ip: '10.0.1.0' }],
    missing: { ip: '10.0.2.0' },
  },
  {
    type: 'hash:net',
    elements: [
      { ip: '10.0.0.0', cidr: 8 },
      { ip: '10.1.0.0', cidr: 16, nomatch: true },
      { ip: '1.2.3.4', cidr: 32 },
    ],
    missing: { ip: '10.1.2.3' },
  },
  {
    type: 'hash:net',
    options: { family: 'ipv6' },
    elements: [
      { ip: '2001:db8::', cidr: 32 },
      { ip: '::', cidr: 1 },
    ],
    missing: { ip: '8000::' },
  },
  {
    type: 'hash:ip,port',
    elements: [
      { ip: '10.0.0.1', port: 80, protocol: 6 },
      { ip: '10.0.0.1', port: 53, protocol: 17 },
      { ip: '10.0.0.1', port: 0x0800, protocol: 1 },
      { ip: '10.0.0.1', port: 0, protocol: 47 },
      { ip: '10.0.0.1', port: 5, protocol: 132 },
    ],
    missing: { ip: '10.0.0.1', port: 80, protocol: 17 },
  },
  {
    type: 'hash:ip,port',
    options: { family: 'ipv6' },
    elements: [
      { ip: '::1', port: 65535, protocol: 136 },
      { ip: '::1', port: 0x8000, protocol: 58 },
      { ip: '::1', port: 0x0107, protocol: 58 },
    ],
    missing: { ip: '::1', port: 1, protocol: 6 },
  },
  {
    type: 'hash:ip,port,ip',
    elements: [{ ip: '10.0.0.1', port: 443, protocol: 6, ip2: '10.9.9.9' }],
    missing: { ip: '10.0.0.1', port: 443, protocol: 6, ip2: '10.9.9.8' },
  },
  {
    type: 'hash:ip,port,ip',
    options: { family: 'ipv6' },
    elements: [{ ip: '::1', port: 443, protocol: 6, ip2: '::2' }],
    missing: { ip: '::2', port: 443, protocol: 6, ip2: '::1' },
  },
  {
    type: 'hash:ip,port,net',
    elements: [{ ip: '10.0.0.1', port: 443, protocol: 6, ip2: '10.9.0.0', cidr2: 16 }],
    missing: { ip: '10.0.0.1', port: 443, protocol: 6, ip2: '10.8.0.1' },
  },
  {
    type: 'hash:ip,port,net',
    options: { family: 'ipv6' },
    elements: [{ ip: '::1', port: 443, protocol: 6, ip2: '2001:db8::', cidr2: 32, nomatch: true }],
    missing: { ip: '::1', port: 443, protocol: 6, ip2: '2001:db8::1' },
  },
  {
    type: 'hash:net,port',
    elements: [{ ip: '10.3.0.0', cidr: 16, port: 22, protocol: 6 }],
    missing: { ip: '10.3.0.1', port: 23, protocol: 6 },
  },
  {
    type: 'hash:net,port',
    options: { family: 'ipv6' },
    elements: [{ ip: '2001:db8::', cidr: 48, port: 22, protocol: 6 }],
    missing: { ip: '2001:db9::1', port: 22, protocol: 6 },
  },
  {
    type: 'hash:net,iface',
    elements: [
      { ip: '10.4.0.0', cidr: 16, iface: 'eth0' },
      { ip: '10.5.0.0', cidr: 16, iface: 'eth0', physdev: true },
      { ip: '10.6.0.0', cidr: 16, iface: 'ppp', wildcard: true },
      { ip: '0.0.0.0', cidr: 0, iface: 'wan' },
    ],
    missing: { ip: '10.4.0.1', iface: 'eth1' },
  },
  {
    type: 'hash:net,iface',
    options: { family: 'ipv6' },
    elements: [{ ip: '2001:db8::', cidr: 32, iface: 'abcdefghijklmno' }],
    missing: { ip: '2001:db9::', iface: 'abcdefghijklmno' },
  },
  // types that the kernel of the authors has no module for; tested where there is one
  { type: 'hash:mac', elements: [{ mac: '02:00:00:00:0A:01' }], missing: { mac: '02:00:00:00:0A:02' } },
  {
    type: 'hash:ip,mac',
    elements: [{ ip: '10.0.0.1', mac: '02:00:00:00:0A:01' }],
    missing: { ip: '10.0.0.1', mac: '02:00:00:00:0A:02' },
  },
  {
    type: 'hash:ip,mark',
    options: { markMask: 0xffff },
    elements: [{ ip: '10.0.0.1', mark: 0x12 }],
    missing: { ip: '10.0.0.1', mark: 0x13 },
  },
  {
    type: 'hash:net,net',
    elements: [{ ip: '10.0.0.0', cidr: 8, ip2: '192.168.0.0', cidr2: 16 }],
    missing: { ip: '10.0.0.1', ip2: '192.169.0.1' },
  },
  {
    type: 'hash:net,port,net',
    elements: [{ ip: '10.0.0.0', cidr: 8, port: 80, protocol: 6, ip2: '0.0.0.0', cidr2: 0 }],
    missing: { ip: '10.0.0.1', port: 81, protocol: 6, ip2: '192.169.0.1' },
  },
  {
    type: 'list:set',
    options: { size: 4 },
    elements: [{ name: 'm1' }, { name: 'm2' }],
    missing: { name: 'm3' },
  },
];

const extended = { timeout: 86400, counters: true, comment: true, skbinfo: true } as const;
const extensions = {
  timeout: 0,
  packets: 5n,
  bytes: 500n,
  comment: 'hello world',
  skbMark: { mark: 0x10, mask: 0xff },
  skbPriority: 0x1000a,
  skbQueue: 3,
} as const;

await insideNamespace(import.meta.url, async () => {
  if (!hasCommand('ipset')) skipFile(import.meta.url, 'no `ipset` command (Debian package ipset)');
  const client = await openIpset();

  /** The lines of `ipset save` of one set. */
  const saved = (name: string) => sh('ipset', 'save', name).trim().split('\n');
  const line = (name: string, element: Element, type: SetTypeName) =>
    ['add', name, formatElement(element, findSetType(type)!), formatExtensions(element)].join(' ').trim();
  const sorted = (list: readonly unknown[]) =>
    list
      .map((each) => JSON.stringify(each, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)))
      .sort();
  const normal = (element: Element) => Object.fromEntries(Object.entries(element).sort());

  /** Whether this kernel lacks what the case is about: then it is noted what is untested. */
  async function isMissing({ type, since = 0, options = {} }: Case): Promise<boolean> {
    try {
      const { newest } = await client.revisions(type, options.family ? { family: options.family } : {});
      // an option of a newer kernel, whose type itself is tested by other cases
      return newest < since;
    } catch (error) {
      if (!(error instanceof IpsetError) || error.code !== 'IPSET_ERR_FIND_TYPE') throw error;
      untested.add(type);
      return true;
    }
  }

  const untested = new Set<string>();

  // a list refers to its members, which keeps them from being destroyed
  test.before.each(() => {
    sh('ipset', 'flush');
    sh('ipset', 'destroy');
  });
  test.after(() => client.close());

  for (const each of cases) {
    const { type, options = {}, elements, missing } = each;
    const family = options.family ?? 'ipv4';
    const title = `${type} ${family} ${Object.keys(options)}`;

    test(`${title}: ours, read by ipset(8)`, async () => {
      if (await isMissing(each)) return;
      for (const member of ['m1', 'm2', 'm3']) await client.create(member, 'hash:ip');
      for (const [name, more] of [
        ['plain', {}],
        ['full', extended],
      ] as const) {
        await client.create(name, type, { ...options, ...more });
        const full = elements.map((element) => (name === 'full' ? { ...element, ...extensions } : element));
        for (const element of full) await client.add(name, element);
        const shown = saved(name).slice(1);
        assert.equal(shown.sort(), full.map((element) => line(name, element, type)).sort());

        const [listing] = await collected(client.list(name));
        assert.is(listing!.header.type, type);
        const mine = listing!.elements.map(normal);
        assert.equal(sorted(mine), sorted(full.map(normal)));
        for (const element of elements)
          assert.is(await client.test(name, element), true, line(name, element, type));
        assert.is(await client.test(name, missing), false);
        assert.is(spawnSync('ipset', ['test', name, formatElement(missing, findSetType(type)!)]).status, 1);

        for (const element of full) await client.del(name, element);
        assert.equal(saved(name).slice(1), []);
        await client.destroy(name);
      }
    });

    test(`${title}: theirs, read by us`, async () => {
      if (await isMissing(each)) return;
      for (const member of ['m1', 'm2', 'm3']) sh('ipset', 'create', member, 'hash:ip');
      sh('ipset', 'create', 'theirs', type, ...createWords(options));
      for (const element of elements) {
        const words = formatExtensions(element)
          .split(' ')
          .filter((word) => word !== '');
        sh('ipset', 'add', 'theirs', formatElement(element, findSetType(type)!), ...words);
      }
      const [listing] = await collected(client.list('theirs'));
      assert.equal(sorted(listing!.elements.map(normal)), sorted(elements.map(normal)));
      assert.equal({ ...listing!.header.options, ...options }, listing!.header.options);

      // what we save restores to what ipset(8) saves
      const before = saved('theirs');
      const copy = await collected(client.save('theirs'));
      await client.destroy('theirs');
      await client.restore(copy);
      assert.equal(saved('theirs').sort(), [...before].sort());
      for (const text of before.slice(1)) {
        const key = text.split(' ')[2]!;
        assert.is(formatElement(parseElement(key, findSetType(type)!), findSetType(type)!), key);
      }
    });
  }

  test('every set type has a case, and untested ones are known', () => {
    assert.equal([...new Set(cases.map(({ type }) => type))].sort(), setTypes.map(({ name }) => name).sort());
    // a router's kernel may lack more; the one of CI has every type that is called verified
    if (process.env.CI)
      assert.equal(
        [...untested].filter((name) => findSetType(name)!.isVerified),
        [],
      );
    if (untested.size > 0) console.log(`no module in this kernel: ${[...untested].join(' ')}`);
  });

  test('each option of create, read by ipset(8)', async () => {
    await client.create('a', 'hash:ip', { timeout: 60, counters: true, comment: true, skbinfo: true });
    await client.create('b', 'hash:net', { family: 'ipv6', maxElements: 9, hashSize: 64, bucketSize: 4 });
    await client.create('c', 'hash:ip', { initialValue: 0x1234, netmask: 24, forceAdd: true });
    await client.create('d', 'list:set', { size: 5, timeout: 5 });
    await client.create('e', 'bitmap:port', { range: '7' });
    await client.create('f', 'bitmap:ip', { range: '10.0.0.0/24' });
    assert.match(saved('a')[0]!, / timeout 60 counters comment skbinfo /);
    assert.match(saved('b')[0]!, /family inet6 hashsize 64 maxelem 9 bucketsize 4 /);
    assert.match(saved('c')[0]!, / netmask 24 .*initval 0x00001234/);
    assert.is((await client.header('c')).options.forceAdd, true);
    assert.is(saved('d')[0]!, 'create d list:set size 5 timeout 5');
    assert.is(saved('e')[0]!, 'create e bitmap:port range 7-7');
    assert.is(saved('f')[0]!, 'create f bitmap:ip range 10.0.0.0-10.0.0.255');
  });

  test('older revisions', async () => {
    const { newest, oldest } = await client.revisions('hash:ip');
    await client.create('old', 'hash:ip', { revision: oldest });
    assert.is((await client.header('old')).revision, oldest);
    await client.create('new', 'hash:ip');
    assert.is((await client.header('new')).revision, newest);
  });

  test.run();
});

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

function createWords(options: CreateOptions): string[] {
  const words: Readonly<Record<string, string>> = {
    range: 'range',
    netmask: 'netmask',
    bitmask: 'bitmask',
    hashSize: 'hashsize',
    maxElements: 'maxelem',
    bucketSize: 'bucketsize',
    initialValue: 'initval',
    markMask: 'markmask',
    size: 'size',
  };
  return Object.entries(options).flatMap(([name, value]) => {
    if (name === 'family') return ['family', value === 'ipv6' ? 'inet6' : 'inet'];
    return [words[name]!, String(value)];
  });
}
