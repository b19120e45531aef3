import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { typeExamples } from '../../src/cli/ipset/examples.ts';
import type { SetTypeName } from '../../src/ipset/setType.ts';
import { runCli } from '../support/captureIo.ts';
import { hasCommand, insideNamespace, sh, skipFile } from '../support/namespace.ts';

/** The words of a line; quotes keep white space together. */
const words = (line: string) =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);

/** A set of each type, without its extensions, and an element of it. */
const samples: Readonly<Record<SetTypeName, readonly [create: string, element: string]>> = {
  'bitmap:ip': ['range 192.168.0.0/16 netmask 24', '192.168.1.0'],
  'bitmap:ip,mac': ['range 192.168.1.0/24', '192.168.1.10,02:00:00:00:00:01'],
  'bitmap:port': ['range 0-1023', '80'],
  'hash:ip': ['bitmask 255.255.0.255', '203.0.113.7'],
  'hash:mac': ['', '02:00:00:00:00:01'],
  'hash:ip,mac': ['', '192.168.1.10,02:00:00:00:00:01'],
  'hash:net': ['family inet6', '2001:db8::/32'],
  'hash:net,net': ['', '198.51.100.0/24,10.0.0.0/8'],
  'hash:ip,port': ['netmask 24', '192.0.2.1,icmp:ping'],
  'hash:net,port': ['', '192.0.2.0/24,udp:53'],
  'hash:ip,port,ip': ['', '192.0.2.1,tcp:80,192.0.2.2'],
  'hash:ip,port,net': ['', '192.0.2.1,tcp:80,10.0.0.0/8'],
  'hash:ip,mark': ['markmask 0xff00', '192.0.2.1,0x200'],
  'hash:net,port,net': ['', '192.0.2.0/24,tcp:80,10.0.0.0/8'],
  'hash:net,iface': ['forceadd', '192.0.2.0/24,physdev:eth0'],
  'list:set': ['size 4', 'member'],
};

await insideNamespace(import.meta.url, () => {
  if (!hasCommand('ipset')) skipFile(import.meta.url, 'no `ipset` command (Debian package ipset)');
  const ipset = (line: string, input?: string) =>
    runCli(['ipset', ...line.split(' ')], input === undefined ? {} : { input: [input] });

  test.before.each(() => {
    // a list keeps its members
    sh('ipset', 'flush');
    sh('ipset', 'destroy');
  });

  test('the examples of help work', async () => {
    for (const [type, lines] of Object.entries(typeExamples)) {
      const probe = await ipset(`create probe ${lines[0]!.split(' ').slice(2).join(' ')}`);
      await ipset('destroy');
      // this kernel lacks the type
      if (probe.err.includes('set type not supported')) continue;
      for (const line of lines) {
        const { exitCode, err } = await runCli(['ipset', ...words(line)]);
        assert.is(exitCode, 0, `${type}: ${line}: ${err}`);
      }
      await ipset('destroy');
    }
  });

  test('help of a type is that of the real program, and examples', async () => {
    const { out } = await ipset('help hash:net,port');
    const { spawnSync } = await import('node:child_process');
    const real = spawnSync('ipset', ['help', 'hash:net,port'], { encoding: 'utf8' }).stdout;
    assert.ok(out.startsWith(real));
    assert.match(out.slice(real.length), /^\nExamples:\n {4}ipset create mail/);
  });

  test('json: a line for each set and element', async () => {
    await ipset('create a hash:ip timeout 0 counters comment forceadd initval 1');
    await ipset('add a 10.0.0.1 comment x packets 18446744073709551614');
    await ipset('create l list:set size 4');
    await ipset('add l a');
    const { out, exitCode } = await ipset('list -o json');
    assert.is(exitCode, 0);
    const [set, element, list, member] = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.is(set.kind, 'set');
    assert.equal(set.options, {
      family: 'inet',
      hashsize: 1024,
      maxelem: 65536,
      timeout: 0,
      counters: true,
      comment: true,
      bucketsize: 12,
      initval: '0x00000001',
      forceadd: true,
    });
    assert.equal(element, {
      kind: 'element',
      set: 'a',
      element: '10.0.0.1',
      timeout: 0,
      packets: '18446744073709551614',
      bytes: '0',
      comment: 'x',
    });
    assert.equal([list.name, list.options.size, member.element], ['l', 4, 'a']);
    assert.equal(
      (await ipset('list -n -o json')).out,
      '{"kind":"set","name":"a"}\n{"kind":"set","name":"l"}\n',
    );
    await ipset('destroy');
  });

  test('json: every line of every form is what docs/set.schema.json says', async () => {
    const validate = new Ajv2020({ strict: true, allErrors: true }).compile(
      JSON.parse(readFileSync(new URL('../../docs/set.schema.json', import.meta.url), 'utf8')),
    );
    const everything = 'timeout 60 counters comment skbinfo';
    const lines: string[] = [];
    const takeAll = async (line: string) => {
      const { out, exitCode, err } = await ipset(line);
      assert.is(exitCode, 0, err);
      lines.push(...out.trimEnd().split('\n'));
    };
    for (const [type, [create, element]] of Object.entries(samples)) {
      const made = await runCli(['ipset', ...words(`create s ${type} ${create} ${everything}`)]);
      if (made.err.includes('set type not supported')) continue;
      assert.is(made.exitCode, 0, `${type}: ${made.err}`);
      await ipset('create member hash:ip');
      const options = 'packets 18446744073709551614 bytes 5 skbmark 0x1/0xff skbprio 1:10 skbqueue 3';
      const added = await runCli([
        'ipset',
        'add',
        's',
        element,
        ...options.split(' '),
        'comment',
        'a \\ \u00e9 \u0001',
      ]);
      assert.is(added.exitCode, 0, `${type}: ${added.err}`);
      await takeAll('list -o json');
      await takeAll('save -o json');
      await takeAll('list -t -o json');
      await takeAll('list -n -o json');
      await takeAll('list -s -o json');
      sh('ipset', 'flush');
      sh('ipset', 'destroy');
    }
    for (const line of lines)
      assert.ok(validate(JSON.parse(line)), `${line}: ${JSON.stringify(validate.errors)}`);
    assert.ok(
      lines.some((line) => line.includes('"comment":"a \\\\ \u00e9 \\u0001"')),
      lines[1],
    );
    assert.not(validate({ kind: 'element', set: 's', element: '1.1.1.1', more: 1 }));
  });

  test('numbers are checked', async () => {
    await ipset('create a hash:ip counters skbinfo');
    for (const option of [
      'skbmark 0x1zz',
      'skbmark 0x1ffffffff',
      'skbprio 1:10zz',
      'skbprio 10000:1',
      'packets -5',
    ]) {
      const { exitCode, err } = await ipset(`add a 10.0.0.1 ${option}`);
      assert.is(exitCode, 1, option);
      assert.match(err, /^ipset v7\.17: Syntax error: /);
    }
    await ipset('destroy');
  });

  test('what save prints, restore takes', async () => {
    const lines = Array.from(
      { length: 3000 },
      (_, i) => `add a 10.0.${i >> 8}.${i & 255} comment "c ${i}"\n`,
    );
    const made = await ipset('restore', `create a hash:ip comment initval 7\n${lines.join('')}`);
    assert.is(made.exitCode, 0, made.err);
    const saved = (await ipset('save')).out;
    await ipset('destroy');
    assert.is((await ipset('restore', saved)).exitCode, 0);
    assert.is(
      (await ipset('save -s')).out.split('\n').sort().join('\n'),
      saved.split('\n').sort().join('\n'),
    );
    await ipset('destroy');
  });

  test.run();
});
