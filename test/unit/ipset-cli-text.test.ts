import { Readable } from 'node:stream';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { byteLines, lineEnd } from '../../src/cli/byteLines.ts';
import { findCommand } from '../../src/cli/ipset/commands.ts';
import { kernelErrorText } from '../../src/cli/ipset/errorText.ts';
import { Hosts } from '../../src/cli/ipset/hosts.ts';
import { splitLine } from '../../src/cli/ipset/line.ts';
import { NetworkDatabase } from '../../src/cli/ipset/netdb.ts';
import { parseNumber, parseSmall } from '../../src/cli/ipset/numbers.ts';
import { Report } from '../../src/cli/ipset/report.ts';
import { findRange, findSeparator } from '../../src/cli/ipset/separators.ts';
import { compareElements } from '../../src/cli/ipset/sortOrder.ts';
import { typeGrammars } from '../../src/cli/ipset/typeTable.ts';
import { setTypes } from '../../src/ipset/setType.ts';

test('commands by their beginnings', () => {
  const name = (word: string) => findCommand(word)?.names[0];
  const expected = {
    c: 'create',
    n: 'create',
    '-N': 'create',
    '--n': 'create',
    a: 'add',
    d: 'del',
    des: 'destroy',
    x: 'destroy',
    s: 'save',
    sw: 'swap',
    r: 'restore',
    ren: 'rename',
    e: 'rename',
    '--list': 'list',
  };
  for (const [word, command] of Object.entries(expected)) assert.is(name(word), command, word);
  for (const word of ['', '-', '--', 'lists', '--L', '-l']) assert.is(name(word), undefined, word);
});

test('words of a line', () => {
  assert.equal(splitLine('add a  1.1.1.1\tcomment x\r\n'), ['add', 'a', '1.1.1.1', 'comment', 'x']);
  assert.equal(splitLine('a "b  c" d"e f"g "" h\n'), ['a', 'b  c', 'de fg', 'h']);
  assert.is(splitLine('a "b'), 'open quote');
  assert.equal(splitLine('a "b\n'), ['a']);
  assert.equal(splitLine('w '.repeat(30)).length, 30);
  assert.is(splitLine('w '.repeat(31)), 'too long');
});

test('numbers as strtoull reads them', () => {
  const value = (text: string) => {
    const parsed = parseNumber(text);
    return parsed.kind === 'number' ? parsed.value : parsed.kind;
  };
  for (const [text, expected] of [
    ['0', 0n],
    ['-0', 0n],
    [' 12', 12n],
    ['+12', 12n],
    ['0x1F', 31n],
    ['017', 15n],
    ['18446744073709551615', 18446744073709551615n],
    ['18446744073709551616', 'range'],
    ['-1', 'range'],
    ['', 'none'],
    ['09', 'none'],
    ['0x', 'none'],
    ['12 ', 'none'],
  ] as const) {
    assert.is(value(text), expected, text);
    const small = parseSmall(text);
    if (small !== undefined) assert.is(BigInt(small), expected, text);
  }
});

test('separators do not count at the ends', () => {
  assert.is(findSeparator('a-b', '-'), 1);
  assert.is(findSeparator('-a', '-'), -1);
  assert.is(findSeparator('a-', '-'), -1);
  assert.is(findRange('[a-b]-c'), 5);
  assert.is(findRange('[a-b]'), -1);
});

test('addresses as inet_aton reads them', () => {
  const hosts = new Hosts();
  const first = (text: string, family = 2) => {
    const [address] = hosts.addresses(text, family);
    return address && [...address].join('.');
  };
  assert.is(first('10.1'), '10.0.0.1');
  assert.is(first('010.0.0.1'), '8.0.0.1');
  assert.is(first('167772161'), '10.0.0.1');
  assert.is(first('10.0.0.255'), '10.0.0.255');
  for (const text of ['10.0.0.256', '1.2.3.4.5', '09.0.0.1', '0x0a000001', '::1', '4294967296']) {
    assert.is(first(text), undefined, text);
  }
  assert.is(first('::1', 10), '0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1');
  assert.is(first('10.0.0.1', 10), undefined);
  assert.throws(() => hosts.addresses('some.host', 2), /pending/);
});

test('protocols and services, with and without their files', () => {
  const files: Record<string, string> = {
    '/etc/protocols': 'ip 0 IP # pseudo\ntcp 6 TCP\ncarp 112 vrrp\n',
    '/etc/services': 'http 80/tcp www # web\ndomain 53/udp\n',
  };
  const full = new NetworkDatabase((path) => files[path]!);
  assert.is(full.protocolByName('vrrp'), 112);
  assert.is(full.protocolByName('udp'), undefined);
  assert.is(full.protocolByNumber(112), 'carp');
  assert.is(full.port('www', 'tcp'), 80);
  assert.is(full.port('www', 'udp'), undefined);
  const bare = new NetworkDatabase(() => '');
  assert.is(bare.protocolByName('udp'), 17);
  assert.is(bare.protocolByNumber(17), 'udp');
  assert.is(bare.protocolByNumber(253), undefined);
  assert.is(bare.port('http', 'tcp'), undefined);
});

test('reports: graver ones drop the others, and a line of a file replaces errors', () => {
  let voided = 0;
  const report = new Report(() => voided++);
  report.warning('w1');
  report.warning('w2');
  assert.is(report.text, 'w1\nw2\n');
  report.error('e1');
  report.syntax('e2');
  assert.is(report.text, 'e1\nSyntax error: e2\n');
  assert.is(voided, 2);
  report.line = 7;
  report.error('e3');
  assert.is(report.text, 'Error in line 7: e3\n');
  report.reset();
  report.error('x'.repeat(2000));
  assert.is(report.text.length, 1023);
});

test('the order of -sorted', () => {
  const sort = (...lines: string[]) => [...lines].sort(compareElements(0, false));
  assert.equal(sort('10.0.0.9\n', '9.0.0.1\n', '10.0.0.10\n'), ['9.0.0.1\n', '10.0.0.9\n', '10.0.0.10\n']);
  assert.equal(sort('10.0.0.0/8\n', '10.0.0.0/24\n'), ['10.0.0.0/24\n', '10.0.0.0/8\n']);
  assert.equal(sort('1.1.1.1,udp:5\n', '1.1.1.1,tcp:9\n'), ['1.1.1.1,tcp:9\n', '1.1.1.1,udp:5\n']);
  assert.equal(['b', 'a'].sort(compareElements(0, true)), ['a', 'b']);
});

test('lines as fgets reads them', async () => {
  const lines: string[] = [];
  const pieces = ['ab\nc', 'd\n', 'e'.repeat(12), '\n', 'f'.repeat(10), '\n', 'g'.repeat(25), 'last'];
  for await (const bytes of byteLines(Readable.from(pieces), 10)) {
    for (let at = 0; at < bytes.length; ) {
      const end = lineEnd(bytes, at, 10);
      lines.push(Buffer.from(bytes.subarray(at, end)).toString());
      at = end;
    }
  }
  const tens = (letter: string) => letter.repeat(10);
  assert.equal(lines, [
    'ab\n',
    'cd\n',
    tens('e'),
    'ee\n',
    tens('f'),
    '\n',
    tens('g'),
    tens('g'),
    'ggggglast',
  ]);
});

test('texts of refusals by command and kind of set', () => {
  assert.is(kernelErrorText(4103, 9), "Element cannot be added to the set: it's already added");
  assert.is(kernelErrorText(4352, 9, 'hash'), 'Hash is full, cannot add more elements');
  assert.is(kernelErrorText(4352, 9, 'bitmap'), 'Element is out of the range of the set');
  assert.is(kernelErrorText(4352, 5), 'Undecoded error 4352 received from kernel');
  assert.is(kernelErrorText(1, 1), 'Kernel error received: Operation not permitted');
});

test('every type of the library has a grammar, up to its newest revision', () => {
  assert.is(typeGrammars.length, setTypes.length);
  for (const { name, firstRevision, revisions } of typeGrammars) {
    const type = setTypes.find((each) => each.name === name)!;
    assert.is(firstRevision + revisions.length - 1, type.revision, name);
  }
});

test.run();
