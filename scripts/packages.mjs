import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root; scripts work from any current directory. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

function lockedPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * What the lock file of a directory names and its node_modules lacks or has in another version. npm keeps
 * its own list of what it installed; optional packages are those of other platforms.
 */
function missingPackages(directory) {
  const wanted = lockedPackages(join(directory, 'package-lock.json'));
  const installed = lockedPackages(join(directory, 'node_modules/.package-lock.json'));
  if (!installed) return ['node_modules'];
  return Object.entries(wanted)
    .filter(([path, entry]) => path !== '' && !entry.optional && installed[path]?.version !== entry.version)
    .map(([path]) => path);
}

/**
 * Installs a directory's packages by its lock file, unless they are there.
 * @returns undefined, or why it could not.
 */
export function installPackages(directory = root) {
  const missing = missingPackages(directory);
  if (missing.length === 0) return undefined;
  console.log(`installing packages in ${directory} (${missing.length} missing, first ${missing[0]})`);
  const npm = spawnSync('npm', ['ci', '--prefer-offline', '--no-progress'], {
    cwd: directory,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (npm.error) return `npm ci in ${directory}: ${npm.error.message}`;
  return npm.status === 0 ? undefined : `npm ci in ${directory} failed: is the package registry reachable?`;
}

/** As installPackages, and ends the process where it could not. */
export function requirePackages(directory = root) {
  const failure = installPackages(directory);
  if (failure === undefined) return;
  console.error(failure);
  process.exit(1);
}
