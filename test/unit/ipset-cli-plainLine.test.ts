import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Draft } from '../../src/cli/ipset/draft.ts';
import { readElement } from '../../src/cli/ipset/elementReader.ts';
import { Hosts } from '../../src/cli/ipset/hosts.ts';
import { keywords } from '../../src/cli/ipset/keywords.ts';
import { splitLine } from '../../src/cli/ipset/line.ts';
import { NetworkDatabase } from '../../src/cli/ipset/netdb.ts';
import { PlainLine } from '../../src/cli/ipset/plainLine.ts';
import { Report } from '../../src/cli/ipset/report.ts';
import { typeGrammars } from '../../src/cli/ipset/typeTable.ts';
import { IPSET_CMD } from '../../src/ipset/constants.ts';
import { ElementBatch } from '../../src/ipset/elementBatch.ts';
import { setTypeOf } from '../../src/ipset/setType.ts';
import { AF } from '../../src/nfnetlink/constants.ts';

const database = new NetworkDatabase(() => '');

const known = (name: string) => {
  const type = setTypeOf(name);
  const grammar = typeGrammars.find((each) => each.name === name)!;
  return { type, grammar, revision: type.revision };
};

const aimed = (typeName: string, command: 'add' | 'del' = 'add', family: number = AF.INET) => {
  const plain = new PlainLine();
  const type = known(typeName);
  const target = {
    command: command === 'add' ? IPSET_CMD.ADD : IPSET_CMD.DEL,
    setName: 's',
    exist: false,
    type: type.type,
  };
  plain.aim(target, { type, family }, database);
  return plain;
};

/** The bytes that the parser makes of a line; undefined where it reports something. */
function byParser(typeName: string, text: string, line: number): Uint8Array | undefined {
  const draft: Draft = { family: AF.INET };
  const reading = {
    draft,
    report: new Report(() => {}),
    hosts: new Hosts(),
    database,
    warnNow: () => {},
  };
  const words = splitLine(text) as string[];
  const isRead =
    readElement(reading, known(typeName).grammar, words[2]!) &&
    (words.length === 3 || (words[3] === 'timeout' && keywords.timeout.read(reading, words[4]!)));
  if (!isRead || reading.report.severity > 0) return undefined;
  const batch = new ElementBatch(4096);
  batch.append(draft, line);
  return batch.bytes.slice(0, batch.length);
}

const octet = fc.oneof(
  { weight: 40, arbitrary: fc.nat(255).map(String) },
  fc.constantFrom('256', '01', '', 'x', '1000'),
);
const address = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.'));
const suffix = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  fc.nat(40).map((cidr) => `/${cidr}`),
  fc.constantFrom('/', '-10.0.0.9', '/08', ' '),
);
const extent = fc.tuple(address, suffix).map((parts) => parts.join(''));
const port = fc
  .tuple(
    fc.constantFrom('', '', 'tcp:', 'udp:', 'sctp:', '6:', 'TCP:'),
    fc.nat(70000),
    fc.constantFrom('', '-9'),
  )
  .map((parts) => parts.join(''));
const options = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  fc.nat(3_000_000).map((seconds) => ` timeout ${seconds}`),
  fc.constantFrom(' timeout', ' timeout 01', ' timeout x', ' nomatch', '  timeout 5', ' ', '\r'),
);

for (const [typeName, parts] of Object.entries({
  'hash:ip': [extent],
  'hash:net': [extent],
  'hash:ip,port': [extent, port],
  'hash:net,port': [extent, port],
  'hash:ip,port,ip': [extent, port, extent],
  'hash:ip,port,net': [extent, port, extent],
  'hash:net,net': [extent, extent],
})) {
  test(`a plain line of ${typeName} is what the parser makes of it`, () => {
    const plain = aimed(typeName);
    let read = 0;
    const line = fc.tuple(fc.tuple(...parts), options).map(([element, rest]) => `add s ${element}${rest}\n`);
    fc.assert(
      fc.property(line, fc.nat(1_000_000), (text, number) => {
        const bytes = Buffer.from(`${text}add s 1.2.3.4\n`);
        const next = plain.read(bytes, 0);
        if (next === -1) return;
        read++;
        assert.is(next, text.length);
        const target = new Uint8Array(256).fill(0xaa);
        const end = plain.write(target, 0, number);
        assert.equal(target.slice(0, end), byParser(typeName, text, number), text);
      }),
      { numRuns: 2000 },
    );
    assert.ok(read > 10, `${read} lines were plain`);
  });
}

test('what is not plain is left to the parser', () => {
  const reads = (plain: PlainLine, text: string) => plain.read(Buffer.from(text), 0);
  assert.is(reads(aimed('hash:ip'), 'add s 1.2.3.4\n'), 14);
  assert.is(reads(aimed('hash:ip', 'del'), 'del s 1.2.3.4\n'), 14);
  for (const text of [
    'add s 1.2.3.4',
    'add  s 1.2.3.4\n',
    'add t 1.2.3.4\n',
    'del s 1.2.3.4\n',
    '-A s 1.2.3.4\n',
    'add s 1.2.3.4 \n',
    'add s 1.2.3.4,80\n',
    'add s 1.2.3.4 timeout 2147484\n',
    'add s "1.2.3.4"\n',
    'add s host\n',
    '',
  ]) {
    assert.is(reads(aimed('hash:ip'), text), -1, text);
  }
  assert.is(reads(aimed('hash:ip', 'del'), 'del s 1.2.3.4 timeout 5\n'), -1);
  assert.is(reads(aimed('hash:ip', 'add', AF.INET6), 'add s 1.2.3.4\n'), -1);
  assert.is(reads(aimed('bitmap:ip,mac'), 'add s 1.2.3.4\n'), -1);
  const forgotten = aimed('hash:ip');
  forgotten.forget();
  assert.is(reads(forgotten, 'add s 1.2.3.4\n'), -1);
});

test('a protocol is known by the name that the system gives it', () => {
  const renamed = new NetworkDatabase(() => 'tcp 99\nudp 17\n');
  const type = known('hash:ip,port');
  const plain = new PlainLine();
  plain.aim(
    { command: IPSET_CMD.ADD, setName: 's', exist: false, type: type.type },
    { type, family: AF.INET },
    renamed,
  );
  assert.is(plain.read(Buffer.from('add s 1.2.3.4,tcp:80\n'), 0), -1);
  assert.is(plain.read(Buffer.from('add s 1.2.3.4,udp:80\n'), 0), 21);
});

test.run();
