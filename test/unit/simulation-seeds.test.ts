// run: node=26 timeout=600
/** Ten thousand simulated worlds, on all processors. */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const SEEDS = 10_000;
const program = fileURLToPath(new URL('../simulation/run.ts', import.meta.url));

function runSeeds(from: number, count: number): Promise<string[]> {
  const args = ['--import', 'tsx', program, '--from', `${from}`, '--count', `${count}`];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve(output.trim().split('\n')));
  });
}

test('the promises hold in ten thousand worlds', async () => {
  const workers = availableParallelism();
  const share = Math.ceil(SEEDS / workers);
  const from = Array.from({ length: workers }, (_, index) => index * share);
  const outputs = await Promise.all(from.map((first) => runSeeds(first, Math.min(share, SEEDS - first))));
  // the lines before the last tell a seed each that failed, and how to replay it
  assert.equal(
    outputs.flatMap((lines) => lines.slice(0, -1)),
    [],
  );
  const totals = outputs.map((lines) => JSON.parse(lines.at(-1)!));
  const sum = (what: 'count' | 'opened') => totals.reduce((all, each) => all + each[what], 0);
  assert.is(sum('count'), SEEDS);
  assert.ok(sum('opened') > 0, 'the circuit breaker never opened');
});

test.run();
