import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
// @ts-expect-error build scripts are plain JavaScript
import { runsOn, runTestFile } from '../../scripts/testFile.mjs';
import { until } from '../support/waiting.ts';

const folder = mkdtempSync(join(tmpdir(), 'resteer-runner-'));
test.after(() => rmSync(folder, { recursive: true }));

const summary = (total: number, passed: number, skipped: number) =>
  `console.log('\\n  Total:     ${total}\\n  Passed:    ${passed}\\n  Skipped:   ${skipped}');`;

function write(name: string, text: string): string {
  const file = join(folder, `${name}.test.mjs`);
  writeFileSync(file, text);
  return file;
}

/** [passed, failed, skipped] of a test file with this text. */
async function countsOf(text: string): Promise<number[]> {
  const file = write('counted', text);
  const { passed, failed, skipped } = await runTestFile({ file, node: process.execPath, major: 20 });
  return [passed, failed, skipped];
}

test('tests are counted', async () => {
  assert.equal(await countsOf(summary(3, 3, 1)), [3, 0, 1]);
  assert.equal(await countsOf(`${summary(3, 1, 0)} process.exitCode = 1;`), [1, 2, 0]);
  assert.equal(await countsOf(summary(2, 2, 0) + summary(1, 1, 0)), [3, 0, 0]);
});

test('a file whose tests did not all run fails though it exits with 0', async () => {
  assert.equal(await countsOf(summary(3, 0, 0)), [0, 3, 0]);
});

test('a file that ran nothing fails', async () => {
  assert.equal(await countsOf(''), [0, 1, 0]);
  assert.equal(await countsOf('await new Promise(() => {});'), [0, 1, 0]);
  assert.equal(await countsOf(summary(0, 0, 0)), [0, 1, 0]);
});

test('a crash after the tests is a failure', async () => {
  assert.equal(await countsOf(`${summary(2, 2, 0)} process.kill(process.pid, 'SIGKILL');`), [2, 1, 0]);
});

test('a file that cannot run here is a skip, unless it fails', async () => {
  assert.equal(await countsOf(`console.log('SKIP x: not here');`), [0, 0, 1]);
  assert.equal(await countsOf(`console.log('SKIP x: not here'); process.exit(1);`), [0, 1, 0]);
});

test('the output of a failure is kept whole', async () => {
  const file = write('loud', `console.log('one'); console.error('two'); throw new Error('three');`);
  const { output } = await runTestFile({ file, node: process.execPath, major: 20 });
  for (const part of ['one', 'two', 'three']) assert.match(output, part);
});

test('a file that does not end is killed with what it started', async () => {
  const trace = join(folder, 'child');
  const file = write(
    'endless',
    `// run: timeout=7
import { spawn } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
writeFileSync(${JSON.stringify(`${trace}.new`)}, String(child.pid));
renameSync(${JSON.stringify(`${trace}.new`)}, ${JSON.stringify(trace)});`,
  );
  const late = new AbortController();
  let asked = 0;
  const deadline = (seconds: number) => {
    asked = seconds;
    return late.signal;
  };
  const result = runTestFile({ file, node: process.execPath, major: 20, deadline });
  await until('the file has started its child', () => existsSync(trace));
  late.abort();
  const { failed, output } = await result;
  assert.is(asked, 7);
  assert.is(failed, 1);
  assert.match(output, 'not done within 7 s');
  assert.not.ok(isRunning(Number(readFileSync(trace, 'utf8'))));
});

test('what a file leaves running does not hold the run up', async () => {
  const text = `import { spawn } from 'node:child_process';
${summary(1, 1, 0)}
spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' }).unref();`;
  assert.equal(await countsOf(text), [1, 0, 0]);
});

test('properties begin with the seed that the run was given', async () => {
  const library = JSON.stringify(import.meta.resolve('fast-check'));
  const file = write(
    'property',
    `import fc from ${library}; console.log(fc.readConfigureGlobal()); // from 'fast-check'`,
  );
  const job = { file, node: process.execPath, major: 20 };
  assert.match((await runTestFile({ ...job, seed: '1234' })).output, 'seed: 1234');
  assert.match((await runTestFile({ ...job, seed: 'x' })).output, 'RESTEER_SEED=x: an integer');
});

test('a file may ask for a version of Node', () => {
  const file = write('modern', '// run: node=26\n');
  assert.not.ok(runsOn(file, 20));
  assert.ok(runsOn(file, 26));
  assert.ok(runsOn(write('plain', ''), 20));
});

/** Whether a process runs; a zombie that nobody has waited for does not. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

test.run();
