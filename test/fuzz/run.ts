// npm run fuzz [-- --seed N] [--count N] [--target NAME]: spoiled datagrams through every decoder, and spoiled
// capture files. Without a seed each run takes another, and prints it.
import { parseArgs } from 'node:util';
import { captures } from './captures.ts';
import { failureText, fuzz, messages } from './fuzz.ts';

const targets = [messages(), captures()];
const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    count: { type: 'string', default: '2000000' },
    target: { type: 'string' },
  },
});
const seed = Number(values.seed ?? Date.now() % 0x7fffffff);
const count = Number(values.count);
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target);
if (chosen.length === 0 || ![seed, count].every(Number.isSafeInteger)) {
  const names = targets.map(({ name }) => name).join('|');
  console.error(`usage: npm run fuzz -- [--seed N] [--count N] [--target ${names}]`);
  process.exit(2);
}
console.log(`seeds ${seed} to ${seed + count - 1}`);
for (const target of chosen) {
  const report = await fuzz(target, seed, count);
  for (const failure of report.failures) console.error(failureText(failure));
  const { inputs, values: found, failures } = report;
  console.log(`${target.name}: ${inputs} inputs, ${found} values, ${failures.length} failures`);
  if (failures.length > 0) process.exitCode = 1;
}
