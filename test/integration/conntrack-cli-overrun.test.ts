// Events are lost because the reader stands still: afterwards whoever follows our output has the kernel's table.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { IPPROTO, TCP_CONNTRACK } from '../../src/ctnetlink/constants.ts';
import { type ConntrackClient, openConntrack } from '../../src/ctnetlink/index.ts';
import { endAll, listeners, ours, start } from '../support/conntrackPrograms.ts';
import { hasCommand, insideNamespace, sh, skipFile } from '../support/namespace.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/waiting.ts';

if (!hasCommand('conntrack')) skipFile(import.meta.url, 'no `conntrack` command');

/** More events than the buffer holds, also when it has grown once: 166 fill the default one. */
const BURST = 1000;

const flow = (number: number, more = '') =>
  `-A -t 3000 -u SEEN_REPLY -s 10.1.${number >> 8}.${number & 255} -d 192.0.2.1 -p tcp --sport 1000 --dport 443 --state ESTABLISHED ${more}`;
/** Answers come from another address: another flow by the same name. */
const translated = (number: number) =>
  `-r 198.51.100.9 -q 10.1.0.${number} --reply-port-src 443 --reply-port-dst 1000`;
const numbers = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

const file = join(temporaryFolder(), 'changes');
function change(lines: readonly string[]): void {
  writeFileSync(file, `${lines.join('\n')}\n`);
  sh('conntrack', '-R', file);
}

/** What a follower of the events, or of a listing, knows of a flow. */
interface Seen {
  readonly isEnd: boolean;
  readonly key: string;
  readonly value: string;
}
type Read = (line: string) => Seen | undefined;

const readText: Read = (line) => {
  if (!/ src=/.test(line)) return undefined;
  const [source] = /\bsrc=\S+/.exec(line)!;
  const value = `${/\b[A-Z_]{5,}\b(?= src=)/.exec(line)?.[0]} ${/\bmark=\d+/.exec(line)?.[0] ?? 'mark=0'} ${/src=\S+.*src=(\S+)/.exec(line)![1]}`;
  return { isEnd: line.includes('[DESTROY]'), key: source!, value };
};
const readJson: Read = (line) => {
  const { event, source, state, mark, reply } = JSON.parse(line);
  if (source === undefined) return undefined;
  return { isEnd: event === 'destroy', key: source, value: `${state} ${mark} ${reply.source}` };
};
const readXml: Read = (line) => {
  const [, source] = /<src>([^<]+)/.exec(line) ?? [];
  if (source === undefined) return undefined;
  const value = `${/<state>([^<]+)/.exec(line)?.[1]} ${/<mark>([^<]+)/.exec(line)?.[1] ?? 0}`;
  return { isEnd: line.includes('type="destroy"'), key: source, value };
};
const readSave: Read = (line) => {
  const [, source] = / -s (\S+)/.exec(line) ?? [];
  if (source === undefined) return undefined;
  return { isEnd: line.startsWith('-D'), key: source, value: / --state \S+/.exec(line)![0] };
};

const forms: readonly (readonly [options: readonly string[], read: Read, resync: RegExp])[] = [
  [[], readText, /^ \[RESYNC\] new=\d+ updated=\d+ destroyed=\d+$/m],
  [['-o', 'timestamp,extended'], readText, /^\[\d+\.\d+\]\t \[RESYNC\] new=\d+ updated=\d+ destroyed=\d+$/m],
  [
    ['-o', 'json'],
    readJson,
    /^\{"event":"resync","time":"[^"]+","new":\d+,"updated":\d+,"destroyed":\d+\}$/m,
  ],
  [['-o', 'xml'], readXml, /^<resync new="\d+" updated="\d+" destroyed="\d+"\/>$/m],
  [['-o', 'save'], readSave, /^# resync: new=\d+ updated=\d+ destroyed=\d+$/m],
];

/** A flow with a helper: each can have one expectation, and a second one ends the first. */
const master = (number: number) => ({
  ...{ source: `10.2.${number >> 8}.${number & 255}`, destination: '192.0.2.1', protocol: IPPROTO.TCP },
  ...{ sourcePort: 1000, destinationPort: 21 },
});
const expected = (number: number, destinationPort: number) => ({
  ...{ source: '192.0.2.1', destination: master(number).source, protocol: IPPROTO.TCP },
  ...{ sourcePort: 0, destinationPort },
});
const expectedMask = {
  ...{ source: '255.255.255.255', destination: '255.255.255.255', protocol: IPPROTO.TCP },
  ...{ sourcePort: 0, destinationPort: 65535 },
};

async function expectAt(conntrack: ConntrackClient, port: number, masters: readonly number[]): Promise<void> {
  const expectations = masters.map((number) => ({
    ...{ masterTuple: master(number), tuple: expected(number, port), mask: expectedMask },
    ...{ timeout: 300, helperName: 'ftp', class: 0, flags: 0 },
  }));
  await Promise.all(expectations.map((each) => conntrack.expectations.create(each)));
}

/** Lines of expectations as they are told in: without the kind of the event, and the time that is left. */
const followExpectations = (known: Set<string>, lines: string) => {
  for (const [, kind, expectation] of lines.matchAll(/^( *\[[A-Z]+\] )?\d+ (proto=.*)$/gm)) {
    if (kind?.includes('DESTROY')) known.delete(expectation!);
    else known.add(expectation!);
  }
  return known;
};

await insideNamespace(import.meta.url, () => {
  for (const [options, read, resync] of forms) {
    test(`after a loss -E ${options.join(' ')} tells what changed`, async () => {
      sh('conntrack', '-F');
      change(numbers(0, 200).map((n) => flow(n)));
      const table = () =>
        sh('conntrack', '-L', ...options)
          .split('\n')
          .filter(Boolean);
      const known = new Map<string, string>();
      const follow = (lines: readonly string[]) => {
        for (const line of lines) {
          const seen = read(line);
          if (!seen) continue;
          if (seen.isEnd) known.delete(seen.key);
          else known.set(seen.key, seen.value);
        }
      };
      // a listing in JSON is ours alone
      const listed = () =>
        options.includes('json')
          ? sh(...ours, '-L', '-o', 'json')
              .split('\n')
              .filter(Boolean)
          : table();
      follow(listed());

      const { child, written } = start(ours, '-E', ...options);
      const heard = (n: number) => written.out.includes(`10.1.${n >> 8}.${n & 255}`);
      await until('it listens', () => listeners() > 0);
      const healed = () => written.out.match(new RegExp(resync, 'gm'))?.length ?? 0;
      // whether it has looked at the table before it is stopped is luck: the second time it has
      child.kill('SIGSTOP');
      change(numbers(1000, BURST).map((n) => flow(n)));
      // of these it hears the beginnings, and not the ends
      sh('conntrack', '-D', '-s', '10.1.3.240/28');
      child.kill('SIGCONT');
      await until('it has healed', () => healed() === 1);
      child.kill('SIGSTOP');
      change(numbers(3000, BURST).map((n) => flow(n)));
      sh('conntrack', '-D', '-s', '10.1.0.0/27');
      // the real program may take an acknowledgement for the end here
      sh(...ours, '-U', '-s', '10.1.0.32/27', '-m', '7');
      sh(...ours, '-U', '-s', '10.1.0.64/27', '-p', 'tcp', '--state', 'CLOSE_WAIT');
      sh('conntrack', '-D', '-s', '10.1.0.96/27');
      change(numbers(96, 32).map((n) => flow(n, translated(n))));
      child.kill('SIGCONT');
      await until('it has healed again', () => healed() === 2);
      change([flow(50_000)]);
      await until('it goes on', () => heard(50_000));
      child.kill('SIGTERM');
      const [code] = await once(child, 'close');
      assert.is(code, 0);
      assert.match(written.err, /We have hit ENOBUFS/);
      assert.match(written.out, /overrun|OVERRUN/);

      follow(written.out.split('\n').filter(Boolean));
      const told = [...known].map((entry) => entry.join(' ')).sort();
      known.clear();
      follow(listed());
      assert.equal(told, [...known].map((entry) => entry.join(' ')).sort());
    });
  }

  test('after a loss -E expect tells which expectations began and ended', async () => {
    const conntrack = await openConntrack();
    await conntrack.flushTable();
    const masters = numbers(0, 300);
    const protocolInfo = { tcp: { state: TCP_CONNTRACK.ESTABLISHED } };
    const flows = masters.map((number) => ({ originalTuple: master(number), timeout: 3000, protocolInfo }));
    await Promise.all(flows.map((each) => conntrack.create({ ...each, helper: { name: 'ftp' } })));
    const [first, second] = [masters.slice(0, 150), masters.slice(150)];
    await expectAt(conntrack, 2000, first);
    const listed = () => followExpectations(new Set(), sh('conntrack', '-L', 'expect'));
    const atFirst = listed();
    assert.is(atFirst.size, first.length);

    const { child, written } = start(ours, '-E', 'expect');
    await until('it listens', () => listeners() > 0);
    const resyncs = () => [...written.out.matchAll(/^ \[RESYNC\] new=(\d+) destroyed=(\d+)$/gm)];
    // as above: what was there at first must not end before it has surely looked at the table
    child.kill('SIGSTOP');
    for (const port of numbers(3000, 6)) await expectAt(conntrack, port, second);
    child.kill('SIGCONT');
    await until('it has healed', () => resyncs().length === 1);
    child.kill('SIGSTOP');
    for (const port of numbers(4000, 3)) await expectAt(conntrack, port, masters.slice(100));
    const ends = numbers(0, 50).map((number) => ({ tuple: expected(number, 2000) }));
    await Promise.all(ends.map((each) => conntrack.expectations.delete(each)));
    child.kill('SIGCONT');
    await until('it has healed again', () => resyncs().length === 2);
    await expectAt(conntrack, 5000, [299]);
    await until('it goes on', () => written.out.includes('dport=5000'));
    await conntrack.close();
    child.kill('SIGTERM');
    const [code] = await once(child, 'close');
    assert.is(code, 0);
    assert.match(written.err, /We have hit ENOBUFS/);
    assert.match(written.out, /^\[OVERRUN\] events were lost$/m);
    const [, began, ended] = resyncs()[1]!;
    assert.ok(Number(began) > 0 && Number(ended) > 0, 'the comparison itself has told beginnings and ends');
    assert.equal([...followExpectations(atFirst, written.out)].sort(), [...listed()].sort());
  });

  test.after.each(endAll);
  test.run();
});
