import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { typeExamples } from '../../src/cli/ipset/examples.ts';
import { compare } from '../parity/ipset.ts';
import { scenarios } from '../parity/ipsetTable.ts';
import { runCli } from '../support/captureIo.ts';
import { addNamespace, hasCommand, insideNamespace, sh, skipFile } from '../support/namespace.ts';

/** The scenarios of the table that CI runs; `test/parity/ipset.ts` runs them all. */
const sample =
  /^(?:commands|listings|without sets|conversation: .*|-! restore: .*|types by their old names)$/;

await insideNamespace(import.meta.url, () => {
  if (!hasCommand('ipset')) skipFile(import.meta.url, 'no `ipset` command (Debian package ipset)');
  const twin = addNamespace('twin');
  const ipset = (line: string, input?: string) =>
    runCli(['ipset', ...line.split(' ')], input === undefined ? {} : { input: [input] });

  for (const scenario of scenarios.filter(({ name }) => sample.test(name))) {
    test(`as the real program: ${scenario.name}`, async () => {
      assert.equal(await compare(scenario, twin), []);
    });
  }

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
        const { exitCode, err } = await runCli([
          'ipset',
          ...[...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word!),
        ]);
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
