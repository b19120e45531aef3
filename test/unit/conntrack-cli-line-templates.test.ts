/** Lines that are written from templates are byte for byte those of the parser. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeCreate } from '../../src/cli/conntrack/create.ts';
import { ConntrackExit } from '../../src/cli/conntrack/exit.ts';
import { type EncodeWords, LineTemplates } from '../../src/cli/conntrack/lineTemplates.ts';
import { parseCommandLine } from '../../src/cli/conntrack/parse.ts';
import { splitWords } from '../../src/cli/conntrack/splitWords.ts';
import { toHex } from '../../src/nfnetlink/bytes.ts';
import { EncodeError } from '../../src/nfnetlink/errors.ts';

const encode: EncodeWords = (words) => {
  try {
    const line = parseCommandLine(words, { warn: () => {} });
    return { message: encodeCreate(line), isAdd: line.command === 'add' };
  } catch (error) {
    if (error instanceof ConntrackExit || error instanceof EncodeError) return undefined;
    throw error;
  }
};
const parsed = (line: string) => {
  const request = encode(splitWords(line) ?? []);
  return request && toHex(request.message);
};

const target = new Uint8Array(1024);
function written(templates: LineTemplates, line: string): string | undefined {
  const bytes = Buffer.from(`${line}\n`);
  target.fill(0xff);
  const end = templates.write(bytes, 0, bytes.length, target, 4);
  return end < 0 ? undefined : toHex(target.subarray(4, end));
}
function learnt(...lines: string[]): LineTemplates {
  const templates = new LineTemplates(encode);
  for (const line of lines) templates.learn(Buffer.from(`${line}\n`), 0, line.length + 1);
  return templates;
}

const tcp = (source: string, destination: string, port: string, timeout: string, mark: string) =>
  `-A -t ${timeout} -u SEEN_REPLY -s ${source} -d ${destination} -p tcp --sport ${port} --dport 443 --state ESTABLISHED -m ${mark}`;
const saved = (source: string, destination: string, port: string, timeout: string, nat: string) =>
  `-I -t ${timeout} -u UNSET -w 5 -s ${source} -d ${destination} -r ${destination} -q ${nat} -p udp --sport ${port} --dport 53 --reply-port-src 53 --reply-port-dst ${port}`;

const templates = learnt(
  tcp('10.0.0.1', '192.0.2.1', '1000', '300', '1'),
  tcp('2001:db8::1', '2001:db8::2', '1000', '300', '1'),
  saved('10.0.0.1', '192.0.2.1', '1000', '300', '198.51.100.1'),
  '-A -t 9 -s 10.0.0.1 -d 192.0.2.1 -n 198.51.100.1 -p udp --sport 1 --dport 2',
);

const odd = fc.constantFrom(
  '0',
  '00',
  '01',
  '0x10',
  '-1',
  '65536',
  '4294967296',
  'x',
  '1/24',
  '10.1',
  '::',
  '',
);
const rarely = { arbitrary: fc.oneof(odd, fc.ipV6(), fc.ipV4Extended()), weight: 1 };
const address = fc.oneof({ arbitrary: fc.ipV4(), weight: 9 }, rarely);
const number = fc.oneof({ arbitrary: fc.nat(0xffff).map(String), weight: 9 }, rarely);

test('whatever the values are, a template says what the parser says, or nothing', () => {
  let plain = 0;
  fc.assert(
    fc.property(
      fc.boolean(),
      address,
      address,
      number,
      number,
      fc.oneof(number, address),
      (isTcp, ...values) => {
        const line = isTcp ? tcp(...values) : saved(...values);
        const message = written(templates, line);
        if (message === undefined) return;
        plain++;
        assert.is(message, parsed(line), line);
      },
    ),
    { numRuns: 2000 },
  );
  assert.ok(plain > 100, `${plain} lines were plain`);
});

test('plain lines are taken, in either family and with translation', () => {
  for (const line of [
    tcp('10.9.8.7', '203.0.113.255', '65535', '0', '4294967295'),
    tcp('fe80::1', 'ff02::1', '0', '4294967295', '0'),
    saved('10.9.8.7', '203.0.113.9', '7', '8', '10.9.8.7'),
    '-A  -t 77\t-s 10.3.3.3 -d 192.0.2.77 -n 198.51.100.1 -p udp --sport 5 --dport 6',
  ]) {
    assert.is(written(templates, line), parsed(line), line);
  }
});

test('what is not plain is left to the parser', () => {
  for (const line of [
    tcp('10.0.0.1', '192.0.2.1', '1000', '300', '1/1'),
    tcp('10.0.0.1/8', '192.0.2.1', '1000', '300', '1'),
    tcp('012.0.0.1', '192.0.2.1', '1000', '300', '1'),
    tcp('10.0.0.1', '2001:db8::1', '1000', '300', '1'),
    tcp('"10.0.0.1"', '192.0.2.1', '1000', '300', '1'),
    `${tcp('10.0.0.1', '192.0.2.1', '1000', '300', '1')} -w 5`,
    '-A -t',
    '',
    '# a comment',
  ]) {
    assert.is(written(templates, line), undefined, line);
  }
});

test('a line whose values do not stand in its request as they are makes no template', () => {
  for (const line of [
    '-A -t 9 -t 10 -s 10.0.0.1 -d 192.0.2.1 -p udp --sport 1 --dport 2',
    '-A -t 9 -s 10.0.0.1/8 -d 192.0.2.1 -p udp --sport 1 --dport 2',
    '-L -s 10.0.0.1',
    '-A -t 9 -s 10.0.0.1 -d 192.0.2.1 -p gre --sport 1 --dport 2',
  ]) {
    const one = learnt(line);
    const other = line.replace('10.0.0.1', '10.0.0.9');
    const message = written(one, other);
    if (message !== undefined) assert.is(message, parsed(other), line);
  }
});

test.run();
