import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotli } from './brotli.mjs';
import { neutraliseNeeded, stripSections } from './elf.mjs';

const architectures = ['x64', 'arm64', 'arm', 'ia32'];

function readBinding(root, architecture) {
  const path = join(root, `node_modules/netlink/prebuilds/linux-${architecture}/node.napi.node`);
  return stripSections(neutraliseNeeded(readFileSync(path)));
}

/** All bindings in one brotli stream, since they are much alike; with the place of each in it. */
export function packBindings(root) {
  const index = {};
  let end = 0;
  const bindings = architectures.map((architecture) => {
    const binding = readBinding(root, architecture);
    index[architecture] = [end, end + binding.length];
    end += binding.length;
    return binding;
  });
  return { index, size: end, packed: brotli(Buffer.concat(bindings)).toString('base64') };
}

export const bindingsModule = 'resteer:bindings';

/**
 * An esbuild plugin: the module `resteer:bindings` hands the prebuilt bindings of npm netlink to the transport
 * that may load one. Only the executable imports it, whose loader unpacks them by RESTEER_UNPACK; the library
 * finds them in node_modules.
 */
export const embeddedBindings = (root, { index, size }) => ({
  name: 'embedded-bindings',
  setup(esbuild) {
    esbuild.onResolve({ filter: new RegExp(`^${bindingsModule}$`) }, () => ({
      path: bindingsModule,
      namespace: bindingsModule,
      sideEffects: true,
    }));
    esbuild.onLoad({ filter: /.*/, namespace: bindingsModule }, () => ({
      resolveDir: root,
      contents: `import { embedBindings } from './src/nfnetlink/transport/embeddedBinding.ts';
embedBindings({ index: ${JSON.stringify(index)}, unpack: () => RESTEER_UNPACK('bindings', ${size}) });`,
    }));
  },
});
