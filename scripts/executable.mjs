// The single file: a short loader to be read, and behind it the program, packed. The bundler cuts the program into
// parts; parts that are loaded together share an archive, which is one brotli stream.
import { basename } from 'node:path';
import * as esbuild from 'esbuild';
import { brotli } from './brotli.mjs';
import { bindingsModule, embeddedBindings, packBindings } from './embeddedBindings.mjs';
import { asFunctionBody } from './functionBody.mjs';
import { rarelyUsed, rarelyUsedParts } from './rarelyUsed.mjs';
import { shortenLocals } from './shortLocals.mjs';

/** The archives, in the order in which they take the parts that their entry points need: what two need is in the first. */
const archives = [
  { name: 'main', entries: /^main\.js$/ },
  { name: 'run', entries: /\/runCommand\.ts$/ },
  { name: 'mwan3', entries: /\/mwan3/ },
  { name: 'conntrack', entries: /\/conntrack\// },
  { name: 'ipset', entries: /\/ipset\// },
  { name: 'ip-address', entries: /:ip-address$/ },
  { name: 'others', entries: /^/ },
];

const head = (version, contents) => `#!/usr/bin/env node
/*
 * resteer ${version}: puts misplaced flows back on the right WAN. MIT licence.
 *
 * The program is in archives in the comment below, each a name on a line and, on the next, JavaScript compressed with
 * brotli and written in base64. Functions, classes and methods have the names of its sources, so that a stack trace
 * names them. A command unpacks the archives that it needs, and compiles of each the parts that it needs:
 * \`contents\` says where they begin and end. To read an archive:
 *   sed -n '/^run$/{n;p;q;}' resteer.cjs | base64 -d | brotli -d
 * \`bindings\` is the code of the npm package netlink for four architectures in one stream: it makes the socket where
 * Node itself cannot. The licences of the packages inside are at the end of this file.
 */
'use strict';
const { compileFunction } = require('node:vm');
const { brotliDecompressSync } = require('node:zlib');

const contents = {
${contents}};

const archives = {};
const loaded = {};

// V8 keeps the text of this file anyway, and a function's text is a part of it: a string would be a copy
function unpack(archive, size) {
  const text = String(packed);
  const start = text.indexOf(\`\\n\${archive}\\n\`) + archive.length + 2;
  const bytes = Buffer.from(text.slice(start, text.indexOf('\\n', start)), 'base64');
  return brotliDecompressSync(bytes, { chunkSize: size });
}

function load(name) {
  if (!Object.hasOwn(contents, name)) return require(name);
  if (!loaded[name]) {
    const [archive, size, start, end] = contents[name];
    archives[archive] ??= unpack(archive, size).toString('latin1');
    const code = archives[archive].slice(start, end);
    const filename = \`\${__filename}/\${name.slice(2)}\`;
    const run = compileFunction(code, ['require', '__filename', 'RESTEER_UNPACK'], { filename });
    loaded[name] = run(load, __filename, unpack);
  }
  return loaded[name];
}

`;

/** The bundler's output: every part by its name, entry points with their source, and what it says of the inputs. */
async function bundle({ root, version, target }, bindings) {
  const { outputFiles, metafile, warnings } = await esbuild.build({
    // not by `inject`: that would put the module, and all that it imports, before packages that are CommonJS,
    // and the bundler would make them lazy, with exports that have no value yet
    stdin: {
      contents: `import '${bindingsModule}';\nimport './src/cli/main.ts';\n`,
      resolveDir: root,
      sourcefile: 'main.js',
    },
    entryPoints: rarelyUsedParts,
    plugins: [embeddedBindings(root, bindings), rarelyUsed(root)],
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    outdir: 'parts',
    format: 'esm',
    platform: 'node',
    target,
    charset: 'ascii',
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    define: {
      'import.meta.url': '__filename',
      RESTEER_VERSION: JSON.stringify(version),
    },
  });
  if (warnings.length > 0) throw new Error('the bundler warned, see above');
  // a part's exports are taken when it has run: those of a lazy module have no value by then
  const lazy = outputFiles.find(({ text }) => /\b__esm\b/.test(text));
  if (lazy) throw new Error(`the bundler made a module of ${basename(lazy.path)} lazy`);
  const parts = outputFiles.map(async ({ path, text }) => {
    const name = basename(path);
    const { entryPoint = '' } = metafile.outputs[`parts/${name}`];
    const { body, required } = asFunctionBody(text);
    return [name, { body: await shortenLocals(body), required, entryPoint }];
  });
  return { parts: new Map(await Promise.all(parts)), metafile };
}

/** The names of the parts that an entry needs from its start on and that nobody has taken, the entry's last. */
function closure(name, parts, taken) {
  if (taken.has(name)) return [];
  taken.add(name);
  const needed = parts.get(name).required.flatMap((each) => closure(each, parts, taken));
  return [...needed, name];
}

/**
 * The executable's text without the licences, and what the bundler says of its inputs.
 * @param {{ root: string, version: string, target: string }} options
 */
export async function packExecutable(options) {
  const bindings = packBindings(options.root);
  const { parts, metafile } = await bundle(options, bindings);
  const taken = new Set();
  let contents = '';
  let packed = '';
  for (const { name: archive, entries } of archives) {
    const names = [...parts.keys()].filter((name) => entries.test(parts.get(name).entryPoint));
    const members = names.flatMap((name) => closure(name, parts, taken));
    const text = members.map((name) => parts.get(name).body).join('');
    let start = 0;
    for (const name of members) {
      const end = start + parts.get(name).body.length;
      contents += `  './${name}': ['${archive}', ${text.length}, ${start}, ${end}],\n`;
      start = end;
    }
    packed += `${archive}\n${brotli(Buffer.from(text, 'latin1')).toString('base64')}\n`;
  }
  packed += `bindings\n${bindings.packed}\n`;
  const text = `${head(options.version, contents)}function packed() {/*\n${packed}*/}\n\nload('./stdin.js');\n`;
  return { text, metafile };
}
