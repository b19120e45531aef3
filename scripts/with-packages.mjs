// node scripts/with-packages.mjs COMMAND [ARGUMENT...]: runs a command of the repository's packages,
// installing them first on a fresh clone.
import { spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { requirePackages, root } from './packages.mjs';

requirePackages();
const [command, ...args] = process.argv.slice(2);
const { status, error } = spawnSync(command, args, {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, PATH: join(root, 'node_modules/.bin') + delimiter + process.env.PATH },
});
if (error) console.error(`${command}: ${error.message}`);
process.exit(status ?? 1);
