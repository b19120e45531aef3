import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
// @ts-expect-error build scripts are plain JavaScript
import { installRuntimes } from '../../scripts/runtimes.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const runtimes: Map<number, string> = installRuntimes().paths;
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
  exports: Record<string, unknown>;
};
const subpaths = ['nfnetlink', 'ctnetlink', 'ipset', 'testing'];

/** A project of a user, with the packed package and its dependencies in node_modules and nothing else. */
const project = mkdtempSync(join(tmpdir(), 'resteer-package-'));
const installed = join(project, 'node_modules/resteer');
test.after(() => rmSync(project, { recursive: true }));

function run(command: string, args: readonly string[], cwd = root): string {
  const done = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`${command} ${args.join(' ')}:\n${done.stdout}\n${done.stderr}`);
  return done.stdout;
}

const bin = (name: string) => join(root, 'node_modules/.bin', name);

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)],
  );
}

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}
const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', project])) as [Packed];
const tarball = join(project, packed.filename);
mkdirSync(installed, { recursive: true });
run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
for (const name of Object.keys(manifest.dependencies)) {
  cpSync(join(root, 'node_modules', name), join(project, 'node_modules', name), { recursive: true });
}
// The imports below run as a user who owns nothing.
chmodSync(project, 0o755);

test('the package holds what it should and no more', () => {
  const library = subpaths.flatMap((name) =>
    filesBelow(join(root, 'src', name)).flatMap((path) => {
      const stem = `dist/${relative(join(root, 'src'), path).replace(/\.ts$/, '')}`;
      return ['.js', '.cjs', '.d.ts', '.d.cts'].map((extension) => stem + extension);
    }),
  );
  const expected = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json', 'dist/resteer.cjs', ...library];
  assert.equal(packed.files.map(({ path }) => path).sort(), expected.sort());
});

test('every subsystem is exported', () => {
  assert.equal(
    Object.keys(manifest.exports).sort(),
    [...subpaths, 'package.json'].map((name) => `./${name}`).sort(),
  );
});

test('the lock files name no registry', () => {
  for (const folder of [root, join(root, 'test/runtimes')]) {
    assert.not.match(readFileSync(join(folder, 'package-lock.json'), 'utf8'), '"resolved"');
  }
});

test('publint finds nothing', () => {
  assert.match(run(bin('publint'), ['run', tarball, '--strict']), 'All good!');
});

test('are-the-types-wrong finds nothing', () => {
  assert.match(run(bin('attw'), [tarball, '--no-emoji']), 'No problems found');
});

/** Imports every subpath as nobody, with everything native out of order. */
const guard = `
  const assert = require('node:assert');
  const refuse = (name) => { process[name] = () => { throw new Error(name + ' was called'); }; };
  refuse('dlopen');
  refuse('binding');
  if (process.getuid() === 0) process.setuid(65534);
  const { readdirSync } = require('node:fs');
  const open = () => [
    readdirSync('/proc/self/fd').length,
    ...process.getActiveResourcesInfo().filter((name) => !name.startsWith('FSReq')),
  ];
  const before = open();
  const check = async (nfnetlink, ctnetlink, ipset, testing) => {
    for (const face of [nfnetlink, ctnetlink, ipset, testing]) assert(Object.keys(face).length > 0);
    assert(ipset.IpsetError.prototype instanceof nfnetlink.KernelError);
    // Node gives the modules' own files back a few turns later.
    const same = () => require('node:util').isDeepStrictEqual(open(), before);
    for (let turns = 0; turns < 1000 && !same(); turns += 1) await new Promise(setImmediate);
    assert.deepStrictEqual(open(), before);
    console.log('imported');
  };`;
const names = subpaths.map((name) => `'resteer/${name}'`);

for (const [major, node] of runtimes) {
  test(`Node ${major} imports the library without root or native code`, () => {
    const imports = `${guard} Promise.all([${names.map((name) => `import(${name})`)}]).then((all) => check(...all));`;
    assert.is(run(node, ['--unhandled-rejections=strict', '-e', imports], project), 'imported\n');
  });

  test(`Node ${major} requires the library without root or native code`, () => {
    const requires = `${guard} check(${names.map((name) => `require(${name})`)});`;
    assert.is(run(node, ['-e', requires], project), 'imported\n');
  });
}

test('declarations stand by themselves in a strict project', () => {
  const text = subpaths
    .map((name) => `import * as ${name} from 'resteer/${name}';\nvoid ${name};\n`)
    .join('');
  writeFileSync(join(project, 'module.mts'), text);
  writeFileSync(join(project, 'script.cts'), text);
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2023'],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  };
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['module.mts', 'script.cts'] }),
  );
  run(bin('tsc'), ['-p', project]);
});

test('declarations do not show what the library is made with', () => {
  for (const path of filesBelow(join(installed, 'dist')).filter((name) => /\.d\.c?ts$/.test(name))) {
    assert.not.match(readFileSync(path, 'utf8'), /['"](?:buffer-layout|netlink|ip-address)['"]/, path);
  }
});

test('a bundler takes the codecs without the transports', async () => {
  const { outputFiles, metafile } = await build({
    stdin: {
      contents: "import { attrs } from 'resteer/nfnetlink'; console.log(attrs);",
      resolveDir: project,
    },
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
  });
  const [output] = Object.values(metafile.outputs);
  const taken = Object.entries(output!.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  const strange = taken
    .map(([path]) => path)
    .filter((path) => /transport\/|node_modules\/(?!resteer\/)/.test(path));
  assert.equal(strange, []);
  assert.equal(output!.imports, []);
  assert.ok(outputFiles[0]!.contents.length < 10_000, `${outputFiles[0]!.contents.length} bytes`);
});

test.run();
