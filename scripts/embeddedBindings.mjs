import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { neutraliseNeeded } from './elf.mjs';

const architectures = ['x64', 'arm64', 'arm', 'ia32'];

function compressed(root, architecture) {
  const path = join(root, `node_modules/netlink/prebuilds/linux-${architecture}/node.napi.node`);
  const binding = neutraliseNeeded(readFileSync(path));
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
    [constants.BROTLI_PARAM_SIZE_HINT]: binding.length,
  };
  return brotliCompressSync(binding, { params }).toString('base64');
}

/**
 * An esbuild plugin: the module `resteer:bindings` hands the prebuilt bindings of npm netlink, compressed, to
 * the transport that may load one. Only the executable imports it; the library finds them in node_modules.
 */
export const embeddedBindings = (root) => ({
  name: 'embedded-bindings',
  setup(esbuild) {
    const name = 'resteer:bindings';
    esbuild.onResolve({ filter: new RegExp(`^${name}$`) }, () => ({
      path: name,
      namespace: name,
      sideEffects: true,
    }));
    esbuild.onLoad({ filter: /.*/, namespace: name }, () => {
      const bindings = Object.fromEntries(architectures.map((each) => [each, compressed(root, each)]));
      return {
        resolveDir: root,
        contents: `import { embedBindings } from './src/nfnetlink/transport/embeddedBinding.ts';
embedBindings(${JSON.stringify(bindings)});`,
      };
    });
  },
});
