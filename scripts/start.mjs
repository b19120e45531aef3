// npm start: builds the executable and lets it look at this machine.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { requirePackages, root } from './packages.mjs';

requirePackages();
const steps = [['build.mjs'], ['dist/resteer.cjs', 'doctor', ...process.argv.slice(2)]];
for (const [script, ...args] of steps) {
  const { status } = spawnSync(process.execPath, [join(root, script), ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
