// node build.mjs: makes dist/ anew.
//   dist/resteer.cjs                    the executable, one file with everything in it
//   dist/{nfnetlink,ctnetlink,...}/     the library, file by file, so that every subpath shares one copy of
//                                       each class and a bundler drops what is not used
import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { packExecutable } from './scripts/executable.mjs';

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, 'dist');
const subsystems = ['nfnetlink', 'ctnetlink', 'ipset', 'testing'];
const target = 'node18.20';
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

function filesBelow(folder, suffix) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path, suffix);
    return entry.name.endsWith(suffix) ? [path] : [];
  });
}

/** A warning of the bundler ends the build: it says that something was left out. */
async function build(options) {
  const result = await esbuild.build(options);
  if (result.warnings.length > 0) process.exit(1);
  return result;
}

/** Leaves every import where it is; a relative one names the file that it becomes. */
const importsStay = (extension) => ({
  name: 'imports-stay',
  setup(plugin) {
    plugin.onResolve({ filter: /.*/ }, ({ path, kind }) =>
      kind === 'entry-point'
        ? undefined
        : { path: path.replace(/^(\.\.?\/.*)\.ts$/, `$1${extension}`), external: true },
    );
  },
});

// CommonJS has no import.meta.
const importMetaUrl = {
  define: { 'import.meta.url': '__importMetaUrl' },
  banner: { js: "const __importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
};

async function buildLibrary() {
  const entryPoints = subsystems.flatMap((name) => filesBelow(join(root, 'src', name), '.ts'));
  const usesImportMeta = (path) => readFileSync(path, 'utf8').includes('import.meta.url');
  const shared = {
    bundle: true,
    outbase: join(root, 'src'),
    outdir: dist,
    platform: 'node',
    target,
    charset: 'utf8',
  };
  await build({ ...shared, entryPoints, format: 'esm', plugins: [importsStay('.js')] });
  const commonJs = {
    ...shared,
    format: 'cjs',
    plugins: [importsStay('.cjs')],
    outExtension: { '.js': '.cjs' },
  };
  await build({ ...commonJs, entryPoints: entryPoints.filter((path) => !usesImportMeta(path)) });
  await build({ ...commonJs, ...importMetaUrl, entryPoints: entryPoints.filter(usesImportMeta) });
}

/** tsc leaves `./x.ts` in declarations; each copy names the declarations of its own kind. */
function buildDeclarations() {
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
  });
  for (const path of filesBelow(dist, '.d.ts')) {
    const text = readFileSync(path, 'utf8');
    const naming = (extension) =>
      text.replace(/((?:from |import\()['"]\.\.?\/[^'"]*)\.ts(['"])/g, `$1${extension}$2`);
    writeFileSync(path, naming('.js'));
    writeFileSync(path.replace(/\.ts$/, '.cts'), naming('.cjs'));
  }
}

/** The licences of what is inside a bundle: each asks that its notice goes with every copy. */
function notices(metafile) {
  const paths = ['node_modules/netlink/', ...Object.keys(metafile.inputs)];
  const names = paths.map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  const texts = [...new Set(names.filter(Boolean))].sort().map((name) => {
    const folder = join(root, 'node_modules', name);
    const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
    if (!file) throw new Error(`${name} has no licence file to hand on`);
    return `${name}\n\n${readFileSync(join(folder, file), 'utf8').trim().replaceAll('*/', '* /')}\n`;
  });
  return `/*\nThis file contains the packages that follow, under their licences.\n\n${texts.join('\n')}*/\n`;
}

async function buildExecutable() {
  const outfile = join(dist, 'resteer.cjs');
  const { text, metafile } = await packExecutable({ root, version, target });
  writeFileSync(outfile, text + notices(metafile));
  chmodSync(outfile, 0o755);
  console.log(`${relative(root, outfile)} ${statSync(outfile).size} bytes`);
}

rmSync(dist, { recursive: true, force: true });
await buildLibrary();
buildDeclarations();
await buildExecutable();
