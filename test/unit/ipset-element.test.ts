/** Elements and create options: what is written, what is read, and what is refused. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { listedElement, listedOptions, requestedElement } from '../../src/ipset/attributes.ts';
import { decodeCreateOptions, encodeCreateOptions, familyOf } from '../../src/ipset/create.ts';
import {
  type CreateOptions,
  decodeElement,
  type Element,
  type ElementUse,
  elementFields,
  encodeElement,
  findSetType,
  formatElement,
  formatExtensions,
  MAX_TIMEOUT,
  parseElement,
  type SetShape,
  type SetTypeName,
  setTypes,
} from '../../src/ipset/index.ts';
import { formatMac, parseMac } from '../../src/ipset/mac.ts';
import { formatAddress } from '../../src/nfnetlink/address.ts';
import { encodePayload } from '../../src/nfnetlink/codec.ts';
import { AF } from '../../src/nfnetlink/constants.ts';
import { EncodeError } from '../../src/nfnetlink/errors.ts';
import { checkCodec, present } from '../support/checkCodec.ts';

function shape(typeName: SetTypeName, family: number = AF.INET, revision?: number): SetShape {
  const type = findSetType(typeName)!;
  return { name: 's', type, family, revision: revision ?? type.revision };
}

function refused(path: string, work: () => unknown): void {
  try {
    work();
  } catch (error) {
    assert.instance(error, EncodeError, String(error));
    assert.is((error as EncodeError).path, path, String(error));
    return;
  }
  assert.unreachable(`${path} was taken`);
}

const refuses = (path: string, element: Element, set: SetShape, use: ElementUse = 'add') =>
  refused(path, () => encodePayload(requestedElement, encodeElement(element, set, use)));

// captured from ipset 7.17: add h4 10.1.2.3 timeout 120 packets 5 bytes 500 comment "hello world" ...
const everyExtension =
  '0c000180 08000140 0a010203 08000640 00000078 0c001840 00000000000001f4 0c001940 0000000000000005' +
  '10001a00 68656c6c6f20776f726c6400 0c001b40 00000010000000ff 08001c40 00010010 06001d40 0003 0000';

test('the extensions, as ipset(8) writes them', () => {
  checkCodec(requestedElement, [
    {
      hex: everyExtension,
      value: {
        ip: '10.1.2.3',
        timeout: 120,
        packets: 5n,
        bytes: 500n,
        comment: 'hello world',
        skbMark: 0x10000000ffn,
        skbPriority: 0x10010,
        skbQueue: 3,
      },
    },
  ]);
  const element: Element = {
    ip: '10.1.2.3',
    timeout: 120,
    packets: 5n,
    bytes: 500n,
    comment: 'hello world',
    skbMark: { mark: 0x10, mask: 0xff },
    skbPriority: 0x10010,
    skbQueue: 3,
  };
  const bytes = encodePayload(requestedElement, encodeElement(element, shape('hash:ip'), 'add'));
  assert.equal(decodeElement(listedElement.decode(bytes, 0, bytes.length)), element);
  assert.is(
    formatExtensions(element),
    'timeout 120 packets 5 bytes 500 comment "hello world" skbmark 0x10/0xff skbprio 1:10 skbqueue 3',
  );
});

test('listings, as the kernel writes them', () => {
  checkCodec(listedElement, [
    {
      hex: '0c000180 08000100 0a000007 0a001100 020000000001 0000',
      value: { ip: '10.0.0.7', ether: Uint8Array.of(2, 0, 0, 0, 0, 1) },
    },
    { hex: '18000180 14000200 20010db8000000000000000000000001', value: { ip: '2001:db8::1' } },
  ]);
  checkCodec(listedOptions, [
    {
      hex: '08001240 00000400 08001340 00010000 05001500 0c000000 08001140 19f3ce21 08001940 00000000 08001a40 00000120 08001840 00000001',
      value: {
        hashSize: 1024,
        maxElements: 65536,
        bucketSize: 12,
        initialValue: 435408417,
        references: 0,
        memorySize: 288,
        elements: 1,
      },
    },
  ]);
});

test('a deletion and a test leave extensions out', () => {
  const element: Element = { ip: '10.0.0.1', timeout: 5, comment: 'x', packets: 1n };
  for (const use of ['del', 'test'] as const) {
    assert.equal(present(encodeElement(element, shape('hash:ip'), use)), { ip: Uint8Array.of(10, 0, 0, 1) });
  }
});

const address4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => formatAddress(bytes));
const address6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => formatAddress(bytes));
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn });

/** A key of a set as the kernel would list it. */
function keyOf(set: SetShape): fc.Arbitrary<Element> {
  const { needed, allowed } = elementFields(set.type);
  const bits = set.family === AF.INET6 ? 128 : 32;
  const address = set.family === AF.INET6 ? address6 : address4;
  const net = fc.integer({ min: 1, max: bits });
  const values: Partial<Record<keyof Element, fc.Arbitrary<unknown>>> = {
    ip: address,
    ip2: address,
    port: fc.integer({ min: 0, max: 0xffff }),
    protocol: fc.integer({ min: 1, max: 255 }),
    mac: fc.uint8Array({ minLength: 6, maxLength: 6 }).map(formatMac),
    mark: u32,
    iface: fc.stringMatching(/^[a-z][a-z0-9.]{0,14}$/),
    name: fc.stringMatching(/^[a-zA-Z0-9_.-]{1,31}$/),
  };
  const addresses = set.type.dimensions.filter((each) => each === 'ip' || each === 'net');
  if (addresses[0] === 'net') values.cidr = net;
  if (addresses[1] === 'net') values.cidr2 = net;
  for (const flag of ['nomatch', 'wildcard', 'physdev'] as const) {
    if (allowed.includes(flag)) values[flag] = fc.constant(true);
  }
  const picked = Object.fromEntries(
    Object.entries(values).filter(([name]) => allowed.includes(name as never)),
  );
  return fc.record(picked, { requiredKeys: [...needed] as never }) as fc.Arbitrary<Element>;
}

const extensions = fc.record(
  {
    timeout: fc.integer({ min: 0, max: MAX_TIMEOUT }),
    packets: u64,
    bytes: u64,
    comment: fc.stringMatching(/^[ -~]{0,255}$/),
    skbMark: fc.record({ mark: u32, mask: u32 }, { noNullPrototype: true }),
    skbPriority: u32,
    skbQueue: fc.integer({ min: 0, max: 0xffff }),
  },
  { requiredKeys: [], noNullPrototype: true },
);

for (const type of setTypes) {
  const families = type.families === 'any' ? [AF.INET, AF.INET6] : type.families === 'ipv4' ? [AF.INET] : [0];
  for (const family of families) {
    const set = shape(type.name, family);
    test(`${type.name} of family ${family}: any element comes back`, () => {
      fc.assert(
        fc.property(keyOf(set), extensions, (key, more) => {
          const element = { ...key, ...more };
          const bytes = encodePayload(requestedElement, encodeElement(element, set, 'add'));
          assert.equal(decodeElement(listedElement.decode(bytes, 0, bytes.length)), element);
          const fields = { ...parseElement(formatElement(key, type), type) };
          // text shows neither a host's prefix length nor flags
          const bits = family === AF.INET6 ? 128 : 32;
          const { nomatch, wildcard, cidr, cidr2, ...rest } = key;
          const expected = {
            ...rest,
            ...(cidr !== undefined && cidr !== bits && { cidr }),
            ...(cidr2 !== undefined && cidr2 !== bits && { cidr2 }),
          };
          assert.equal(fields, expected);
        }),
      );
    });

    test(`${type.name} of family ${family}: a part that is missing or foreign is refused`, () => {
      const { needed, allowed } = elementFields(type);
      fc.assert(
        fc.property(keyOf(set), fc.constantFrom<ElementUse>('add', 'del', 'test'), (key, use) => {
          for (const field of needed) refuses(field, { ...key, [field]: undefined }, set, use);
          const foreign: Element = {
            port: 1,
            mac: '02:00:00:00:00:01',
            mark: 1,
            iface: 'x',
            name: 'x',
            ip2: '10.0.0.1',
          };
          for (const [field, value] of Object.entries(foreign)) {
            if (!allowed.includes(field as never)) refuses(field, { ...key, [field]: value }, set, use);
          }
          const other = family === AF.INET6 ? '10.0.0.1' : '::1';
          for (const field of ['ip', 'ip2'] as const) {
            if (needed.includes(field)) refuses(field, { ...key, [field]: other }, set, use);
          }
        }),
        { numRuns: 20 },
      );
    });
  }
}

test('ranges', () => {
  const ip = shape('hash:ip');
  refuses('ipTo', { ip: '10.0.0.1', ipTo: '10.0.0.9' }, ip, 'test');
  refuses('ipTo', { ip: '::1', ipTo: '::2' }, shape('hash:ip', AF.INET6));
  refuses('ipTo', { ip: '10.0.0.1', ipTo: '::2' }, ip);
  refuses('cidr', { ip: '10.0.0.1', ipTo: '10.0.0.9', cidr: 8 }, ip);
  refuses('cidr', { ip: '10.0.0.0', cidr: 8 }, ip, 'test');
  refuses('cidr', { ip: '::', cidr: 64 }, shape('hash:ip', AF.INET6));
  refuses('portTo', { ip: '10.0.0.1', port: 9, portTo: 8, protocol: 6 }, shape('hash:ip,port'));
  refuses('portTo', { port: 8, portTo: 9 }, shape('bitmap:port', 0), 'test');
  refuses('ipTo', { ip: '10.0.0.1', ipTo: '10.0.0.2', mac: '02:00:00:00:00:01' }, shape('hash:ip,mac'));
  assert.is(encodeElement({ ip: '::1', cidr: 128 }, shape('hash:ip', AF.INET6), 'test').cidr, 128);
});

test('prefix lengths', () => {
  refuses('cidr', { ip: '10.0.0.0', cidr: 0 }, shape('hash:net'));
  refuses('cidr', { ip: '10.0.0.0', cidr: 33 }, shape('hash:net'));
  refuses('cidr', { ip: '::', cidr: 129 }, shape('hash:net', AF.INET6));
  refuses('cidr', { ip: '10.0.0.0', cidr: 0, iface: 'x' }, shape('hash:net,iface', AF.INET, 1));
  assert.is(encodeElement({ ip: '0.0.0.0', cidr: 0, iface: 'x' }, shape('hash:net,iface'), 'add').cidr, 0);
});

test('values out of range', () => {
  const set = shape('hash:ip');
  const key = { ip: '10.0.0.1' };
  refuses('timeout', { ...key, timeout: MAX_TIMEOUT + 1 }, set);
  refuses('timeout', { ...key, timeout: -1 }, set);
  refuses('comment', { ...key, comment: 'ä'.repeat(128) }, set);
  refuses('skbMark.mask', { ...key, skbMark: { mark: 1, mask: -1 } }, set);
  refuses('skbPriority', { ...key, skbPriority: 2 ** 32 }, set);
  refuses('skbQueue', { ...key, skbQueue: 65536 }, set);
  refuses('packets', { ...key, packets: 1n << 64n }, set);
  refuses('mark', { ...key, mark: 2 ** 32 }, shape('hash:ip,mark'));
  refuses('port', { ...key, port: 65536, protocol: 6 }, shape('hash:ip,port'));
  refuses('protocol', { ...key, port: 1, protocol: 256 }, shape('hash:ip,port'));
  refuses('protocol', { ...key, port: 1, protocol: 0 }, shape('hash:ip,port'));
  refuses('iface', { ...key, iface: 'abcdefghijklmnop' }, shape('hash:net,iface'));
  refuses('iface', { ...key, iface: '' }, shape('hash:net,iface'));
  refuses('name', { name: 'x'.repeat(32) }, shape('list:set', 0));
  refuses('after', { name: 'x', before: 'y', after: 'z' }, shape('list:set', 0));
  refuses('mac', { mac: '02:00' }, shape('hash:mac', 0));
});

test('what an older revision lacks', () => {
  refuses('nomatch', { ip: '10.0.0.0', cidr: 8, nomatch: true }, shape('hash:net', AF.INET, 1));
  refuses('wildcard', { ip: '10.0.0.0', iface: 'x', wildcard: true }, shape('hash:net,iface', AF.INET, 6));
  refuses('nomatch', { ip: '10.0.0.0', nomatch: true }, shape('hash:ip'));
});

test('MAC addresses', () => {
  assert.equal(parseMac('02:0:00:aB:ff:1'), Uint8Array.of(2, 0, 0, 0xab, 0xff, 1));
  for (const text of ['', '02:00:00:00:00', '02:00:00:00:00:00:00', '02:00:00:00:00:0g', '020:0:0:0:0:0']) {
    assert.is(parseMac(text), undefined, text);
  }
  assert.is(formatMac(Uint8Array.of(2, 0, 0, 0xab, 0xff, 1)), '02:00:00:AB:FF:01');
});

test('elements in the syntax of ipset(8)', () => {
  const reads = (typeName: SetTypeName, text: string, element: Element) =>
    assert.equal(parseElement(text, findSetType(typeName)!), element, text);
  reads('hash:ip', '10.0.0.1-10.0.0.9', { ip: '10.0.0.1', ipTo: '10.0.0.9' });
  reads('hash:net', '2001:db8::/32', { ip: '2001:db8::', cidr: 32 });
  reads('hash:ip,port', '10.0.0.1,80', { ip: '10.0.0.1', port: 80, protocol: 6 });
  reads('hash:ip,port', '10.0.0.1,udp:53-55', { ip: '10.0.0.1', port: 53, portTo: 55, protocol: 17 });
  reads('hash:ip,port', '10.0.0.1,icmp:echo-request', { ip: '10.0.0.1', port: 0x0800, protocol: 1 });
  reads('hash:ip,port', '10.0.0.1,icmp:3/99', { ip: '10.0.0.1', port: 0x0363, protocol: 1 });
  reads('hash:ip,port', '::1,icmpv6:ping', { ip: '::1', port: 0x8000, protocol: 58 });
  reads('hash:ip,port', '10.0.0.1,vrrp:0', { ip: '10.0.0.1', port: 0, protocol: 112 });
  reads('hash:ip,port', '10.0.0.1,200:0', { ip: '10.0.0.1', port: 0, protocol: 200 });
  reads('bitmap:port', 'tcp:80', { port: 80 });
  reads('bitmap:ip,mac', '10.0.0.1', { ip: '10.0.0.1' });
  reads('hash:net,iface', '10.0.0.0/8,physdev:eth0', {
    ip: '10.0.0.0',
    cidr: 8,
    iface: 'eth0',
    physdev: true,
  });
  reads('hash:ip,mark', '10.0.0.1,0x63', { ip: '10.0.0.1', mark: 0x63 });
  reads('hash:net,port,net', '10.0.0.0/8,80,0.0.0.0/0', {
    ip: '10.0.0.0',
    cidr: 8,
    port: 80,
    protocol: 6,
    ip2: '0.0.0.0',
    cidr2: 0,
  });
  const bad: [SetTypeName, string][] = [
    ['hash:ip', ''],
    ['hash:ip', '10.0.0.1,80'],
    ['hash:ip', '10.0.0'],
    ['hash:ip', '10.0.0.1-x'],
    ['hash:ip,port', '10.0.0.1'],
    ['hash:ip,port', '10.0.0.1,tcp:65536'],
    ['hash:ip,port', '10.0.0.1,toString:1'],
    ['hash:ip,port', '10.0.0.1,icmp:constructor'],
    ['hash:ip,port', '10.0.0.1,icmp:8'],
    ['hash:ip,port', '10.0.0.1,icmp:8/256'],
    ['hash:ip,mark', '10.0.0.1,x'],
    ['hash:net,iface', '10.0.0.0/8,physdev:'],
    ['list:set', ''],
  ];
  for (const [typeName, text] of bad) refused('', () => parseElement(text, findSetType(typeName)!));
});

test('create options come back', () => {
  const options: CreateOptions = {
    family: 'ipv6',
    timeout: 5,
    counters: true,
    comment: true,
    skbinfo: true,
    forceAdd: true,
    hashSize: 64,
    maxElements: 9,
    bucketSize: 4,
    initialValue: 7,
    netmask: 64,
  };
  const type = findSetType('hash:ip')!;
  const wire = encodeCreateOptions(options, type, type.revision, AF.INET6);
  const { ip, ipTo, cidr, ...listed } = wire;
  assert.equal([ip, ipTo, cidr], [undefined, undefined, undefined]);
  assert.equal(decodeCreateOptions(present(listed) as never, type, AF.INET6), options);
});

test('create options that a type or a revision lacks', () => {
  const encode = (name: SetTypeName, options: CreateOptions, revision?: number) => () => {
    const type = findSetType(name)!;
    return encodeCreateOptions(options, type, revision ?? type.revision, familyOf(type, options.family));
  };
  refused('size', encode('hash:ip', { size: 4 }));
  refused('markMask', encode('hash:ip', { markMask: 4 }));
  refused('hashSize', encode('bitmap:port', { range: '1-2', hashSize: 4 }));
  refused('bucketSize', encode('hash:ip', { bucketSize: 4 }, 4));
  refused('skbinfo', encode('list:set', { skbinfo: true }, 2));
  refused('family', encode('hash:mac', { family: 'ipv4' }));
  refused('family', encode('bitmap:ip', { family: 'ipv6', range: '10.0.0.0/24' }));
  refused('markMask', encode('hash:ip,mark', { markMask: 0 }));
  refused('bitmask', encode('hash:ip', { bitmask: '0.0.0.0' }));
  refused('bitmask', encode('hash:ip', { bitmask: 'ffff::' }));
  for (const range of ['', '1', '10.0.0.0', '10.0.0.0/33', '10.0.0.0/0', '::/64', '10.0.0.1-x']) {
    refused('range', encode('bitmap:ip', { range }));
  }
  for (const range of ['', '-1', '2-1', '1-65536', 'x']) refused('range', encode('bitmap:port', { range }));
  assert.equal(present(encode('hash:ip', { counters: false })()), {});
});

test.run();
