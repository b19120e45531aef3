/** `resteer ipset` as a process: files, readers that leave or are slow, exit codes. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCommand, insideNamespace, sh, skipFile } from '../support/namespace.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const command = ['--no-warnings', ...process.execArgv, main, 'ipset'];
const ELEMENTS = 20_000;

const create = 'create s hash:ip hashsize 16384 initval 1\n';
const adds = Array.from({ length: ELEMENTS }, (_, i) => `add s 10.0.${i >> 8}.${i & 255}\n`).join('');

function ipset(args: readonly string[], input = '') {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...command, ...args], {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return { status, stdout, stderr };
}

await insideNamespace(import.meta.url, () => {
  if (!hasCommand('ipset')) skipFile(import.meta.url, 'no `ipset` command (Debian package ipset)');
  const folder = temporaryFolder();
  const file = (name: string) => join(folder, name);

  test.before.each(() => {
    sh('ipset', 'destroy');
  });

  test('from standard input and from a file, to standard output and to a file', () => {
    writeFileSync(file('sets'), create + adds);
    assert.equal(ipset(['restore'], create + adds), { status: 0, stdout: '', stderr: '' });
    const saved = sh('ipset', 'save');
    assert.is(ipset(['save']).stdout, saved);
    sh('ipset', 'destroy');
    assert.equal(ipset(['restore', '-file', file('sets')]), { status: 0, stdout: '', stderr: '' });
    assert.equal(ipset(['save', '-f', file('saved')]), { status: 0, stdout: '', stderr: '' });
    assert.is(readFileSync(file('saved'), 'utf8'), saved);
    // an old file is emptied
    assert.is(ipset(['list', '-n', '-f', file('saved')]).status, 0);
    assert.is(readFileSync(file('saved'), 'utf8'), 's\n');
  });

  test('an error names its line, far into a file of several pieces', () => {
    const { status, stderr } = ipset(['restore'], `${create}${adds}add s bogus,1\nadd s 9.9.9.9\n`);
    assert.is(status, 1);
    assert.match(
      stderr,
      new RegExp(`^ipset v7\\.17: Error in line ${ELEMENTS + 2}: Syntax error: Elem separator`),
    );
    const twice = ipset(['restore'], `-exist ${create}${adds}add s 10.0.1.1\n`);
    assert.is(twice.status, 0, twice.stderr);
    const again = ipset(['restore'], `add s 9.9.9.9\n${adds}`);
    assert.is(again.status, 1);
    assert.match(again.stderr, /Error in line 2: Element cannot be added to the set: it's already added/);
    assert.is(ipset(['test', 's', '9.9.9.9']).status, 0, 'what stands before it is done');
  });

  test('a file that cannot be opened, or written', () => {
    assert.equal(ipset(['restore', '-f', file('none')]), { status: 255, stdout: '', stderr: '' });
    const unwritable = ipset(['list', '-f', join(folder, 'none', 'x')]);
    assert.is(unwritable.status, 1);
    assert.match(
      unwritable.stderr,
      /^ipset v7\.17: Cannot open .*\/none\/x for writing: No such file or directory/,
    );
    sh('ipset', 'create', 's', 'hash:ip');
    assert.is(ipset(['list', '-f', '/dev/full']).status, 1);
  });

  test('a reader that leaves ends it quietly', async () => {
    ipset(['restore'], create + adds);
    const child = spawn(process.execPath, [...command, 'list'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      errors += text;
    });
    child.stdout.once('data', () => child.stdout.destroy());
    assert.equal([...(await once(child, 'exit')), errors], [0, null, '']);
  });

  test('a slow reader gets everything', async () => {
    ipset(['restore'], create + adds);
    const child = spawn(process.execPath, [...command, 'list', '-o', 'json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let seen = 0;
    for await (const piece of child.stdout) {
      seen += piece.toString('latin1').split('\n').length - 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (child.exitCode === null) await once(child, 'exit');
    assert.equal([child.exitCode, seen], [0, ELEMENTS + 1]);
  });

  test.run();
});
