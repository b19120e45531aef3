import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { HexLineReader } from '../../src/cli/hexLines.ts';
import { duration, flagNames, meaningOf, messageFlagNames } from '../../src/cli/meanings.ts';
import { toHex } from '../../src/nfnetlink/bytes.ts';
import { runCli } from '../support/captureIo.ts';
import { fixture, loadFixtures } from '../support/fixtures.ts';

const files = ['event', 'req', 'rep', 'ipset'];
const path = (file: string) => new URL(`../fixtures/${file}`, import.meta.url).pathname;

for (const file of files) {
  test(`--json of every captured message: ${file}`, async () => {
    const fixtures = loadFixtures(file);
    const input = fixtures.map(({ bytes }) => `${toHex(bytes)}\n`);
    const { exitCode, out, err } = await runCli(['decode', '--json'], { input });
    assert.is(exitCode, 0);
    assert.is(err, '');
    const lines = out.trimEnd().split('\n');
    assert.is(lines.length, fixtures.length);
    for (const [i, { name, decoded }] of fixtures.entries())
      assert.equal(JSON.parse(lines[i]!), decoded, name);
  });

  test(`every captured message as a tree: ${file}`, async () => {
    for (const option of [[], ['--bytes']]) {
      const fixtures = loadFixtures(file);
      const input = fixtures.map(({ bytes }) => `${toHex(bytes)}\n`);
      const { exitCode, out } = await runCli(['decode', ...option], { input });
      assert.is(exitCode, 0);
      const blocks = out.split('\n\n').slice(0, -1);
      assert.is(blocks.length, fixtures.length);
      for (const [i, { name, bytes, decoded }] of fixtures.entries()) {
        const offsets = [...blocks[i]!.matchAll(/^([0-9a-f]{4,}) /gm)].map(([, hex]) =>
          Number.parseInt(hex!, 16),
        );
        assert.equal(
          offsets,
          [...offsets].sort((a, b) => a - b),
          `${name}: offsets ascend`,
        );
        assert.ok(
          offsets.every((offset) => offset <= bytes.length),
          name,
        );
        for (const attribute of JSON.stringify(decoded.messages).matchAll(/"attr":"(\w+)"/g)) {
          assert.match(blocks[i]!, attribute[1]!);
        }
      }
    }
  });
}

test('the tree says where, what, of which type and what it means', async () => {
  const { bytes } = fixture('req', 'req-dump-filter-src');
  const { out } = await runCli(['decode'], { input: [toHex(bytes)] });
  assert.is(
    out,
    `# line 1, 84 bytes
0000 IPCTNL_MSG_CT_GET len=84 type=0x0101 flags=0x301(REQUEST|DUMP) seq=1081 portid=0
0010   nfgenmsg family=2(INET) version=0 res_id=0
0014   CTA_FILTER type=25|NESTED len=12
0018     CTA_FILTER_ORIG_FLAGS type=1 u32_host = 1 (IP_SRC)
0020   CTA_TUPLE_ORIG type=1|NESTED len=52
0024     CTA_TUPLE_IP type=1|NESTED len=20
0028       CTA_IP_V4_SRC type=1 ipv4 = 192.0.3.5
0030       CTA_IP_V4_DST type=2 ipv4 = 0.0.0.0
0038     CTA_TUPLE_PROTO type=2|NESTED len=28
003c       CTA_PROTO_NUM type=1 u8 = 6 (TCP)
0044       CTA_PROTO_SRC_PORT type=2 be16 = 0
004c       CTA_PROTO_DST_PORT type=3 be16 = 80

`,
  );
});

test('--bytes shows the bytes beside their meaning', async () => {
  const { bytes } = fixture('req', 'req-dump-filter-src');
  const { out } = await runCli(['decode', '--bytes'], { input: [toHex(bytes)] });
  assert.match(out, /^0000 54000000 01010103 39040000 00000000 +IPCTNL_MSG_CT_GET/m);
  assert.match(out, /^0028 08000100 c0000305 +CTA_IP_V4_SRC/m);
  assert.match(out, /^003c 05000100 06 +CTA_PROTO_NUM/m);
});

test('a refusal shows what was refused, and what the kernel said', async () => {
  const { bytes } = fixture('rep', 'rep-extack-short-timeout');
  const { out } = await runCli(['decode'], { input: [toHex(bytes)] });
  assert.match(out, /^0010 {3}error = -34 ERANGE$/m);
  assert.match(out, /^0014 {3}of IPCTNL_MSG_CT_NEW len=\d+ flags=REQUEST\|ACK/m);
  assert.match(out, /NLMSGERR_ATTR_MSG type=1 string = "Attribute failed policy validation"/);
});

const noop = '10000000 0100 0000 01000000 00000000';

test('white space, comments, empty lines, upper case and a missing line feed', async () => {
  const input = ['# a comment\n\n', `  ${noop}\t# NOOP\r\n`, '   \n', noop.replaceAll(' ', '').toUpperCase()];
  const { exitCode, out, err } = await runCli(['decode', '--json'], { input });
  assert.is(exitCode, 0);
  assert.is(err, '');
  assert.equal(out.split('\n').length, 3);
});

test('bad input is an object at its place; the others are decoded all the same', async () => {
  const input = `${noop}\n1000\nxyz\n123\n${noop}\n`;
  const { exitCode, out, err } = await runCli(['decode', '--json'], { input: [input] });
  assert.is(exitCode, 1);
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.is(lines.length, 5);
  assert.equal(lines[1], { error: '2 bytes are left where a message header needs 16 (byte 0)', offset: 0 });
  assert.equal(lines[2], { error: "'x' is not a hexadecimal digit", offset: 0 });
  assert.equal(lines[3], { error: 'an odd number of digits: 3', offset: 1 });
  assert.ok(lines[0].messages && lines[4].messages);
  assert.is(
    err,
    'resteer: decode: 3 of 5 datagrams could not be decoded: the output says where each goes wrong\n',
  );
});

test('bad input in the tree names its line', async () => {
  const { exitCode, out } = await runCli(['decode'], { input: [`${noop}\n\n${noop.slice(0, 20)}zz\n`] });
  assert.is(exitCode, 1);
  assert.match(out, "# line 3, 8 bytes\n0008 error: 'z' is not a hexadecimal digit\n");
});

test('the obvious mistakes are answered', async () => {
  const empty = await runCli(['decode']);
  assert.equal(empty, { exitCode: 0, out: '', err: 'resteer: decode: the input holds no datagram\n' });
  const binary = await runCli(['decode'], { input: [Uint8Array.of(0x10, 0, 0, 0, 1, 0)] });
  assert.is(binary.exitCode, 1);
  assert.match(
    binary.err,
    /^resteer: decode: standard input is binary, .*: a single datagram becomes a line by `xxd/,
  );
  const json = await runCli(['decode', path('req.jsonl')]);
  assert.is(json.exitCode, 1);
  assert.match(json.out, "error: '{' is not a hexadecimal digit");
  const missing = await runCli(['decode', '/nonexistent']);
  assert.equal(missing, {
    exitCode: 1,
    out: '',
    err: 'resteer: /nonexistent: no such file or folder: check the name\n',
  });
  const folder = await runCli(['decode', path('')]);
  assert.is(folder.exitCode, 1);
  assert.match(folder.err, /directory: name a file\n$/);
  const terminal = await runCli(['decode'], { input: [noop], isTTY: true });
  assert.match(terminal.err, 'Ctrl-D ends');
});

test('text from the wire cannot move the cursor', async () => {
  const name = toHex(new TextEncoder().encode('\x1b[2J\n'));
  const input = `20000000 0606 0500 00000000 00000000 02000000 0a000200 ${name}00 0000`;
  const { out } = await runCli(['decode'], { input: [input] });
  assert.match(out, '"\\u001b[2J\\n"');
  assert.not.match(out, '\x1b');
});

test('pieces of input may end anywhere', () => {
  const text = new TextEncoder().encode(`# c\n${noop}\n12 x\n${noop}`);
  const readAll = (size: number) => {
    const reader = new HexLineReader();
    const lines: string[] = [];
    const keep = (line: { line: number; bytes: Uint8Array; fault?: string }) =>
      lines.push(`${line.line} ${toHex(line.bytes)} ${line.fault ?? ''}`);
    for (let at = 0; at < text.length; at += size) {
      for (const line of reader.push(text.subarray(at, at + size))) keep(line);
    }
    for (const line of reader.end()) keep(line);
    return lines;
  };
  const whole = readAll(text.length);
  assert.is(whole.length, 3);
  for (let size = 1; size < 50; size++) assert.equal(readAll(size), whole);
});

test('a line that never ends costs no more than the longest datagram', () => {
  const reader = new HexLineReader();
  const piece = new Uint8Array(1 << 20).fill(0x30);
  for (let i = 0; i < 8; i++) assert.equal([...reader.push(piece)], []);
  const [line] = [...reader.push(Uint8Array.of(10))];
  assert.is(line!.fault, 'longer than 2097152 bytes');
  assert.is(line!.bytes.length, 2097152);
  const [next] = [...reader.push(new TextEncoder().encode('00\n'))];
  assert.equal([next!.line, next!.bytes], [2, Uint8Array.of(0)]);
});

test('meanings', () => {
  assert.is(meaningOf('CTA_STATUS', 398), 'SEEN_REPLY|ASSURED|CONFIRMED|SRC_NAT_DONE|DST_NAT_DONE');
  assert.is(meaningOf('CTA_PROTOINFO_TCP_STATE', 3), 'ESTABLISHED');
  assert.is(meaningOf('CTA_PROTO_NUM', 17), 'UDP');
  assert.is(meaningOf('CTA_PROTO_NUM', 253), undefined);
  assert.is(meaningOf('CTA_TIMEOUT', 431999), '4d 23h 59m 59s');
  assert.is(meaningOf('CTA_TIMEOUT', 30), undefined);
  assert.is(meaningOf('CTA_TIMESTAMP_START', '1795216290051436545'), '2026-11-20T23:11:30.051Z');
  assert.is(meaningOf('CTA_TIMESTAMP_START', '18446744073709551615'), '2554-07-21T23:34:33.709Z');
  assert.is(
    meaningOf('CTA_PROTOINFO_TCP_FLAGS_ORIGINAL', { flags: 3, mask: 0 }),
    'WINDOW_SCALE|SACK_PERM mask -',
  );
  assert.is(meaningOf('CTA_PROTOINFO_TCP_FLAGS_ORIGINAL', 'BADLEN:01'), undefined);
  assert.is(meaningOf('CTA_STATUS', 'BADLEN:01'), undefined);
  assert.is(meaningOf('CTA_MARK', 0), '0x0');
  assert.is(meaningOf('CTA_SEQADJ_OFFSET_AFTER', 0xffffffff), '-1');
  assert.is(meaningOf('CTA_ZONE', 7), undefined);
  assert.is(flagNames(0x10003, { A: 1, B: 2 }), 'A|B|0x10000');
  assert.is(flagNames(0x80000000, {}), '0x80000000');
  assert.is(duration(0), '0s');
  assert.is(duration(86460), '1d 1m');
});

test('message flags mean what their command makes of them', () => {
  assert.is(messageFlagNames(0x0100, 0x600), 'EXCL|CREATE');
  assert.is(messageFlagNames(0x0101, 0x305), 'REQUEST|ACK|DUMP');
  assert.is(messageFlagNames(0x0101, 0x101), 'REQUEST|ROOT');
  assert.is(messageFlagNames(0x0201, 0x301), 'REQUEST|DUMP');
  assert.is(messageFlagNames(0x0609, 0x205), 'REQUEST|ACK|EXCL');
  assert.is(messageFlagNames(0x0607, 0x2), 'MULTI');
  assert.is(messageFlagNames(2, 0x300), 'CAPPED|ACK_TLVS');
  assert.is(messageFlagNames(3, 0), '');
});

test.run();
