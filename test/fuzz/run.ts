// npm run fuzz [-- --seed N] [--count N]: spoiled datagrams through every decoder.
// Without a seed each run takes another, and prints it.
import { parseArgs } from 'node:util';
import { failureText, fuzz } from './fuzz.ts';

const { values } = parseArgs({
  options: { seed: { type: 'string' }, count: { type: 'string', default: '2000000' } },
});
const seed = Number(values.seed ?? Date.now() % 0x7fffffff);
const count = Number(values.count);
if (![seed, count].every(Number.isSafeInteger)) {
  console.error('usage: npm run fuzz -- [--seed N] [--count N]');
  process.exit(2);
}
console.log(`seeds ${seed} to ${seed + count - 1}`);
const report = await fuzz(seed, count);
for (const failure of report.failures) console.error(failureText(failure));
console.log(`${report.inputs} inputs, ${report.values} values, ${report.failures.length} failures`);
if (report.failures.length > 0) process.exitCode = 1;
