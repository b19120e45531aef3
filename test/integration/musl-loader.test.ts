/**
 * musl's own loader on files with and without the edit of scripts/elf.mjs. What Node itself provides
 * (napi_*) is missing under `--list`, so the loader fails either way: what counts is whether it asks for
 * glibc's loader.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
// @ts-expect-error build scripts are plain JavaScript
import { neededLibraries, neutraliseNeeded } from '../../scripts/elf.mjs';
import { hasCommand, skipFile } from '../support/namespace.ts';

const home = dirname(createRequire(import.meta.url).resolve('netlink/package.json'));
const prebuilt = (arch: string) => readFileSync(join(home, 'prebuilds', `linux-${arch}`, 'node.napi.node'));

interface Machine {
  readonly arch: string;
  readonly debian: string;
  /** Where the Debian package `musl` of that architecture puts it. */
  readonly muslLoader: string;
  readonly emulator: string;
  readonly glibcLoader: string;
  /** A file that names glibc's loader. */
  readonly file: () => Uint8Array | undefined;
}

/** No x86 binding names the loader, but glibc's own libraries do. */
function libraryOfGlibc(): Uint8Array | undefined {
  const found = ['/lib/x86_64-linux-gnu/libm.so.6', '/lib64/libm.so.6', '/usr/lib/libm.so.6'].find(
    existsSync,
  );
  return found ? readFileSync(found) : undefined;
}

const machines: readonly Machine[] = [
  {
    arch: 'x64',
    debian: 'amd64',
    muslLoader: '/lib/ld-musl-x86_64.so.1',
    emulator: 'qemu-x86_64-static',
    glibcLoader: 'ld-linux-x86-64.so.2',
    file: libraryOfGlibc,
  },
  {
    arch: 'arm64',
    debian: 'arm64',
    muslLoader: '/lib/ld-musl-aarch64.so.1',
    emulator: 'qemu-aarch64-static',
    glibcLoader: 'ld-linux-aarch64.so.1',
    file: () => prebuilt('arm64'),
  },
  {
    arch: 'arm',
    debian: 'armhf',
    muslLoader: '/lib/ld-musl-armhf.so.1',
    emulator: 'qemu-arm-static',
    glibcLoader: 'ld-linux-armhf.so.3',
    file: () => prebuilt('arm'),
  },
];

const folder = mkdtempSync(join(tmpdir(), 'resteer-test-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

/** What the loader says when it is to list what the file needs. */
function list({ arch, muslLoader, emulator }: Machine, bytes: Uint8Array): string {
  const file = join(folder, 'file.so');
  writeFileSync(file, bytes);
  const command = [...(arch === process.arch ? [] : [emulator]), muslLoader, '--list', file];
  const { error, stdout, stderr } = spawnSync(command[0]!, command.slice(1), { encoding: 'utf8' });
  if (error) throw error;
  return stdout + stderr;
}

let tested = 0;
for (const machine of machines) {
  const { arch, debian, muslLoader, emulator, glibcLoader } = machine;
  const original = machine.file();
  const runs = existsSync(muslLoader) && (arch === process.arch || hasCommand(emulator));
  if (!runs || !original) {
    console.log(`not on ${arch}: needs ${muslLoader} (Debian package musl:${debian}) and a way to run it`);
    continue;
  }
  tested += 1;
  test(`musl on ${arch}: asks for glibc's loader before the edit, not after`, () => {
    const wants = `Error loading shared library ${glibcLoader}`;
    assert.ok(neededLibraries(original).includes(glibcLoader));
    assert.ok(list(machine, original).includes(wants));
    const edited: Uint8Array = neutraliseNeeded(original);
    const said = list(machine, edited);
    assert.not.ok(said.includes(wants));
    assert.match(said, /libc\.so\.6 => /, 'the rest of the list is still read');
  });
}

test('this machine: an edited binding still loads in this Node', () => {
  const file = join(folder, 'binding.node');
  writeFileSync(file, neutraliseNeeded(prebuilt(process.arch)));
  const loaded: { exports: { NativeNetlink?: unknown } } = { exports: {} };
  process.dlopen(loaded, file);
  assert.type(loaded.exports.NativeNetlink, 'function');
});

if (tested === 0) skipFile(import.meta.url, 'no musl loader that can run here (Debian package musl)');
test.run();
