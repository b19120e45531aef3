/** `resteer report` without a kernel: options, files, and what is known of tracking from rules. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkReplaceable, replaceFile } from '../../src/cli/report/replaceFile.ts';
import { untrackedFamilies, untrackedText } from '../../src/cli/report/tracking.ts';
import { listRuleParts } from '../../src/nftables/rules.ts';
import { ack, dump, ScriptedTransport } from '../../src/testing/index.ts';
import { runCli } from '../support/captureIo.ts';
import { loadFixtures } from '../support/fixtures.ts';
import { record } from '../support/reportFlows.ts';
import { connect } from '../support/requests.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const folder = temporaryFolder();
const report = (...args: string[]) => runCli(['report', ...args]);

const json = (...records: object[]) => records.map((each) => `${JSON.stringify(each)}\n`).join('');

test('wrong options are wrong usage, and say what is allowed', async () => {
  const cases: [string[], RegExp][] = [
    [['--format', 'xml'], /Allowed choices are text, json, csv, nft, iptables, ipset/],
    [['--duration', '30'], /--duration: "30" is not a duration/],
    [['--until-idle', '1ms'], /--until-idle: "1ms" is out of range/],
    [['--slack', '4'], /--slack: only the formats nft, iptables and ipset/],
    [
      ['--format', 'nft', '--slack', '65536'],
      /--slack: "65536" is out of range: a whole number from 0 to 65535/,
    ],
    [['--summary', '--format', 'json'], /--summary: it is text/],
    [['--mark', '0xg'], /--mark: "0xg" is not a mark/],
    [['--mark', '0x1ff/0xff'], /mark: has bits outside of its mask/],
    [['--protocol', 'tpc'], /--protocol: "tpc" is not a protocol: .* \(did you mean "tcp"\?\)|did you mean/],
    [['--source', '192.0.2.1/24'], /--source: "192.0.2.1\/24" has bits behind its prefix: "192.0.2.0\/24"/],
    [['--source', '192.0.2.1', '--destination', '::1'], /two address families/],
    [['--family', 'ipv6', '--source', '192.0.2.1'], /two address families/],
    [['--zone', '65536'], /--zone: "65536" is out of range/],
    [['--max-flows', '0'], /--max-flows: "0" is out of range/],
    [['--resume', '--format', 'json'], /--resume: it reads the file of --output again/],
    [['--from', 'x', '--duration', '1s'], /--duration: it asks the kernel/],
    [['--from', 'x', '--mark', '1'], /--mark: it asks the kernel/],
    [['--sumary'], /unknown option '--sumary'.* --summary/],
  ];
  for (const [args, why] of cases) {
    const { exitCode, out, err } = await report(...args);
    assert.equal([exitCode, out], [2, ''], args.join(' '));
    assert.match(err, why);
    assert.match(err, /^resteer: report: /);
  }
});

test('--help has examples', async () => {
  const { exitCode, out } = await report('--help');
  assert.is(exitCode, 0);
  assert.match(out, /Examples:\n {2}resteer report/);
});

test('a report in JSON becomes any other', async () => {
  const input = [json(record({ confirmed: true }), record({ protocol: 'udp' }), record({ flows: 4 }))];
  const run = (...args: string[]) => runCli(['report', '--from', '-', ...args], { input });
  const text =
    ' TCPv4 [           0] src = 192.0.2.1 (port=1024) to dst = 198.51.100.1 (port=443) (confirmed)\n';
  assert.equal(await run('--confirmed'), { exitCode: 0, out: text, err: '' });
  assert.match((await run('--format', 'json', '--protocol', 'tcp')).out, /^[^\n]*"flows":5\}\n$/);
  const none = await run('--source', '192.0.2.0/31', '--protocol', '89');
  assert.equal([none.exitCode, none.out], [0, '']);
  assert.match(none.err, /^resteer: report: no flow was seen that fits: /);
  assert.match((await run('--summary')).out, /^TCPv4 443 +1 +1 +5 /m);
  const limited = await run('--max-flows', '1');
  assert.is(limited.out, text);
  assert.match(limited.err, /^resteer: report: 1 flows are left out, .* --max-flows/);
});

test('of a report in JSON, those that fit', async () => {
  const input = [json(record({}), record({ family: 'ipv6', source: '2001:db8::1', destination: '::1' }))];
  const count = async (...args: string[]) =>
    (await runCli(['report', '--from', '-', ...args], { input })).out.split('\n').length - 1;
  assert.is(await count(), 2);
  assert.is(await count('--family', 'ipv4', '--protocol', 'tcp'), 1);
  assert.is(await count('--source', '192.0.2.0/31', '--destination', '198.51.100.1'), 1);
  assert.is(await count('--source', '192.0.2.2/31'), 0);
  assert.is(await count('--source', '0.0.0.0/0'), 1);
  assert.is(await count('--destination', '::/0'), 1);
  assert.is(await count('--destination', '2001:db8::/32'), 0);
});

test('a file that is no report names the line', async () => {
  const path = join(folder, 'broken.json');
  writeFileSync(path, `${json(record({}))}\nsrc=192.0.2.1\n`);
  const { exitCode, out, err } = await report('--from', path);
  assert.equal([exitCode, out], [1, '']);
  assert.is(
    err,
    `resteer: ${path}:3: it is no JSON object: it has to be a report written with --format json\n`,
  );
  const missing = await report('--from', join(folder, 'none'));
  assert.equal(
    [missing.exitCode, missing.err],
    [1, `resteer: ${folder}/none: no such file or folder: check the name\n`],
  );
});

test('a file is replaced as a whole, keeps its mode and its links, and nothing is left beside it', () => {
  const inside = join(folder, 'files');
  mkdirSync(inside);
  const path = join(inside, 'out');
  replaceFile(path, ['one\n', 'two\n']);
  assert.is(readFileSync(path, 'utf8'), 'one\ntwo\n');
  chmodSync(path, 0o646);
  const link = join(inside, 'link');
  symlinkSync('out', link);
  checkReplaceable(link);
  replaceFile(link, ['x'.repeat(200_000), 'ü']);
  assert.ok(lstatSync(link).isSymbolicLink());
  assert.is(readFileSync(path, 'utf8').length, 200_001);
  assert.is(statSync(path).mode & 0o777, 0o646);

  const failing = function* () {
    yield 'y'.repeat(200_000);
    throw new Error('in the middle');
  };
  assert.throws(() => replaceFile(path, failing()), 'in the middle');
  assert.is(readFileSync(path, 'utf8').length, 200_001);
  assert.equal(readdirSync(inside).sort(), ['link', 'out']);
});

test('--output is tried before anything is waited for', async () => {
  const from = join(folder, 'from.json');
  writeFileSync(from, json(record({})));
  for (const path of ['/dev/null', folder]) {
    const { exitCode, err } = await report('--from', from, '--output', path);
    assert.is(exitCode, 1);
    assert.match(err, /it is no file that can be replaced/);
  }
  const { exitCode, err } = await report('--from', from, '--output', join(folder, 'none/out'));
  assert.equal([exitCode, existsSync(join(folder, 'none'))], [1, false]);
  assert.is(err, `resteer: ${folder}/none/out: no such file or folder: check the name\n`);
});

const rules = loadFixtures('nftables');
const ruleOf = (name: string) => rules.find((each) => each.name === `rule-${name}`)!.bytes;

test('captured rules as the names of their parts', async () => {
  const kernel = new ScriptedTransport().program(() => [dump(rules.map(({ bytes }) => bytes))]);
  const { connection } = connect(kernel);
  assert.equal(
    await listRuleParts(connection),
    rules.map(({ decoded }) => decoded),
  );
});

const absent = Object.assign(new Error('no such file'), { code: 'ENOENT' });
const IPV6_ADDRESS = '20010db8000000000000000000000001 02 40 00 80     eth0\n';
const LINK_LOCAL = 'fe800000000000000000000000000001 02 40 20 80     eth0\n';

/** The families of which it is certain, by rules, and files of /proc/net. */
async function untracked(names: readonly string[], files: Readonly<Record<string, string | Error>> = {}) {
  const kernel = new ScriptedTransport().program(() => [dump(names.map(ruleOf))]);
  return untrackedFamilies(connect(kernel).connection, (name) => {
    const found = { if_inet6: IPV6_ADDRESS, ...files }[name] ?? absent;
    if (typeof found === 'string') return found;
    throw found;
  });
}

test('which families no rule has tracked', async () => {
  assert.equal(await untracked([]), [2, 10]);
  assert.equal(await untracked(['counter', 'iptables-plain']), [2, 10]);
  assert.equal(await untracked(['ct-inet']), []);
  assert.equal(await untracked(['masquerade']), [10]);
  assert.equal(await untracked(['iptables-conntrack']), [10]);
  assert.equal(await untracked(['counter', 'ip6tables-connmark']), [2]);
  assert.equal(await untracked(['ct-ip6']), [2]);
});

test('IPv6 is not missed where it is not spoken', async () => {
  assert.equal(await untracked([], { if_inet6: LINK_LOCAL }), [2]);
  assert.equal(await untracked([], { if_inet6: absent }), [2]);
  assert.equal(await untracked([], { if_inet6: LINK_LOCAL + IPV6_ADDRESS }), [2, 10]);
});

test('where the older iptables may have rules nothing is certain', async () => {
  const denied = Object.assign(new Error('permission denied'), { code: 'EACCES' });
  assert.equal(await untracked([], { ip_tables_names: 'filter\n' }), [10]);
  assert.equal(await untracked([], { ip_tables_names: '', ip6_tables_names: denied }), [2]);
});

test('a kernel without nf_tables has no rules of it; a ruleset that changes meanwhile says nothing', async () => {
  const readProc = () => {
    throw absent;
  };
  const without = new ScriptedTransport().program(() => [ack(22)]);
  assert.equal(await untrackedFamilies(connect(without).connection, readProc), [2]);
  const changing = new ScriptedTransport().program(() => [
    dump([ruleOf('counter')], { isInterrupted: true }),
  ]);
  assert.equal(await untrackedFamilies(connect(changing).connection, readProc), []);
});

test('how to turn tracking on, for the families that need it', () => {
  assert.match(untrackedText([2]), /IPv4 .*\n.*table ip resteer_track;.*\n.*\n {2}iptables -I /);
  assert.match(untrackedText([10]), /IPv6 .*\n.*table ip6 resteer_track;.*\n.*\n {2}ip6tables -I /);
  assert.match(untrackedText([2, 10]), /table inet resteer_track;.*\n.*\n {2}iptables .*\n {2}ip6tables /);
});

test.run();
