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
function byParser(typeName: string, family: number, text: string, line: number): Uint8Array | undefined {
  const draft: Draft = { family };
  const reading = {
    draft,
    report: new Report(() => {}),
    hosts: new Hosts(),
    database,
    warnNow: () => {},
  };
  const words = splitLine(text) as string[];
  const { grammar } = known(typeName);
  let isRead = readElement(reading, grammar, words[2]!);
  for (let i = 3; i < words.length && isRead; i++) {
    const option = grammar.add.keywords.find(({ name }) => keywords[name].word === words[i]);
    const spec = option && keywords[option.name];
    isRead = spec?.read(reading, spec.takesValue ? words[++i]! : words[i]!) ?? false;
  }
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
const hexGroup = fc.oneof(
  { weight: 12, arbitrary: fc.nat(0xffff).map((value) => value.toString(16)) },
  fc.constantFrom('', '0', '0000', '12345', 'G', 'AbC', '1.2.3.4'),
);
const address6 = fc.oneof(
  fc.array(hexGroup, { minLength: 8, maxLength: 8 }).map((groups) => groups.join(':')),
  fc
    .tuple(fc.array(hexGroup, { maxLength: 7 }), fc.array(hexGroup, { maxLength: 7 }))
    .map((sides) => sides.map((groups) => groups.join(':')).join('::')),
  fc.constantFrom('::', '::1', '1::', '1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7::', '::2:3:4:5:6:7:8', ':1', '1:::2'),
);
const suffix6 = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  fc.nat(140).map((cidr) => `/${cidr}`),
  fc.constantFrom('%lo', '-::9', '/'),
);
const extent6 = fc.tuple(address6, suffix6).map((parts) => parts.join(''));
const comment = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 40 }) },
  fc.constantFrom('', '-exist', ' ', 'c'.repeat(255), 'c'.repeat(256), 'timeout', '\u00e9', 'a\tb'),
);
const maybe = (text: fc.Arbitrary<string>) => fc.oneof(fc.constant(''), text);
const options = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        maybe(fc.nat(3_000_000).map((seconds) => ` timeout ${seconds}`)),
        maybe(fc.constant(' nomatch')),
        maybe(
          fc.bigInt({ min: 0n, max: 2n ** 64n }).map((count) => ` packets ${count >> BigInt(count % 60n)}`),
        ),
        maybe(fc.nat().map((count) => ` bytes ${count}`)),
        maybe(comment.map((text) => ` comment "${text}"`)),
      )
      .map((parts) => parts.join('')),
  },
  fc.constantFrom(
    ' timeout',
    ' timeout 01',
    ' timeout x',
    ' nomatch',
    '  timeout 5',
    ' ',
    '\r',
    ' bytes 1 packets 1',
  ),
);

const shapes: readonly (readonly [type: string, family: number, parts: readonly fc.Arbitrary<string>[]])[] = [
  ['hash:ip', AF.INET, [extent]],
  ['hash:net', AF.INET, [extent]],
  ['hash:ip,port', AF.INET, [extent, port]],
  ['hash:net,port', AF.INET, [extent, port]],
  ['hash:ip,port,ip', AF.INET, [extent, port, extent]],
  ['hash:ip,port,net', AF.INET, [extent, port, extent]],
  ['hash:net,net', AF.INET, [extent, extent]],
  ['hash:ip', AF.INET6, [extent6]],
  ['hash:net', AF.INET6, [extent6]],
  ['hash:net,port', AF.INET6, [extent6, port]],
  ['hash:ip,port,net', AF.INET6, [extent6, port, extent6]],
];

for (const [typeName, family, parts] of shapes) {
  test(`a plain line of ${typeName}, family ${family}, is what the parser makes of it`, () => {
    const plain = aimed(typeName, 'add', family);
    let read = 0;
    const line = fc.tuple(fc.tuple(...parts), options).map(([element, rest]) => `add s ${element}${rest}\n`);
    fc.assert(
      fc.property(line, fc.nat(1_000_000), (text, number) => {
        const bytes = Buffer.from(`${text}add s 1.2.3.4\n`);
        const next = plain.read(bytes, 0);
        if (next === -1) return;
        read++;
        assert.is(next, Buffer.byteLength(text));
        const target = new Uint8Array(1024).fill(0xaa);
        const end = plain.element.write(target, 0, number);
        assert.equal(target.slice(0, end), byParser(typeName, family, text, number), text);
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
  assert.is(reads(aimed('hash:ip', 'add', AF.INET6), 'add s 2001:db8::1\n'), 18);
  assert.is(reads(aimed('hash:ip'), 'add s 1.2.3.4 nomatch\n'), -1);
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
