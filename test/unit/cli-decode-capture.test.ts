import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isoTime } from '../../src/cli/captureInput.ts';
import { toHex } from '../../src/nfnetlink/bytes.ts';
import { cooked, FileBuilder, joined } from '../support/captureFiles.ts';
import { runCli } from '../support/captureIo.ts';
import { fixture } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const folder = temporaryFolder();
const captured = (name: string) => new URL(`../fixtures/captures/${name}`, import.meta.url).pathname;
const names = ['event-new-icmp', 'event-exp-new-nat', 'event-update-labels', 'event-destroy-udp6'];
const fixtures = names.map((name) => fixture('event', name));
const file = new FileBuilder(true);
const jsonLines = (out: string) =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

for (const name of ['text2pcap.pcapng', 'text2pcap-ns.pcap', 'text2pcap.pcap']) {
  test(`--json of ${name}: the shape of hex lines, with the time before it`, async () => {
    const { exitCode, out, err } = await runCli(['decode', '--json', captured(name)]);
    assert.equal([exitCode, err], [0, '']);
    const digits = (i: number) => (name === 'text2pcap.pcap' ? '123456000' : `12345678${i}`);
    assert.equal(
      jsonLines(out),
      fixtures.map(({ decoded }, i) => ({ time: `2026-11-25T16:00:0${i}.${digits(i)}Z`, ...decoded })),
    );
    const hex = await runCli(['decode', '--json'], {
      input: fixtures.map(({ bytes }) => `${toHex(bytes)}\n`),
    });
    assert.equal(
      jsonLines(hex.out),
      fixtures.map(({ decoded }) => decoded),
    );
  });
}

test('a tree says which datagram, when, and what was noted', async () => {
  const { exitCode, out } = await runCli(['decode', captured('editcap-comment.pcapng')]);
  assert.is(exitCode, 0);
  assert.match(
    out,
    /^# datagram 1 at 2026-11-25T16:00:00\.123456780Z, 176 bytes\n0000 IPCTNL_MSG_CT_NEW len=176/,
  );
  assert.match(
    out,
    '\n# datagram 2 at 2026-11-25T16:00:01.123456781Z, 280 bytes\n# "a note"\n0000 IPCTNL_MSG_EXP_NEW',
  );
  assert.is(out.split('\n\n').length, 5);
});

test('standard input in pieces of a byte, as a file', async () => {
  const bytes = readFileSync(captured('text2pcap.pcapng'));
  const whole = await runCli(['decode', captured('text2pcap.pcapng')]);
  const pieces = Array.from(bytes, (byte) => Uint8Array.of(byte));
  assert.equal(await runCli(['decode', '-'], { input: pieces }), whole);
});

test('losses, comments and the netlink family are said; links, addresses and routes have names', async () => {
  const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
  const getLink = hex(`20000000 12000103 01000000 00000000 ${'00'.repeat(16)}`);
  const newAddress = hex(
    '28000000 14000200 01000000 00000000 02080080 01000000 08000100 7f000001 08000300 6c6f0000',
  );
  const input = [
    joined([
      file.section(),
      file.interface(),
      file.enhanced(0n, cooked(fixtures[0]!.bytes), {
        options: [
          file.option(4, file.fields([3, 64])),
          file.option(1, new TextEncoder().encode('an\x1b[2J escape')),
        ],
      }),
      file.enhanced(0n, cooked(newAddress, 0)),
      file.enhanced(0n, cooked(getLink, 0)),
      file.enhanced(0n, cooked(Uint8Array.of(1), 16)),
      file.enhanced(0n, cooked(Uint8Array.of(1), 15)),
      file.simple(cooked(fixtures[1]!.bytes)),
    ]),
  ];
  const json = await runCli(['decode', '--json'], { input });
  assert.is(
    json.err,
    'resteer: decode: standard input: 1 datagrams of netlink family 16 are passed over\n' +
      'resteer: decode: standard input: 1 datagrams of netlink family 15 are passed over\n',
  );
  const [event, address, , simple] = jsonLines(json.out);
  const time = '1970-01-01T00:00:00.000000000Z';
  assert.equal(event, { time, lost: 3, comments: ['an\x1b[2J escape'], ...fixtures[0]!.decoded });
  assert.equal([address.time, address.protocol, address.messages[0].kind], [time, 0, 'RTM_NEWADDR']);
  assert.equal(
    address.messages[0].attrs.map(({ attr, value }: { attr: string; value: unknown }) => [attr, value]),
    [
      ['IFA_ADDRESS', '7f000001'],
      ['IFA_LABEL', 'lo'],
    ],
  );
  assert.equal(simple, fixtures[1]!.decoded, 'a simple packet has no time');
  const text = await runCli(['decode'], { input });
  assert.match(
    text.out,
    /^# datagram 1 at 1970-\S+, 176 bytes, 3 datagrams before it are missing\n# "an\\u001b\[2J escape"\n/,
  );
  assert.match(
    text.out,
    /\n# datagram 2 at \S+, netlink family 0, 40 bytes\n0000 RTM_NEWADDR .*\n0010 {3}payload = 0208/,
  );
  assert.match(text.out, /\n0000 RTM_GETLINK /);
});

test('what the capture cut, or another machine wrote, is an error at its place', async () => {
  const cut = await runCli(['decode', '--json', captured('editcap-cut.pcapng')]);
  assert.is(cut.exitCode, 1);
  assert.equal(jsonLines(cut.out)[0], {
    time: '2026-11-25T16:00:00.123456780Z',
    error: 'the capture kept 84 of 176 bytes',
    offset: 84,
  });
  assert.match(cut.err, '4 of 4 datagrams could not be decoded');
  const swapped = fixtures[0]!.bytes.slice();
  swapped.set([...swapped.subarray(0, 4)].reverse());
  const input = [joined([file.section(), file.interface(), file.simple(cooked(swapped))])];
  const { exitCode, out } = await runCli(['decode', '--json'], { input });
  assert.is(exitCode, 1);
  assert.equal(jsonLines(out), [{ error: 'captured on a machine of the other byte order', offset: 176 }]);
});

test('a file that ends early is decoded as far as it goes; a wrong one says what it is', async () => {
  const path = join(folder, 'cut.pcapng');
  const bytes = readFileSync(captured('text2pcap.pcapng'));
  writeFileSync(path, bytes.subarray(0, 1000));
  const { exitCode, out, err } = await runCli(['decode', '--json', path]);
  assert.equal([exitCode, jsonLines(out).length], [1, 2]);
  assert.is(
    err,
    `resteer: decode: ${path}: the file ends within a block, of which 200 bytes are there (byte 800): what comes before was decoded\n`,
  );
  const ethernet = join(folder, 'ethernet.pcap');
  writeFileSync(
    ethernet,
    joined([file.pcapHeader(0xa1b2c3d4, 1), file.pcapRecord(0, 0, new Uint8Array(60))]),
  );
  const other = await runCli(['decode', ethernet]);
  assert.equal(other, {
    exitCode: 1,
    out: '',
    err: `resteer: decode: ${ethernet}: the packets are of link type 1, not 253 (netlink) (byte 20)\n`,
  });
  const mixed = [
    joined([
      file.section(),
      file.interface(),
      file.interface(1),
      file.enhanced(0n, new Uint8Array(60), { interfaceId: 1 }),
      file.simple(cooked(fixtures[0]!.bytes)),
    ]),
  ];
  const some = await runCli(['decode', '-j'], { input: mixed });
  assert.equal([some.exitCode, jsonLines(some.out).length], [0, 1]);
  assert.is(some.err, "resteer: decode: standard input: 1 packets that are not netlink's are passed over\n");
});

for (const name of ['nlmon.pcap', 'nlmon.pcapng']) {
  test(`${name}: every datagram of an nlmon device is decoded, requests, answers and events`, async () => {
    const { exitCode, out, err } = await runCli(['decode', '--json', captured(name)]);
    assert.equal([exitCode, err], [0, '']);
    const datagrams = jsonLines(out);
    const messages = datagrams.flatMap(({ messages }) => messages);
    const events = messages.filter(
      ({ kind, header }) => /CT_(NEW|DELETE)/.test(kind) && header.nlmsg_seq === 0,
    );
    assert.equal(
      events.map(({ kind, attrs }) => {
        const read = (name: string) => attrs.find(({ attr }: { attr: string }) => attr === name)?.value;
        return [kind, read('CTA_ID'), read('CTA_MARK')];
      }),
      [
        ['IPCTNL_MSG_CT_NEW', 352246269, 7],
        ['IPCTNL_MSG_CT_NEW', 352246269, 8],
        ['IPCTNL_MSG_CT_DELETE', 352246269, 8],
      ],
    );
    const kinds = new Set(messages.map(({ kind }) => kind));
    for (const kind of [
      'IPSET_CMD_CREATE',
      'IPSET_CMD_TEST',
      'RTM_NEWLINK',
      'RTM_DELADDR',
      'RTM_GETROUTE',
      'NLMSG_DONE',
    ])
      assert.ok(kinds.has(kind), kind);
    const routes = datagrams.filter(({ protocol }) => protocol === 0).flatMap(({ messages }) => messages);
    assert.ok(routes.every(({ kind }) => /^(RTM|NLMSG)_/.test(kind)));
    const others = datagrams
      .filter(({ protocol }) => protocol === undefined)
      .flatMap(({ messages }) => messages);
    assert.ok(others.every(({ kind }) => /^(IPCTNL|IPSET|NLMSG)_/.test(kind)));
  });
}

test('a compressed capture says how to read it', async () => {
  const { exitCode, err } = await runCli(['decode'], {
    input: [gzipSync(readFileSync(captured('text2pcap.pcap')))],
  });
  assert.is(exitCode, 1);
  assert.match(
    err,
    /neither a capture file nor lines of hexadecimal digits: it is compressed: `zcat FILE \| resteer decode`/,
  );
});

test('times', () => {
  assert.is(isoTime(1_795_622_400_000_000_001n), '2026-11-25T16:00:00.000000001Z');
  assert.is(isoTime(-1n), '1969-12-31T23:59:59.999999999Z');
  assert.is(isoTime(8_640_000_000_000n * 1_000_000_000n), '+275760-09-13T00:00:00.000000000Z');
  assert.is(isoTime(8_640_000_000_001n * 1_000_000_000n + 5n), '8640000000001.000000005');
});

test.run();
