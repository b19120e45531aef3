/**
 * Runs seeds of the simulation: node --import tsx test/simulation/run.ts [--from N] [--count N] [--seed N [--trace]].
 * One line of JSON a failing seed, and one for all at the end; exits 1 where a seed failed.
 */
import { parseArgs } from 'node:util';
import { simulate } from './simulation.ts';

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: '0' },
    count: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});
const from = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.count) : 1;
const trace = values.trace ? { trace: (line: string) => console.log(line) } : {};
let failed = 0;
let steps = 0;
let deletions = 0;
let opened = 0;
const started = performance.now();
for (let seed = from; seed < from + count; seed++) {
  const result = await simulate(seed, trace);
  steps += result.steps;
  deletions += result.deletions;
  if (result.openings > 0) opened++;
  if (result.violations.length === 0) continue;
  failed++;
  const { violations } = result;
  console.log(
    JSON.stringify({ seed, violations, replay: `npm run simulate-seeds -- --seed ${seed} --trace` }),
  );
}
const seconds = ((performance.now() - started) / 1000).toFixed(1);
console.log(JSON.stringify({ from, count, failed, steps, deletions, opened, seconds }));
process.exitCode = failed > 0 ? 1 : 0;
