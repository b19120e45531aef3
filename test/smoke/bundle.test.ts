import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
// @ts-expect-error build scripts are plain JavaScript
import { installRuntimes } from '../../scripts/runtimes.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const built = join(root, 'dist/resteer.cjs');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const runtimes: Map<number, string> = installRuntimes().paths;
const largest = 500_000;

/** A NEW event of an ICMP flow from 10.9.0.1 to 10.9.0.2, as the kernel sent it. */
const event =
  'b0000000000100060000000000000000020000003c00018014000180080001000a090001080002000a0900022400028005000' +
  '100010000000600040012340000050005000800000005000600000000003c00028014000180080001000a090002080002000a' +
  '09000124000280050001000100000006000400123400000500050000000000050006000000000008000c006674cd500800030' +
  '000000188080007000000001e0c001b0018e9e3b5e67b2948';

const folder = mkdtempSync(join(tmpdir(), 'resteer-smoke-'));
const executable = join(folder, 'resteer.cjs');
copyFileSync(built, executable);
test.after(() => rmSync(folder, { recursive: true }));

function run(node: string, args: readonly string[], input = '') {
  const { NODE_PATH: _, NODE_OPTIONS: __, ...env } = process.env;
  const done = spawnSync(node, [executable, ...args], { cwd: folder, env, input, encoding: 'utf8' });
  if (done.error) throw done.error;
  return done;
}

test('one executable file of a modest size', () => {
  const { size, mode } = statSync(built);
  assert.ok(size < largest, `${size} bytes`);
  assert.is(mode & 0o777, 0o755);
  assert.ok(readFileSync(built, 'utf8').startsWith('#!/usr/bin/env node\n'));
});

test('its archives can be read as it says, with the names that the sources have', () => {
  const text = readFileSync(built, 'utf8');
  const [, sed] = / \* {3}(sed .*)\n/.exec(text)!;
  const code = ['main', 'run', 'conntrack', 'ipset', 'others'].map((name) => {
    const script = sed!.replace('run', name).replace('brotli -d', 'cat').replace('resteer.cjs', built);
    const { status, stdout } = spawnSync('sh', ['-c', script], { maxBuffer: 1 << 24 });
    assert.is(status, 0);
    return brotliDecompressSync(stdout).toString();
  });
  for (const name of ['explainError', 'decodeTree', 'NativeNetlink', 'FfiTransport', '#drain'])
    assert.match(code.join('\n'), name);
});

test('it carries the licences of the packages inside', () => {
  const text = readFileSync(built, 'utf8');
  const licences = text.slice(text.indexOf('/*\nThis file contains the packages that follow'));
  for (const name of ['buffer-layout', 'commander', 'ip-address', 'netlink', 'valibot']) {
    assert.match(licences, new RegExp(`^${name}\n\n.*(?:licen[cs]e|copyright)`, 'ims'));
  }
});

for (const [major, node] of runtimes) {
  test(`--version on Node ${major}`, () => {
    const { status, stdout, stderr } = run(node, ['--version']);
    assert.equal([status, stdout.trim(), stderr], [0, version, '']);
  });

  test(`--help on Node ${major}`, () => {
    const { status, stdout, stderr } = run(node, ['--help']);
    assert.equal([status, stderr], [0, '']);
    assert.match(stdout, 'doctor');
    assert.match(stdout, 'decode');
  });

  test(`decode on Node ${major}`, () => {
    const { status, stdout, stderr } = run(node, ['decode', '--json'], `${event}\n`);
    assert.equal([status, stderr], [0, '']);
    const { messages } = JSON.parse(stdout) as { messages: { kind: string }[] };
    assert.equal(
      messages.map(({ kind }) => kind),
      ['IPCTNL_MSG_CT_NEW'],
    );
  });

  // As root this makes a socket: with node:ffi, or with the binding that the executable carries.
  test(`doctor on Node ${major}`, () => {
    const { stdout, stderr } = run(node, ['doctor', '--json']);
    assert.is(stderr, '');
    const { checks } = JSON.parse(stdout) as { checks: { name: string; status: string; found: string }[] };
    const found = (name: string) => checks.find((each) => each.name === name);
    assert.is(found('transport')?.status, 'ok', found('transport')?.found);
    const isPermitted = found('privileges')?.status === 'ok';
    if (isPermitted) assert.is(found('ctnetlink')?.found, 'present');
  });

  test(`wrong usage on Node ${major}`, () => {
    const { status, stdout, stderr } = run(node, ['no-such-command']);
    assert.equal([status, stdout], [2, '']);
    assert.ok(stderr.startsWith('resteer: '), stderr);
  });
}

test('the executable leaves nothing behind', () => {
  assert.equal(readdirSync(folder), ['resteer.cjs']);
});

test.run();
