import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root } from './packages.mjs';

const defaultTimeoutSeconds = 180;
const defaultDeadline = (seconds) => AbortSignal.timeout(seconds * 1000);
const running = new Set();

function killGroup(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Ends the test files that run now, with what they started. */
export function killRunning() {
  for (const child of running) killGroup(child);
}

/** What a file says about its own run in a first line such as `// run: node=26 timeout=600`. */
function directives(file) {
  const said = /^\/\/ run: (.*)$/m.exec(readFileSync(file, 'utf8').slice(0, 400))?.[1] ?? '';
  const value = (name) => Number(new RegExp(`\\b${name}=(\\d+)`).exec(said)?.[1] ?? Number.NaN);
  return { node: value('node') || undefined, seconds: value('timeout') || defaultTimeoutSeconds };
}

/** Whether a file is written for a runtime: `node=N` means that version and later ones. */
export const runsOn = (file, major) => major >= (directives(file).node ?? 0);

// CI must not depend on luck: there each property has the same cases in each run. Elsewhere every run has cases of
// its own, and fast-check prints the seed of a failure; RESTEER_SEED=N goes through those again.
const ownSeed = process.env.RESTEER_SEED || (process.env.CI ? '4711' : undefined);
const seeded = ['--import', join(root, 'scripts/propertySeed.mjs')];
const hasProperties = (file) => /from ['"]fast-check['"]/.test(readFileSync(file, 'utf8'));

const sum = (output, label) => {
  let total = 0;
  for (const match of output.matchAll(new RegExp(`^ {2}${label}: +(\\d+)$`, 'gm'))) total += Number(match[1]);
  return total;
};

/** Counts uvu's report. A file that crashed, or ran nothing without saying why, is one failure. */
function judge(output, code) {
  const ran = sum(output, 'Total');
  const passed = sum(output, 'Passed');
  const skips = [...output.matchAll(/^SKIP .*$/gm)].map(([line]) => line);
  const isSkip = code === 0 && ran === 0;
  const skipped = sum(output, 'Skipped') + (isSkip ? skips.length : 0);
  const failed = ran - passed;
  const isCrash = failed === 0 && (code !== 0 || ran + skipped === 0);
  return { passed, failed: isCrash ? 1 : failed, skipped, skips };
}

/**
 * Runs one test file in a process group of its own and counts its tests.
 * @param {{ file: string, node: string, major: number, seed?: string, deadline?: (seconds: number) => AbortSignal }} job
 */
export function runTestFile({ file, node, major, seed = ownSeed, deadline = defaultDeadline }) {
  const name = `${relative(root, file)} (node ${major})`;
  const started = performance.now();
  const { seconds } = directives(file);
  return new Promise((resolve) => {
    const preload = seed && hasProperties(file) ? seeded : [];
    const child = spawn(node, ['--import', 'tsx', ...preload, file], {
      cwd: root,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FORCE_COLOR: undefined, NO_COLOR: '1', RESTEER_SEED: seed },
    });
    running.add(child);
    let output = '';
    let late = false;
    let leftovers;
    const signal = deadline(seconds);
    const end = () => {
      late = true;
      killGroup(child);
    };
    signal.addEventListener('abort', end);
    const settle = (code) => {
      signal.removeEventListener('abort', end);
      clearTimeout(leftovers);
      if (!running.delete(child)) return;
      if (late) output += `\nkilled: not done within ${seconds} s\n`;
      const elapsed = (performance.now() - started) / 1000;
      resolve({ name, output, seconds: elapsed, ...judge(output, late ? 1 : code) });
    };
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    child.on('error', (error) => {
      output += error.message;
      settle(1);
    });
    child.on('close', (code) => settle(code ?? 1));
    // A grandchild that outlives the test holds its output open: whoever is left after the test is ended.
    child.on('exit', () => {
      leftovers = setTimeout(() => killGroup(child), 1000);
    });
  });
}
