/** The model kernel held to the real one: the same requests to both, and the same answers and events from both. */
import { release } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type CompleteTuple,
  encodeCreateFlow,
  encodeDeleteFlow,
  encodeGetFlow,
  encodeListFlows,
  encodeUpdateFlow,
  flowAttributes,
  IPPROTO,
  IPS,
  kernelFeatures,
} from '../../src/ctnetlink/index.ts';
import {
  createRequest,
  type Element,
  elementRequest,
  encodeElement,
  findSetType,
  IPSET_CMD,
  plainRequest,
  type RequestedElementWire,
  type SetTypeName,
} from '../../src/ipset/index.ts';
import { ModelKernel, VirtualClock } from '../../src/model/index.ts';
import {
  encodeRequest,
  messageTypeOf,
  NFNL_SUBSYS,
  NFNLGRP,
  writeU16host,
} from '../../src/nfnetlink/index.ts';
import { openTransport } from '../../src/nfnetlink/transport/select.ts';
import { Random } from '../fuzz/random.ts';
import { Peer, shown } from '../support/kernelPeer.ts';
import { hasCommand, insideNamespace, skipFile } from '../support/namespace.ts';

/** What older kernels pass over is not asked of them. */
const features = kernelFeatures(release());
const groups = [NFNLGRP.CONNTRACK_NEW, NFNLGRP.CONNTRACK_UPDATE, NFNLGRP.CONNTRACK_DESTROY];

await insideNamespace(import.meta.url, async () => {
  if (!hasCommand('ip')) skipFile(import.meta.url, 'no `ip` command');
  const clock = new VirtualClock();
  const kernel = new ModelKernel({ clock, wallNow: () => clock.now() });
  const model = new Peer(kernel.open(), kernel.open({ groups }), clock);
  const real = new Peer(await openTransport(), await openTransport({ groups }));
  defineTests(model, real, kernel);
  test.after(async () => {
    await Promise.all([model.close(), real.close()]);
  });
  test.run();
});

function defineTests(model: Peer, real: Peer, kernel: ModelKernel): void {
  /** Asks both; the order of a listing says nothing. */
  async function compare(name: string, request: Uint8Array): Promise<void> {
    const [ours, theirs] = [await model.ask(request), await real.ask(request)].map((answers) => {
      const lines = answers.map(shown);
      const last = lines.pop();
      return [...lines.sort(), last];
    });
    assert.equal(ours, theirs, name);
  }

  async function compareEvents(): Promise<void> {
    await real.until(() => real.events.length >= model.events.length);
    assert.equal(model.events.splice(0).map(shown), real.events.splice(0).map(shown));
  }

  const ports = { sourcePort: 4001, destinationPort: 443 };
  const v4 = { source: '192.0.2.1', destination: '198.51.100.2' };
  const v6 = { source: '2001:db8::1', destination: '2001:db8::2' };
  const icmp = { icmpId: 77, icmpType: 8, icmpCode: 0 };
  const tuples: readonly CompleteTuple[] = [
    { ...v4, protocol: IPPROTO.TCP, ...ports },
    { ...v4, protocol: IPPROTO.TCP, ...ports, sourcePort: 4002 },
    { ...v4, protocol: IPPROTO.UDP, ...ports },
    { ...v4, protocol: IPPROTO.UDP, ...ports, zone: 9 },
    { ...v4, protocol: IPPROTO.ICMP, ...icmp },
    { ...v4, protocol: 50 },
    { ...v6, protocol: IPPROTO.TCP, ...ports },
    { ...v6, source: '2001:db8::9', protocol: IPPROTO.UDP, ...ports },
    { ...v6, protocol: IPPROTO.ICMPV6, ...icmp, icmpType: 128 },
  ];
  const zones = [undefined, undefined, 5];
  const marks = [0, 0x100, 0x200, 0x3f00, 0xffffffff];
  const reversed = (tuple: CompleteTuple): CompleteTuple => {
    const { source, destination, sourcePort, destinationPort, icmpType, zone: _, ...rest } = tuple;
    return {
      ...rest,
      source: destination,
      destination: source,
      sourcePort: destinationPort,
      destinationPort: sourcePort,
      icmpType: icmpType === undefined ? undefined : icmpType === 8 ? 0 : 129,
    };
  };

  function conntrackRequest(random: Random): Uint8Array {
    const tuple = random.pick(tuples);
    const zone = tuple.zone === undefined ? random.pick(zones) : undefined;
    const key = { originalTuple: random.below(4) === 0 ? reversed(tuple) : tuple, zone };
    const mark = random.pick(marks);
    switch (random.below(features.tupleFilter ? 9 : 8)) {
      case 0:
      case 1:
      case 2: {
        const tcp = { tcp: { state: random.below(8) } };
        return encodeCreateFlow(
          {
            originalTuple: tuple,
            zone,
            timeout: 600,
            ...(random.below(2) === 0 && { mark }),
            ...(random.below(2) === 0 && { status: random.pick([0, IPS.SEEN_REPLY, IPS.ASSURED | 2]) }),
            ...(tuple.protocol === IPPROTO.TCP && { protocolInfo: tcp }),
          },
          { updateExisting: random.below(3) === 0 },
        );
      }
      case 3:
        return encodeGetFlow(key);
      case 4:
        return encodeDeleteFlow({ ...key, ...(random.below(2) === 0 && { id: 0x12345 }) });
      case 5:
        return encodeUpdateFlow(key, { mark, ...(random.below(2) === 0 && { markMask: 0x3f00 }) });
      case 6:
        return encodeUpdateFlow(key, { status: random.pick([8, 8 | IPS.SEEN_REPLY, 0, 0x208]) });
      case 7:
        return encodeListFlows(random.pick([0, 2, 10]), {
          ...(random.below(2) === 0 && { mark, ...(random.below(2) === 0 && { markMask: 0x3f00 }) }),
          ...(random.below(3) === 0 && {
            status: random.pick([2, 4, 8]),
            statusMask: random.pick([2, 6, 8]),
          }),
          ...(random.below(3) === 0 && features.zoneFilter && { zone: random.pick([0, 5, 9]) }),
        });
      default: {
        const family = random.pick([0, 2, 10]);
        const address = family === 10 ? '2001:db8::1' : '192.0.2.1';
        const other = family === 10 ? '::' : '0.0.0.0';
        return encodeListFlows(family, {
          filter: { originalFlags: random.pick([1, 2, 8, 9, 0x18, 0x10, 0x28]) },
          originalTuple: {
            source: address,
            destination: other,
            protocol: random.pick([IPPROTO.TCP, IPPROTO.UDP]),
            sourcePort: 4001,
            destinationPort: 443,
          },
        });
      }
    }
  }

  for (const seed of [1, 2, 3, 4, 5]) {
    test(`connection tracking answers and tells the same, seed ${seed}`, async () => {
      const random = new Random(seed);
      await compare('flush', encodeRequest({ type: 0x102, flags: 5, family: 0 }, flowAttributes, {}));
      model.events.length = 0;
      await real.until(() => true);
      await compareNothing();
      for (let i = 0; i < 300; i++) {
        const request = conntrackRequest(random);
        const what = shown(request);
        await compare(`request ${i}: ${what}`, request);
      }
      await compareEvents();
    });
  }

  /** The events of what the tests before left, on either side. */
  async function compareNothing(): Promise<void> {
    await compare('a listing of nothing', encodeListFlows());
    real.events.length = 0;
  }

  test('a request without what it needs is refused alike', async () => {
    const header = (command: number, flags = 5, family = 2) => ({ type: 0x100 | command, flags, family });
    const of = (command: number, value: object, flags?: number, family?: number) =>
      encodeRequest(header(command, flags, family), flowAttributes, value);
    const tuple = tuples[0]!;
    const requests = [
      of(1, {}),
      of(1, { originalTuple: tuple }, 5, 10),
      of(1, { originalTuple: tuple }, 5, 7),
      of(1, { originalTuple: { ...tuple, sourcePort: undefined } }),
      of(1, { originalTuple: { ...tuple, protocol: undefined } }),
      of(2, { originalTuple: { ...tuple, destination: '203.0.113.77' } }),
      of(0, { originalTuple: tuple }, 0x605),
      of(0, { originalTuple: tuple, replyTuple: reversed(tuple) }, 0x605),
      of(0, { originalTuple: tuple, replyTuple: reversed(tuple), timeout: 9, status: 2 }, 0x605),
      of(0, { originalTuple: tuple, mark: 1 }),
      of(1, { status: 0, statusMask: 0 }, 0x305, 0),
      of(77, {}),
    ];
    for (const [i, request] of requests.entries()) await compare(`request ${i}`, request);
  });

  interface SetCase {
    readonly type: SetTypeName;
    readonly family: number;
    readonly elements: readonly Element[];
    readonly questions: readonly Element[];
  }
  const setCases: readonly SetCase[] = [
    {
      type: 'hash:ip',
      family: 2,
      elements: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }, { ip: '255.255.255.255' }],
      questions: [{ ip: '10.0.0.3' }, { ip: '0.0.0.0' }],
    },
    { type: 'hash:ip', family: 10, elements: [{ ip: '2001:db8::1' }], questions: [{ ip: '2001:db8::2' }] },
    {
      type: 'hash:net',
      family: 2,
      elements: [
        { ip: '10.0.0.0', cidr: 8 },
        { ip: '10.1.0.0', cidr: 16, nomatch: true },
        { ip: '10.1.2.0', cidr: 24 },
        { ip: '192.0.2.77', cidr: 24 },
      ],
      questions: [
        { ip: '10.9.9.9' },
        { ip: '10.1.9.9' },
        { ip: '10.1.9.9', nomatch: true },
        { ip: '10.1.2.3' },
        { ip: '10.1.2.3', cidr: 32 },
        { ip: '10.1.0.0', cidr: 16 },
        { ip: '10.3.0.0', cidr: 16 },
        { ip: '192.0.2.1' },
        { ip: '192.0.3.1' },
      ],
    },
    {
      type: 'hash:net',
      family: 10,
      elements: [{ ip: '2001:db8::', cidr: 32 }],
      questions: [{ ip: '2001:db8:7::1' }, { ip: '2001:db9::1' }],
    },
    {
      type: 'hash:ip,port',
      family: 2,
      elements: [
        { ip: '10.0.0.1', protocol: 6, port: 443 },
        { ip: '10.0.0.1', protocol: 1, port: 0x800 },
      ],
      questions: [
        { ip: '10.0.0.1', protocol: 17, port: 443 },
        { ip: '10.0.0.1', protocol: 6, port: 444 },
      ],
    },
    {
      type: 'hash:net,port',
      family: 2,
      elements: [{ ip: '10.0.0.0', cidr: 8, protocol: 6, port: 443 }],
      questions: [
        { ip: '10.7.7.7', protocol: 6, port: 443 },
        { ip: '10.7.7.7', protocol: 6, port: 80 },
      ],
    },
    {
      type: 'hash:ip,port,ip',
      family: 2,
      elements: [{ ip: '10.0.0.1', protocol: 6, port: 443, ip2: '10.0.0.9' }],
      questions: [{ ip: '10.0.0.1', protocol: 6, port: 443, ip2: '10.0.0.8' }],
    },
    {
      type: 'hash:ip,port,net',
      family: 2,
      elements: [{ ip: '10.0.0.1', protocol: 6, port: 443, ip2: '10.8.0.0', cidr2: 16 }],
      questions: [{ ip: '10.0.0.1', protocol: 6, port: 443, ip2: '10.8.7.6' }],
    },
  ];

  const header = (command: number, flags: number) => ({
    type: messageTypeOf(NFNL_SUBSYS.IPSET, command),
    flags,
    family: 2,
  });
  const about = (command: number, setName: string, data: RequestedElementWire, flags = 5) =>
    encodeRequest(header(command, flags), elementRequest, { protocol: 7, setName, data });
  const plain = (command: number, value: object, flags = 5) =>
    encodeRequest(header(command, flags), plainRequest, { protocol: 7, ...value });

  for (const { type, family, elements, questions } of setCases) {
    test(`sets of type ${type}, family ${family}`, async () => {
      const setType = findSetType(type)!;
      const shape = { name: 'set', type: setType, revision: setType.revision, family };
      const options = { protocol: 7, setName: 'set', typeName: type, revision: setType.revision, family };
      for (const timeout of [undefined, 300]) {
        await compare('destroy', plain(IPSET_CMD.DESTROY, {}));
        const make = encodeRequest(header(IPSET_CMD.CREATE, 0x605), createRequest, {
          ...options,
          data: { timeout },
        });
        for (const name of ['create', 'create again']) await compare(name, make);
        await compare('protocol', plain(IPSET_CMD.PROTOCOL, {}));
        await compare('header', plain(IPSET_CMD.HEADER, { setName: 'set' }));
        await compare('an empty listing', plain(IPSET_CMD.LIST, { setName: 'set' }, 0x305));
        for (const command of [IPSET_CMD.ADD, IPSET_CMD.ADD, IPSET_CMD.TEST, IPSET_CMD.DEL, IPSET_CMD.ADD]) {
          for (const element of elements) {
            const wire = encodeElement(element, shape, command === IPSET_CMD.TEST ? 'test' : 'add');
            await compare(`${command} ${JSON.stringify(element)}`, about(command, 'set', wire, 0x205));
          }
        }
        for (const element of questions) {
          const wire = encodeElement(element, shape, 'test');
          await compare(`test ${JSON.stringify(element)}`, about(IPSET_CMD.TEST, 'set', wire));
          await compare(`del ${JSON.stringify(element)}`, about(IPSET_CMD.DEL, 'set', wire, 0x205));
        }
        const timed = { ...encodeElement(elements[0]!, shape, 'add'), timeout: 77 };
        await compare('add with a timeout', about(IPSET_CMD.ADD, 'set', timed));
        await compare('listing', plain(IPSET_CMD.LIST, { setName: 'set' }, 0x305));
        await compare('listing without DUMP', plain(IPSET_CMD.LIST, { setName: 'set', flags: 4 }, 0x305));
        await compare('names', plain(IPSET_CMD.LIST, { flags: 2 }, 0x305));
      }
    });
  }

  test('a question that the kernel cannot read is answered as it answers', async () => {
    await compare('destroy', plain(IPSET_CMD.DESTROY, {}));
    const options = {
      protocol: 7,
      setName: 'set',
      typeName: 'hash:ip,port',
      revision: 7,
      family: 2,
      data: {},
    };
    await compare('create', encodeRequest(header(IPSET_CMD.CREATE, 0x605), createRequest, options));
    const whole: RequestedElementWire = { ip: '10.0.0.1', port: 443, protocol: 6 };
    const incomplete: RequestedElementWire[] = [
      { ...whole, ip: undefined },
      { ...whole, port: undefined },
      { ...whole, protocol: undefined },
      { ...whole, protocol: 0 },
      { ...whole, ip: '2001:db8::1' },
      { ...whole, timeout: 9 },
    ];
    for (const command of [IPSET_CMD.ADD, IPSET_CMD.TEST, IPSET_CMD.DEL]) {
      for (const data of incomplete)
        await compare(`${command} ${JSON.stringify(data)}`, about(command, 'set', data));
      await compare('a missing set', about(command, 'none', whole));
      for (const flag of [0x8000, 0x4000]) {
        const message = about(command, 'set', whole);
        await compare(`${command} without the flag ${flag}`, withoutFlag(message, flag));
      }
      const old = encodeRequest(header(command, 5), elementRequest, {
        protocol: 5,
        setName: 'set',
        data: whole,
      });
      await compare('protocol 5', old);
    }
    await compare('a missing set', plain(IPSET_CMD.LIST, { setName: 'none' }, 0x305));
    await compare('a missing set, header', plain(IPSET_CMD.HEADER, { setName: 'none' }));
    await compare('destroy a missing set', plain(IPSET_CMD.DESTROY, { setName: 'none' }, 0x205));
    await compare('protocol 5', encodeRequest(header(IPSET_CMD.HEADER, 5), plainRequest, { protocol: 5 }));
  });

  test('the model has nothing open but what was opened', () => {
    assert.is(kernel.sockets.size, 2);
  });
}

/** The message with a flag taken from every attribute inside its DATA. */
function withoutFlag(message: Uint8Array, flag: number): Uint8Array {
  const bytes = message.slice();
  for (let at = 20; at < bytes.length; at += 2) {
    const word = bytes[at]! | (bytes[at + 1]! << 8);
    if ((word & flag) !== 0 && (word & 0x3fff) < 32 && (word & ~0xc000) > 0)
      writeU16host(bytes, at, word & ~flag);
  }
  return bytes;
}
