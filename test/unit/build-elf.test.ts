import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
// @ts-expect-error build scripts are plain JavaScript
import { ignoredTag, neededLibraries, neutraliseNeeded } from '../../scripts/elf.mjs';

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
  assert.equal(bytes, binding('arm64'));
});

test('what is not ELF is refused', () => {
  assert.throws(() => neededLibraries(new Uint8Array(100)), /not a little-endian ELF/);
  assert.throws(() => neededLibraries(new Uint8Array(3)), /not a little-endian ELF/);
});

test.run();
