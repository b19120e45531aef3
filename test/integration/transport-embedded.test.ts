import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { embedBindings, hasEmbedded, loadEmbedded } from '../../src/nfnetlink/transport/embeddedBinding.ts';
import { openTransport } from '../../src/nfnetlink/transport/select.ts';
import { insideNamespace, sh } from '../support/namespace.ts';

const home = dirname(createRequire(import.meta.url).resolve('netlink/package.json'));
const binding = readFileSync(join(home, 'prebuilds', `linux-${process.arch}`, 'node.napi.node'));

await insideNamespace(import.meta.url, () => {
  const own = mkdtempSync(join(tmpdir(), 'resteer-test-'));
  const noexec = join(own, 'noexec');
  const usable = join(own, 'usable');

  test.before(() => {
    const others = Buffer.from('another binding');
    embedBindings({
      index: { other: [0, others.length], [process.arch]: [others.length, others.length + binding.length] },
      unpack: () => Buffer.concat([others, binding, others]),
    });
    for (const folder of [noexec, usable]) mkdirSync(folder);
    sh('mount', '-t', 'tmpfs', '-o', 'noexec', 'tmpfs', noexec);
  });
  test.after(() => {
    sh('umount', noexec);
    rmSync(own, { recursive: true });
  });

  test('a folder that is missing or mounted noexec is passed over; nothing is left in any', () => {
    assert.ok(hasEmbedded());
    const loaded = loadEmbedded([join(own, 'missing'), noexec, usable]) as { NativeNetlink: unknown };
    assert.type(loaded.NativeNetlink, 'function');
    assert.equal(readdirSync(noexec), []);
    assert.equal(readdirSync(usable), []);
  });

  test('no usable folder: the error names each with its reason', () => {
    assert.throws(
      () => loadEmbedded([join(own, 'missing'), noexec]),
      (error: { kind: string; code: string; message: string }) => {
        assert.is(error.kind, 'transport');
        assert.is(error.code, 'ENOEXEC');
        assert.match(error.message, 'TMPDIR');
        assert.match(error.message, `${noexec}: `);
        assert.match(error.message, /missing: ENOENT/);
        return true;
      },
    );
    assert.equal(readdirSync(noexec), []);
  });

  test('the handle transport runs on the embedded binding', async () => {
    process.env.RESTEER_TRANSPORT = 'handle';
    const loaded: string[] = [];
    const { dlopen } = process;
    process.dlopen = (...args: Parameters<typeof dlopen>) => {
      loaded.push(args[1]);
      dlopen.apply(process, args);
    };
    const transport = await openTransport({ groups: [1] });
    process.dlopen = dlopen;
    assert.is(transport.kind, 'handle');
    assert.is(loaded.length, 1);
    assert.not.match(loaded[0]!, 'node_modules');
    assert.not.ok(readdirSync(dirname(dirname(loaded[0]!))).includes(loaded[0]!.split('/').at(-2)!));
    await transport.close();
  });

  test.run();
});
