/** Commands, refusals, ranges, batches and fast tests on a real kernel. */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Element, IpsetError, openIpset } from '../../src/ipset/index.ts';
import { EncodeError } from '../../src/nfnetlink/index.ts';
import { hasCommand, insideNamespace, sh, skipFile } from '../support/namespace.ts';

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

await insideNamespace(import.meta.url, async () => {
  if (!hasCommand('ipset')) skipFile(import.meta.url, 'no `ipset` command (Debian package ipset)');
  const client = await openIpset();

  const members = (name: string) =>
    sh('ipset', 'save', name)
      .split('\n')
      .filter((line) => line.startsWith('add'))
      .map((line) => line.split(' ')[2]!)
      .sort();

  /** The refusal, which must be one of the kernel's. */
  async function refusal(work: Promise<unknown>): Promise<IpsetError> {
    try {
      await work;
    } catch (error) {
      assert.instance(error, IpsetError, String(error));
      return error as IpsetError;
    }
    throw new Error('the kernel did not refuse');
  }

  async function refused(code: string, work: Promise<unknown>): Promise<void> {
    assert.is((await refusal(work)).code, code);
  }

  async function notSent(path: string, work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      assert.instance(error, EncodeError, String(error));
      assert.is((error as EncodeError).path, path, String(error));
      return;
    }
    throw new Error('it was taken');
  }

  // a list refers to its members, which keeps them from being destroyed
  test.before.each(() => {
    sh('ipset', 'flush');
    sh('ipset', 'destroy');
  });
  test.after(() => client.close());

  test('protocol', async () => assert.is(await client.protocol(), 7));

  test('names, headers, numbers', async () => {
    assert.equal(await client.names(), []);
    await client.create('a', 'hash:ip');
    await client.create('b', 'hash:net', { family: 'ipv6' });
    await client.add('a', { ip: '10.0.0.1' });
    assert.equal((await client.names()).sort(), ['a', 'b']);
    const headers = await client.headers();
    assert.equal(headers.map(({ name, type, family }) => [name, type, family]).sort(), [
      ['a', 'hash:ip', 'ipv4'],
      ['b', 'hash:net', 'ipv6'],
    ]);
    const header = await client.header('a');
    assert.is(header.elementCount, 1);
    assert.is(header.references, 0);
    assert.is(await client.indexOf('a'), header.index);
    assert.is(await client.nameOf(header.index!), 'a');
    assert.is(await client.nameOf(60000), undefined);
  });

  test('rename, swap, flush, destroy', async () => {
    await client.create('a', 'hash:ip');
    await client.create('b', 'hash:ip');
    await client.create('n', 'hash:net');
    await client.add('a', { ip: '10.0.0.1' });
    await client.add('b', { ip: '10.0.0.2' });
    await client.swap('a', 'b');
    assert.equal([members('a'), members('b')], [['10.0.0.2'], ['10.0.0.1']]);
    await client.rename('a', 'c');
    assert.equal((await client.names()).sort(), ['b', 'c', 'n']);
    await client.flush('b');
    assert.equal([members('b'), members('c')], [[], ['10.0.0.2']]);
    await client.add('n', { ip: '10.0.0.0', cidr: 8 });
    await client.flushAllSets();
    assert.equal([members('c'), members('n')], [[], []]);
    await client.destroy('b');
    assert.equal((await client.names()).sort(), ['c', 'n']);
    await client.destroyAllSets();
    assert.equal(await client.names(), []);
  });

  test('exist', async () => {
    await client.create('a', 'hash:ip', { timeout: 100 });
    await client.create('a', 'hash:ip', { timeout: 100 }, { exist: true });
    await refused('EEXIST', client.create('a', 'hash:ip', { timeout: 100 }));
    await refused('EEXIST', client.create('a', 'hash:net', {}, { exist: true }));
    await client.add('a', { ip: '10.0.0.1', timeout: 10 });
    await client.add('a', { ip: '10.0.0.1', timeout: 0 }, { exist: true });
    assert.equal(await collected(client.elements('a')), [{ ip: '10.0.0.1', timeout: 0 }]);
    await refused('IPSET_ERR_EXIST', client.add('a', { ip: '10.0.0.1' }));
    await client.del('a', { ip: '10.0.0.1' });
    await client.del('a', { ip: '10.0.0.1' }, { exist: true });
    await refused('IPSET_ERR_EXIST', client.del('a', { ip: '10.0.0.1' }));
    await refused('ENOENT', client.destroy('none'));
    await client.destroy('none', { exist: true });
  });

  test('ranges', async () => {
    await client.create('h', 'hash:ip');
    await client.add('h', { ip: '10.0.0.0', cidr: 30 });
    assert.equal(members('h'), ['10.0.0.0', '10.0.0.1', '10.0.0.2', '10.0.0.3']);
    await client.add('h', { ip: '10.0.1.1', ipTo: '10.0.1.2' });
    await client.del('h', { ip: '10.0.0.0', ipTo: '10.0.0.255' }, { exist: true });
    assert.equal(members('h'), ['10.0.1.1', '10.0.1.2']);

    await client.create('n', 'hash:net');
    await client.add('n', { ip: '10.0.0.0', ipTo: '10.0.0.9' });
    assert.equal(members('n'), ['10.0.0.0/29', '10.0.0.8/31']);

    await client.create('p', 'hash:ip,port');
    await client.add('p', { ip: '10.0.0.1', port: 53, portTo: 55, protocol: 17 });
    assert.equal(members('p'), ['10.0.0.1,udp:53', '10.0.0.1,udp:54', '10.0.0.1,udp:55']);

    await client.create('b', 'bitmap:port', { range: '0-100' });
    await client.add('b', { port: 7, portTo: 9 });
    assert.equal(members('b'), ['7', '8', '9']);

    await client.create('i', 'bitmap:ip', { range: '10.0.0.0/24' });
    await client.add('i', { ip: '10.0.0.4', cidr: 31 });
    assert.equal(members('i'), ['10.0.0.4', '10.0.0.5']);
  });

  test('lists', async () => {
    for (const name of ['x', 'y', 'z']) await client.create(name, 'hash:ip');
    await client.create('l', 'list:set');
    await client.add('l', { name: 'x' });
    await client.add('l', { name: 'y', before: 'x' });
    await client.add('l', { name: 'z', after: 'y' });
    assert.equal(await collected(client.elements('l')), [{ name: 'y' }, { name: 'z' }, { name: 'x' }]);
    assert.is(await client.test('l', { name: 'y', before: 'z' }), true);
    assert.is(await client.test('l', { name: 'y', after: 'z' }), false);
    // a list comes behind its members
    assert.is((await collected(client.list())).at(-1)!.header.name, 'l');
    await refused('IPSET_ERR_REFERENCED', client.rename('x', 'w'));
    await refused('IPSET_ERR_BUSY', client.destroy('x'));
    await refused('IPSET_ERR_BUSY', client.destroyAllSets());
    await refused('IPSET_ERR_NAME', client.add('l', { name: 'none' }));
    for (const name of ['u', 'v']) await client.create(name, 'hash:ip');
    await refused('IPSET_ERR_REF_EXIST', client.add('l', { name: 'u', before: 'v' }));
    await refused('IPSET_ERR_NAMEREF', client.add('l', { name: 'z', before: 'none' }));
    await client.create('l2', 'list:set');
    await refused('IPSET_ERR_LOOP', client.add('l', { name: 'l2' }));
    await client.flush('l');
  });

  test('refusals by the set', async () => {
    await client.create('h', 'hash:ip', { maxElements: 2, hashSize: 64 });
    await refused('IPSET_ERR_HASH_ELEM', client.add('h', { ip: '0.0.0.0' }));
    await refused(
      'IPSET_ERR_HASH_FULL',
      client.addMany(
        'h',
        [...Array(500).keys()].map((i) => ({ ip: `10.0.1.${i & 255}` })),
        { exist: true },
      ),
    );
    await refused('IPSET_ERR_TIMEOUT', client.add('h', { ip: '10.0.0.1', timeout: 5 }));
    await refused('IPSET_ERR_COUNTER', client.add('h', { ip: '10.0.0.1', packets: 5n }));
    await refused('IPSET_ERR_COMMENT', client.add('h', { ip: '10.0.0.1', comment: 'x' }));
    await refused('IPSET_ERR_SKBINFO', client.add('h', { ip: '10.0.0.1', skbQueue: 5 }));
    await client.create('b', 'bitmap:ip', { range: '10.0.0.0/24' });
    await refused('IPSET_ERR_BITMAP_RANGE', client.add('b', { ip: '10.0.1.0' }));
    await refused('IPSET_ERR_BITMAP_RANGE_SIZE', client.create('b2', 'bitmap:ip', { range: '10.0.0.0/8' }));
    await client.create('p', 'hash:ip,port');
    await client.create('n', 'hash:net');
    await refused('IPSET_ERR_EXIST_SETNAME2', client.rename('n', 'p'));
    await refused('IPSET_ERR_EXIST_SETNAME2', client.swap('n', 'none'));
    await refused('IPSET_ERR_TYPE_MISMATCH', client.swap('n', 'p'));
    await refused('ENOENT', client.rename('none', 'p2'));
    await refused('ENOENT', client.flush('none'));
    await refused('ENOENT', collected(client.list('none')));
    await refused('ENOENT', client.header('none'));
    await refused('ENOENT', client.test('none', { ip: '10.0.0.1' }));
    await refused('ENOENT', client.add('none', { ip: '10.0.0.1' }));
    await refused('ENOENT', client.tester('none'));
    await refused('ENOENT', client.indexOf('none'));
  });

  test('what is refused before it is sent', async () => {
    await client.create('h', 'hash:ip', { timeout: 0, comment: true, skbinfo: true });
    await client.create('h6', 'hash:ip', { family: 'ipv6' });
    await client.create('p', 'hash:ip,port');
    await client.create('n', 'hash:net');
    await client.create('i', 'hash:net,iface');
    await notSent('ip', client.add('h', { ip: '::1' }));
    await notSent('ip', client.test('h6', { ip: '10.0.0.1' }));
    await notSent('ip', client.test('h', { ip: 'x' }));
    await notSent('ip', client.test('h', {}));
    await notSent('port', client.test('h', { ip: '10.0.0.1', port: 80 }));
    await notSent('protocol', client.test('p', { ip: '10.0.0.1', port: 80 }));
    await notSent('protocol', client.test('p', { ip: '10.0.0.1', port: 0, protocol: 0 }));
    await notSent('data.port', client.test('p', { ip: '10.0.0.1', port: 65536, protocol: 6 }));
    await notSent('cidr', client.add('n', { ip: '10.0.0.0', cidr: 33 }));
    await notSent('cidr', client.add('n', { ip: '10.0.0.0', cidr: 0 }));
    await notSent('cidr', client.test('h', { ip: '10.0.0.0', cidr: 24 }));
    await notSent('ipTo', client.test('h', { ip: '10.0.0.0', ipTo: '10.0.0.9' }));
    await notSent('ipTo', client.add('h6', { ip: '::1', ipTo: '::2' }));
    await notSent('timeout', client.add('h', { ip: '10.0.0.1', timeout: 2147484 }));
    await notSent('data.comment', client.add('h', { ip: '10.0.0.1', comment: 'x'.repeat(256) }));
    await notSent('skbMark.mark', client.add('h', { ip: '10.0.0.1', skbMark: { mark: 2 ** 32, mask: 1 } }));
    await notSent('data.iface', client.add('i', { ip: '10.0.0.0', cidr: 8, iface: 'abcdefghijklmnop' }));
    await notSent('setName', client.create('a'.repeat(32), 'hash:ip'));
    await notSent('setName', client.create('', 'hash:ip'));
    await notSent('setName', client.destroy(''));
    await notSent('setName', client.flush(''));
    await notSent('setName2', client.rename('h', ''));
    await notSent('timeout', client.create('x', 'hash:ip', { timeout: 2147484 }));
    await notSent('netmask', client.create('x', 'hash:ip', { netmask: 33 }));
    await notSent('bitmask', client.create('x', 'hash:ip', { netmask: 8, bitmask: '255.0.0.0' }));
    await notSent('range', client.create('x', 'bitmap:port'));
    await notSent('range', client.create('x', 'bitmap:port', { range: '9-65536' }));
    await notSent('family', client.create('x', 'bitmap:ip', { range: '10.0.0.0/24', family: 'ipv6' }));
    await notSent('size', client.create('x', 'hash:ip', { size: 4 }));
    await notSent('revision', client.create('x', 'hash:ip', { revision: 99 }));
    await notSent('bitmask', client.create('x', 'hash:ip', { revision: 5, bitmask: '255.0.0.0' }));
    await notSent('comment', client.create('x', 'hash:ip', { revision: 1, comment: true }));
    await notSent(
      'set',
      client.create('x', 'list:set').then(() => client.tester('x')),
    );
    await notSent('iface', client.tester('i'));
  });

  test('the longest timeout and a name of 31 bytes', async () => {
    const name = 'a'.repeat(31);
    await client.create(name, 'hash:ip', { timeout: 2147483 });
    await client.add(name, { ip: '10.0.0.1', timeout: 2147483 });
    const [element] = await collected(client.elements(name));
    assert.ok(element!.timeout! >= 2147470, `${element!.timeout} s are left`);
  });

  test('a set that is made again with another type', async () => {
    await client.create('s', 'hash:ip');
    await client.add('s', { ip: '10.0.0.1' });
    assert.is(await client.test('s', { ip: '10.0.0.1' }), true);
    const tester = await client.tester('s');
    assert.equal([...(await tester.testMany(Uint8Array.of(10, 0, 0, 1)))], [1]);
    sh('ipset', 'destroy', 's');
    sh('ipset', 'create', 's', 'hash:ip', 'family', 'inet6');
    sh('ipset', 'add', 's', '2001:db8::1');
    await notSent('set', tester.testMany(Uint8Array.of(10, 0, 0, 1)));
    await notSent('ip', client.test('s', { ip: '10.0.0.1' }));
    assert.is(await client.test('s', { ip: '2001:db8::1' }), true);
    sh('ipset', 'destroy', 's');
    sh('ipset', 'create', 's', 'hash:net');
    await client.add('s', { ip: '10.0.0.0', cidr: 8 });
    assert.is(await client.test('s', { ip: '10.0.0.1' }), true);
    sh('ipset', 'destroy', 's');
    await refused('ENOENT', client.test('s', { ip: '10.0.0.1' }));
    await refused('ENOENT', tester.testMany(Uint8Array.of(10, 0, 0, 1)));
  });

  test('exceptions in a set of networks', async () => {
    await client.create('n', 'hash:net');
    await client.add('n', { ip: '10.0.0.0', cidr: 8 });
    await client.add('n', { ip: '10.5.0.0', cidr: 16, nomatch: true });
    assert.is(await client.test('n', { ip: '10.5.0.1' }), false);
    assert.is(await client.test('n', { ip: '10.5.0.1', nomatch: true }), true);
    assert.is(await client.test('n', { ip: '10.5.0.0', cidr: 16, nomatch: true }), true);
    assert.is(await client.test('n', { ip: '10.4.0.0', cidr: 16 }), false);
    const keys = Uint8Array.of(10, 5, 0, 1, 10, 4, 0, 1, 11, 0, 0, 1);
    assert.equal([...(await (await client.tester('n')).testMany(keys))], [0, 1, 0]);
    const exceptions = await client.tester('n', { nomatch: true });
    assert.equal([...(await exceptions.testMany(keys))], [1, 0, 0]);
  });

  test('a batch says which element was refused', async () => {
    await client.create('h', 'hash:ip');
    const elements: Element[] = [...Array(3000).keys()].map((i) => ({ ip: `10.1.${i >> 8}.${i & 255}` }));
    elements[2500] = { ip: '10.1.0.7' };
    const error = await refusal(client.addMany('h', elements));
    assert.is(error.code, 'IPSET_ERR_EXIST');
    assert.is(error.index, 2500);
    assert.is(error.set, 'h');
    assert.is(members('h').length, 2500);
    assert.is(await client.addMany('h', elements, { exist: true }), 3000);
    assert.is(members('h').length, 2999);
    const gone = await refusal(
      client.delMany('h', [{ ip: '10.1.0.1' }, { ip: '10.99.0.1' }, { ip: '10.1.0.2' }]),
    );
    assert.is(gone.index, 1);
    assert.is(members('h').length, 2998);
    await notSent('elements[1].ip', client.addMany('h', [{ ip: '10.7.0.1' }, { ip: '::1' }]));
    assert.is(await client.test('h', { ip: '10.7.0.1' }), true);
    assert.is(await client.delMany('h', elements, { exist: true }), 3000);
  });

  test('65,536 elements restored, listed and tested', async () => {
    const count = 65_536;
    await client.create('big', 'hash:ip,port', { maxElements: count });
    const element = (i: number) => ({ ip: `10.${i & 255}.0.${i >> 8}`, port: i, protocol: 6 });
    function* all() {
      for (let i = 0; i < count; i++) yield element(i);
    }
    assert.is(await client.addMany('big', all()), count);
    assert.is(members('big').length, count);
    const listed = new Set<string>();
    let parts = 0;
    for await (const part of client.listParts('big')) {
      parts++;
      for (const { ip, port, protocol } of part.elements) listed.add(`${ip} ${port} ${protocol}`);
    }
    assert.is(listed.size, count);
    assert.ok(parts > 10, `${parts} parts`);
    for (const i of [0, 4711, count - 1]) {
      const { ip, port, protocol } = element(i);
      assert.ok(listed.has(`${ip} ${port} ${protocol}`));
    }

    // every second key has another protocol
    const tester = await client.tester('big');
    assert.is(tester.keyLength, 7);
    const keys = new Uint8Array(count * 7);
    for (let i = 0; i < count; i++) {
      keys.set([10, i & 255, 0, i >> 8, i % 2 === 0 ? 6 : 17, i >> 8, i & 255], i * 7);
    }
    const found = await tester.testMany(keys);
    assert.ok(found.every((value, i) => value === (i % 2 === 0 ? 1 : 0)));
    for (const i of [0, 1, 300, 4711]) {
      const key = { ...element(i), protocol: i % 2 === 0 ? 6 : 17 };
      assert.is(await client.test('big', key), found[i] === 1);
    }

    const saved = await collected(client.save('big'));
    await client.destroy('big');
    await client.restore(saved);
    assert.is(members('big').length, count);
    await client.delMany('big', all());
    assert.equal(members('big'), []);
  });

  test('raw keys of each kind against ipset test', async () => {
    sh('ipset', 'create', 'm', 'bitmap:ip,mac', 'range', '10.0.0.0/24');
    sh('ipset', 'add', 'm', '10.0.0.1,02:00:00:00:00:01');
    const withMac = await client.tester('m', { mac: true });
    assert.equal(
      [
        ...(await withMac.testMany(
          Uint8Array.of(10, 0, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 2, 0, 0, 0, 0, 2),
        )),
      ],
      [1, 0],
    );
    const anyMac = await client.tester('m');
    assert.equal([...(await anyMac.testMany(Uint8Array.of(10, 0, 0, 1, 10, 0, 0, 2)))], [1, 0]);

    sh('ipset', 'create', 'bp', 'bitmap:port', 'range', '0-65535');
    sh('ipset', 'add', 'bp', '443');
    assert.equal([...(await (await client.tester('bp')).testMany(Uint8Array.of(1, 187, 1, 188)))], [1, 0]);

    sh('ipset', 'create', 'hpi', 'hash:ip,port,net', 'family', 'inet6');
    sh('ipset', 'add', 'hpi', '2001:db8::1,udp:53,2001:db9::/32');
    const key = [
      0x20,
      1,
      0x0d,
      0xb8,
      ...Array(11).fill(0),
      1,
      17,
      0,
      53,
      0x20,
      1,
      0x0d,
      0xb9,
      ...Array(12).fill(7),
    ];
    const other = [...key];
    other[22] = 0xba;
    assert.equal(
      [...(await (await client.tester('hpi')).testMany(Uint8Array.from([...key, ...other])))],
      [1, 0],
    );

    sh('ipset', 'create', 'ni', 'hash:net,iface');
    sh('ipset', 'add', 'ni', '10.4.0.0/16,eth0');
    for (const [iface, expected] of [
      ['eth0', 1],
      ['eth1', 0],
    ] as const) {
      assert.equal(
        [...(await (await client.tester('ni', { iface })).testMany(Uint8Array.of(10, 4, 1, 1)))],
        [expected],
      );
      assert.is(spawnSync('ipset', ['test', 'ni', `10.4.1.1,${iface}`]).status, expected === 1 ? 0 : 1);
    }
    await notSent('keys', (await client.tester('ni', { iface: 'eth0' })).testMany(new Uint8Array(3)));
    await notSent(
      'results',
      (await client.tester('ni', { iface: 'eth0' })).testMany(new Uint8Array(8), new Uint8Array(1)),
    );
    assert.equal([...(await (await client.tester('ni', { iface: 'eth0' })).testMany(new Uint8Array(0)))], []);
  });

  test.run();
});
