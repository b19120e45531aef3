// npm test [-- --unit | --integration] [--node MAJOR] [NAME...]: everything, or the parts that are named.
// Each test file is a process; the last line counts tests: "N passed, N failed, N skipped".
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { requirePackages, root } from './packages.mjs';
import { installRuntimes, tested } from './runtimes.mjs';
import { killRunning, runsOn, runTestFile } from './testFile.mjs';
import { installTools } from './tools.mjs';

const isCi = Boolean(process.env.CI);
const counts = { passed: 0, failed: 0, skipped: 0 };

function readOptions() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        unit: { type: 'boolean', default: false },
        integration: { type: 'boolean', default: false },
        node: { type: 'string' },
      },
    });
  } catch (error) {
    console.error(`${error.message}\nusage: npm test -- [--unit] [--integration] [--node MAJOR] [NAME...]`);
    process.exit(2);
  }
}

const { values, positionals: filters } = readOptions();
const everything = !values.unit && !values.integration && !values.node && filters.length === 0;

/** A part that cannot run here: one skip on a laptop, a failure in CI. */
function skip(what, reason) {
  counts[isCi ? 'failed' : 'skipped'] += 1;
  console.log(`${isCi ? 'FAIL' : 'SKIP'} ${what}: ${reason}`);
}

/** Runs a tool that judges the whole tree; it counts as one test. */
function check(name, command, ...args) {
  const started = performance.now();
  const env = { ...process.env, FORCE_COLOR: undefined, NO_COLOR: '1' };
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, env, encoding: 'utf8' });
  const ok = status === 0;
  counts[ok ? 'passed' : 'failed'] += 1;
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name} ${((performance.now() - started) / 1000).toFixed(1)} s`);
  if (!ok) console.log(`${error?.message ?? ''}${stdout ?? ''}${stderr ?? ''}`);
  return ok;
}

function testFiles(folder) {
  const directory = join(root, 'test', folder);
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => name.endsWith('.test.ts'))
    .filter((name) => filters.length === 0 || filters.some((part) => `test/${folder}/${name}`.includes(part)))
    .sort()
    .map((name) => join(directory, name));
}

function report(result, skipsAreFailures) {
  const { name, passed, failed, skipped, skips, seconds, output } = result;
  const refused = skipsAreFailures ? skipped : 0;
  counts.passed += passed;
  counts.failed += failed + refused;
  counts.skipped += skipped - refused;
  const bad = failed + refused > 0;
  const numbers = `${passed} passed${failed ? `, ${failed} failed` : ''}${skipped ? `, ${skipped} skipped` : ''}`;
  console.log(`${bad ? 'FAIL' : 'ok  '} ${name}: ${numbers}, ${seconds.toFixed(1)} s`);
  if (bad) console.log(output);
  else for (const line of skips) console.log(`     ${line}`);
}

/** Runs the files on each runtime, so many at a time. */
async function runFiles(files, runtimes, { atOnce, skipsAreFailures = false }) {
  const jobs = runtimes.flatMap(([major, node]) =>
    files.filter((file) => runsOn(file, major)).map((file) => ({ file, node, major })),
  );
  const worker = async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) report(await runTestFile(job), skipsAreFailures);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

function testedRuntimes(all) {
  const wanted = values.node ? [Number(values.node)] : tested;
  const runtimes = [...all].filter(([major]) => wanted.includes(major));
  if (runtimes.length > 0) return runtimes;
  if (!values.node) return [...all].slice(0, 1);
  console.error(`no Node ${values.node} here; there are ${[...all.keys()].join(', ')}`);
  process.exit(2);
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    killRunning();
    process.exit(1);
  });
}

requirePackages();
const { paths, reason } = installRuntimes();
if (reason) skip('the other Node versions', reason);
const runtimes = testedRuntimes(paths);
const bin = join(root, 'node_modules/.bin');

if (everything) {
  check('types', join(bin, 'tsc'), '-p', '.');
  check('lint', join(bin, 'biome'), 'ci', '--error-on-warnings', '--colors=off', '.');
}
if (!values.integration) await runFiles(testFiles('unit'), runtimes, { atOnce: 2 });
const smoke = values.unit || values.integration ? [] : testFiles('smoke');
const integration = values.unit ? [] : testFiles('integration');
const built = smoke.length + integration.length > 0 ? check('build', process.execPath, 'build.mjs') : false;
if (built) await runFiles(smoke, runtimes.slice(0, 1), { atOnce: 1 });
if (built && integration.length > 0) {
  const tools = installTools();
  if (tools.fatal) {
    console.error(tools.reason);
    counts.failed += 1;
  } else if (tools.reason) {
    skip('test/integration', tools.reason);
  } else {
    await runFiles(integration, runtimes, { atOnce: 1, skipsAreFailures: isCi });
  }
}

if (counts.passed + counts.failed === 0) {
  console.error('no test ran');
  process.exitCode = 1;
}
if (counts.failed > 0) process.exitCode = 1;
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
