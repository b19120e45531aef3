// npm start: builds the executable and lets it show, in a laboratory, what it does.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { requirePackages, root } from './packages.mjs';
import { demoTools, installTools } from './tools.mjs';

requirePackages();
// where they cannot be installed, the demo itself says what is missing
installTools(demoTools);
const steps = [['build.mjs'], ['dist/resteer.cjs', 'demo', ...process.argv.slice(2)]];
for (const [script, ...args] of steps) {
  const { status } = spawnSync(process.execPath, [join(root, script), ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
