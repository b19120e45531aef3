// What the program imports and seldom uses is loaded when something of it is used for the first time.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** Modules of Node that take a millisecond and half a megabyte and more. */
const builtins = ['node:child_process', 'node:module', 'node:perf_hooks', 'node:worker_threads'];
/** Packages, each of which becomes a part of its own. */
const packages = ['ip-address'];

const getters = 'rarely-used';
const exported = 'rarely-used-part';

const namesOf = (module) => Object.keys(require(module)).filter((name) => !name.startsWith('__'));

/** Entry points for the bundler: the parts that hold the packages. */
export const rarelyUsedParts = packages.map((name) => ({ in: `${exported}:${name}`, out: name }));

/** The esbuild plugin. */
export const rarelyUsed = (root) => ({
  name: getters,
  setup(esbuild) {
    const anyOf = (names) => new RegExp(`^(?:${names.join('|')})$`);
    esbuild.onResolve({ filter: anyOf([...builtins, ...packages]) }, ({ path, namespace }) =>
      namespace === 'file' ? { path, namespace: getters } : undefined,
    );
    esbuild.onLoad({ filter: /.*/, namespace: getters }, ({ path }) => {
      const module = packages.includes(path) ? `./${path}.js` : path;
      const rows = namesOf(path).map((name) => `get ${name}(){return require("${module}").${name}}`);
      return { contents: `module.exports={${rows}};` };
    });
    esbuild.onResolve({ filter: /^\.\//, namespace: getters }, ({ path }) => ({ path, external: true }));
    esbuild.onResolve({ filter: new RegExp(`^${exported}:`) }, ({ path }) => ({
      path: path.slice(exported.length + 1),
      namespace: exported,
    }));
    esbuild.onLoad({ filter: /.*/, namespace: exported }, ({ path }) => ({
      contents: `export {${namesOf(path)}} from '${path}';`,
      resolveDir: root,
    }));
  },
});
