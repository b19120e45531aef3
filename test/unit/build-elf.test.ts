import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
// @ts-expect-error build scripts are plain JavaScript
import { ignoredTag, neededLibraries, neutraliseNeeded, stripSections } from '../../scripts/elf.mjs';

const prebuilds = join(dirname(createRequire(import.meta.url).resolve('netlink/package.json')), 'prebuilds');
const glibcLoaders: Record<string, string | undefined> = {
  arm: 'ld-linux-armhf.so.3',
  arm64: 'ld-linux-aarch64.so.1',
  ia32: undefined,
  x64: undefined,
};
const binding = (arch: string) => readFileSync(join(prebuilds, `linux-${arch}`, 'node.napi.node'));

for (const [arch, loader] of Object.entries(glibcLoaders)) {
  test(`${arch}: glibc's loader is no longer needed, all else is as before`, () => {
    const before = binding(arch);
    const names: string[] = neededLibraries(before);
    assert.ok(names.includes('libc.so.6'));
    assert.is(
      names.find((name) => name.startsWith('ld-linux')),
      loader,
    );
    const after: Uint8Array = neutraliseNeeded(before);
    assert.equal(
      neededLibraries(after),
      names.filter((name) => name !== loader),
    );
    const changed = [...before.keys()].filter((at) => before[at] !== after[at]);
    assert.is(after.length, before.length);
    if (!loader) {
      assert.equal(changed, []);
      return;
    }
    const entry = changed[0]! & ~3;
    assert.is(Buffer.from(after).readUInt32LE(entry), ignoredTag);
    assert.is(before.readUInt32LE(entry), 1, 'the tag was DT_NEEDED');
    assert.ok(changed.every((at) => at >= entry && at < entry + 4));
  });
}

interface Segment {
  readonly type: number;
  readonly end: number;
}

/** The segments of a file, read here by another way than the build does. */
function segmentsOf(file: Buffer): Segment[] {
  const is64 = file[4] === 2;
  const number = (at: number) => (is64 ? Number(file.readBigUInt64LE(at)) : file.readUInt32LE(at));
  const table = number(is64 ? 32 : 28);
  const size = file.readUInt16LE(is64 ? 54 : 42);
  return Array.from({ length: file.readUInt16LE(is64 ? 56 : 44) }, (_, i) => {
    const at = table + i * size;
    const end = number(at + (is64 ? 8 : 4)) + number(at + (is64 ? 32 : 16));
    return { type: file.readUInt32LE(at), end };
  });
}

for (const arch of Object.keys(glibcLoaders)) {
  test(`${arch}: without sections, every segment is there as it was`, () => {
    const before = binding(arch);
    const after = Buffer.from(stripSections(before));
    const [headers, shoff, counts] = before[4] === 2 ? [64, 40, 58] : [52, 32, 46];
    assert.ok(before.readUInt32LE(shoff) > 0);
    assert.is(after.readUInt32LE(shoff), 0);
    assert.equal(after.subarray(counts, counts + 6), Buffer.alloc(6));
    const segments = segmentsOf(after);
    assert.is(segments.length, segmentsOf(before).length);
    assert.is(Math.max(...segments.map(({ end }) => end)), after.length);
    assert.ok(after.length < before.length);
    // the first segment holds the file's own header, which tells of sections no more
    const changed = [...after.keys()].filter((at) => before[at] !== after[at]);
    assert.ok(changed.every((at) => at < headers));
    assert.equal(neededLibraries(after), neededLibraries(before));
    assert.equal(stripSections(after), Uint8Array.from(after));
  });
}

test('this machine loads its binding without sections', () => {
  const folder = mkdtempSync(join(tmpdir(), 'resteer-test-'));
  try {
    const file = join(folder, 'binding.node');
    writeFileSync(file, stripSections(neutraliseNeeded(binding(process.arch))));
    const loaded = { exports: {} as { NativeNetlink?: unknown } };
    process.dlopen(loaded, file);
    assert.type(loaded.exports.NativeNetlink, 'function');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a segment behind all that is loaded is not cut off unseen', () => {
  const bytes = Buffer.from(stripSections(binding('x64')));
  const note = 4;
  const at = 64 + 56 * segmentsOf(bytes).findIndex(({ type }) => type === note);
  bytes.writeBigUInt64LE(BigInt(bytes.length), at + 8);
  assert.throws(() => stripSections(bytes), /a segment of type 4 lies behind/);
});

test('one entry by its name; a name that is not there changes nothing', () => {
  const before = binding('x64');
  const after = neutraliseNeeded(before, 'libstdc++.so.6');
  assert.not.ok(neededLibraries(after).includes('libstdc++.so.6'));
  assert.is(neededLibraries(after).length, neededLibraries(before).length - 1);
  assert.equal(neutraliseNeeded(before, 'libnothing.so.1'), Uint8Array.from(before));
});

test('the input is not written to', () => {
  const bytes = binding('arm64');
  neutraliseNeeded(bytes);
  stripSections(bytes);
  assert.equal(bytes, binding('arm64'));
});

test('what is not ELF is refused', () => {
  assert.throws(() => neededLibraries(new Uint8Array(100)), /not a little-endian ELF/);
  assert.throws(() => neededLibraries(new Uint8Array(3)), /not a little-endian ELF/);
});

test.run();
