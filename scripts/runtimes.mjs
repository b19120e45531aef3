import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { installPackages, root } from './packages.mjs';

const directory = join(root, 'test/runtimes');

/** What the library promises to run on, and what the tests run on in full. */
export const supported = [18, 20, 22, 24, 26];
export const tested = [20, 26];

/** The Node binary of a major version that test/runtimes installed, or undefined. */
export function runtimePath(major) {
  const path = join(directory, `node_modules/node${major}/bin/node`);
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}

/**
 * The Node binaries to test on, by major version, installed when missing. Where they cannot be had, the
 * running Node stands for its own version, and `reason` says what is not tested.
 */
export function installRuntimes() {
  const own = Number(process.versions.node.split('.')[0]);
  const here = new Map([[own, process.execPath]]);
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return { paths: here, reason: `the other Node versions come for linux x64 only, not ${process.arch}` };
  }
  const reason = installPackages(directory);
  const paths = new Map();
  for (const major of supported) {
    const path = runtimePath(major);
    if (path) paths.set(major, path);
  }
  return paths.size === supported.length ? { paths } : { paths: new Map([...here, ...paths]), reason };
}
