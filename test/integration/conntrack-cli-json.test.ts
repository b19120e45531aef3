// Every line that -o json prints is what docs/flow.schema.json says, with every command and kind of flow.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openConntrack } from '../../src/ctnetlink/index.ts';
import { SEED } from '../parity/conntrack/tool.ts';
import { endAll, listeners, ours, start } from '../support/conntrackPrograms.ts';
import { hasCommand, insideNamespace, sh, skipFile } from '../support/namespace.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/waiting.ts';

if (!hasCommand('conntrack')) skipFile(import.meta.url, 'no `conntrack` command');

const schema = JSON.parse(readFileSync(new URL('../../docs/flow.schema.json', import.meta.url), 'utf8'));
const kinds = ['flow', 'expectation', 'overrun', 'resync', 'count', 'statistics'] as const;
type Kind = (typeof kinds)[number];
const ajv = new Ajv2020({
  strict: true,
  allowUnionTypes: true,
  allErrors: true,
  formats: { 'date-time': /^\d{4}-\d\d-\d\dT[\d:.]+Z$/ },
});
const validators = Object.fromEntries(
  kinds.map((kind) => [kind, ajv.compile({ ...schema, anyOf: [{ $ref: `#/$defs/${kind}` }] })]),
) as Record<Kind, ReturnType<typeof ajv.compile>>;

/** The lines as values, each of this kind. */
function check(text: string, kind: (line: string) => Kind): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const value = JSON.parse(line);
      const validate = validators[kind(line)];
      assert.ok(validate(value), `${line}\n${ajv.errorsText(validate.errors)}`);
      return value;
    });
}

const flows = join(temporaryFolder(), 'flows');
writeFileSync(flows, SEED);
const run = (...args: string[]) => sh(...ours, ...args, '-o', 'json');

await insideNamespace(import.meta.url, () => {
  sh('sysctl', '-qw', 'net.netfilter.nf_conntrack_acct=1', 'net.netfilter.nf_conntrack_timestamp=1');

  test('flows of every protocol, by every command that prints them', () => {
    sh('conntrack', '-R', flows);
    // with packets in its counters
    spawnSync('ping', ['-c', '1', '127.0.0.1']);
    const listed = check(run('-L'), () => 'flow');
    assert.ok(listed.length > 20);
    const keys = new Set(listed.flatMap((flow) => Object.keys(flow)));
    for (const key of ['sourcePort', 'icmpId', 'zone', 'state', 'status', 'timestamps'])
      assert.ok(keys.has(key), key);
    for (const args of [
      ['-U', '-s', '10.0.0.2', '-m', '9'],
      ['-G', ...'-p udp -s 10.0.0.7 -d 10.0.1.1 --sport 2001 --dport 53'.split(' ')],
      ['-D', '-p', 'tcp'],
    ]) {
      assert.ok(check(run(...args), () => 'flow').length > 0, args.join(' '));
    }
  });

  test('counts and statistics', () => {
    assert.is(check(run('-C'), () => 'count').length, 1);
    assert.is(check(run('-C', 'expect'), () => 'count').length, 1);
    assert.ok(check(run('-S'), () => 'statistics').length > 0);
    assert.ok(check(run('-S', 'expect'), () => 'statistics').length > 0);
  });

  test('expectations', async () => {
    const conntrack = await openConntrack();
    const originalTuple = {
      ...{ source: '10.5.0.1', destination: '10.5.0.2', protocol: 6, sourcePort: 1000, destinationPort: 21 },
    };
    await conntrack.create({
      originalTuple,
      timeout: 300,
      helper: { name: 'ftp' },
      protocolInfo: { tcp: { state: 3 } },
    });
    await conntrack.expectations.create({
      ...{ masterTuple: originalTuple, helperName: 'ftp', class: 0, flags: 0, timeout: 300 },
      tuple: { ...originalTuple, source: '10.5.0.2', destination: '10.5.0.1' },
      mask: {
        ...originalTuple,
        source: '255.255.255.255',
        destination: '255.255.255.255',
        sourcePort: 0,
        destinationPort: 65535,
      },
    });
    await conntrack.close();
    assert.is(check(run('-L', 'expect'), () => 'expectation').length, 1);
    const [flow] = check(run('-L', '-s', '10.5.0.1'), () => 'flow');
    assert.is(flow!.helper, 'ftp');
  });

  test('events, a loss and what follows it', async () => {
    const { child, written } = start(ours, '-E', '-o', 'json');
    await until('it listens', () => listeners() > 0);
    child.kill('SIGSTOP');
    const many = Array.from(
      { length: 1000 },
      (_, n) => `-A -t 900 -s 10.7.${n >> 8}.${n & 255} -d 192.0.2.1 -p udp --sport 1 --dport 2\n`,
    );
    writeFileSync(flows, many.join(''));
    sh('conntrack', '-R', flows);
    child.kill('SIGCONT');
    await until('it has healed', () => written.out.includes('"event":"resync"'));
    sh('conntrack', '-D', '-s', '10.7.0.1');
    await until('it goes on', () => written.out.includes('"event":"destroy"'));
    child.kill('SIGTERM');
    await once(child, 'close');
    const kindOf = (line: string): Kind =>
      (/^\{"event":"(overrun|resync)"/.exec(line)?.[1] as Kind) ?? 'flow';
    const events = new Set(check(written.out, kindOf).map(({ event }) => event));
    for (const event of ['new', 'destroy', 'overrun', 'resync']) assert.ok(events.has(event), event);
  });

  test('the schema refuses what is not so', () => {
    const [flow] = check(run('-L'), () => 'flow');
    for (const wrong of [
      { ...flow, mark: -1 },
      { ...flow, more: 1 },
      { ...flow, source: undefined },
      { ...flow, state: 3 },
    ]) {
      assert.not.ok(validators.flow(JSON.parse(JSON.stringify(wrong))), JSON.stringify(wrong));
    }
  });

  test.after.each(endAll);
  test.run();
});
