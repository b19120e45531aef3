// The single file: a short loader to be read, and behind it the program in parts, each compressed by itself. A
// start unpacks and compiles the parts of its command alone.
import { basename } from 'node:path';
import * as esbuild from 'esbuild';
import { brotli } from './brotli.mjs';
import { bindingsModule, embeddedBindings, packBindings } from './embeddedBindings.mjs';

// short lines give a stack trace line numbers that say something; names stay as they are in the sources
const small = { minifyWhitespace: true, minifySyntax: true, lineLimit: 200, legalComments: 'none' };

const head = (version) => `#!/usr/bin/env node
/*
 * resteer ${version}: puts misplaced flows back on the right WAN. MIT licence.
 *
 * The program is below in parts, each one JavaScript with the names that its sources have, compressed with
 * brotli and written in base64: a command unpacks the parts that it needs. To read one, take the text between
 * its quotes: base64 -d | brotli -d. \`bindings\` is the code of the npm package netlink for four architectures
 * in one brotli stream: it makes the socket where Node itself cannot. The licences of the packages inside are
 * at the end of this file.
 */
'use strict';
const { compileFunction } = require('node:vm');
const { brotliDecompressSync } = require('node:zlib');

const loaded = {};

function load(name) {
  if (!Object.hasOwn(parts, name)) return require(name);
  if (!loaded[name]) {
    const module = { exports: {} };
    const code = brotliDecompressSync(Buffer.from(parts[name], 'base64')).toString('latin1');
    const names = ['exports', 'require', 'module', '__filename', 'RESTEER_BINDINGS'];
    const run = compileFunction(code, names, { filename: \`\${__filename}/\${name.slice(2)}\` });
    run(module.exports, load, module, __filename, bindings);
    // the bundler exports by getters, and a call between parts would go through one each time
    loaded[name] = { ...module.exports };
  }
  return loaded[name];
}

`;

/** One module of the bundler's output as the body of a CommonJS function, in ASCII. */
async function asFunctionBody(text, target) {
  const { code, warnings } = await esbuild.transform(text, {
    ...small,
    format: 'cjs',
    platform: 'node',
    target,
    charset: 'ascii',
    // the parts are not files that Node's own import() could find
    supported: { 'dynamic-import': false },
  });
  if (warnings.length > 0) throw new Error(warnings[0].text);
  return code;
}

/**
 * The executable's text without the licences, and what the bundler says of its inputs.
 * @param {{ root: string, version: string, target: string }} options
 */
export async function packExecutable({ root, version, target }) {
  const { index, packed: bindings } = packBindings(root);
  const { outputFiles, metafile, warnings } = await esbuild.build({
    ...small,
    // not by `inject`: that would put the module, and all that it imports, before packages that are CommonJS,
    // and the bundler would make them lazy, with exports that have no value yet
    stdin: {
      contents: `import '${bindingsModule}';\nimport './src/cli/main.ts';\n`,
      resolveDir: root,
      sourcefile: 'main.js',
    },
    plugins: [embeddedBindings(root, index)],
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    outdir: 'parts',
    format: 'esm',
    platform: 'node',
    target,
    define: {
      'import.meta.url': '__filename',
      RESTEER_VERSION: JSON.stringify(version),
    },
  });
  if (warnings.length > 0) throw new Error('the bundler warned, see above');
  // the loader takes the exports when a part has run: those of a lazy module have no value by then
  const lazy = outputFiles.find(({ text }) => /\b__esm\b/.test(text));
  if (lazy) throw new Error(`the bundler made a module of ${basename(lazy.path)} lazy`);
  const lines = await Promise.all(
    outputFiles.map(async ({ path, text }) => {
      const packed = brotli(Buffer.from(await asFunctionBody(text, target), 'latin1'));
      return `  './${basename(path)}':\n    '${packed.toString('base64')}',\n`;
    }),
  );
  const tables = `const parts = {\n${lines.join('')}};\n\nconst bindings =\n  '${bindings}';\n`;
  return { text: `${head(version)}${tables}\nload('./stdin.js');\n`, metafile };
}
