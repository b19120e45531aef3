/**
 * Runs inside one of the twin namespaces: a line of JSON in, a line of JSON out. The real program is started
 * as a process; ours runs in this process, since a start of its own for each of thousands of lines would take
 * most of the time.
 */
import { spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { runCli } from '../support/captureIo.ts';
import type { Outcome } from './tool.ts';

interface Request {
  readonly program: 'real' | 'ours';
  readonly name: string;
  readonly args: readonly string[];
  readonly input?: string;
}

/** Milliseconds for one command line. */
const LIMIT = 10_000;

function runReal({ name, args, input }: Request): Outcome {
  const options = { input: input ?? '', encoding: 'utf8', maxBuffer: 1 << 28, timeout: LIMIT } as const;
  const done =
    input === undefined
      ? spawnSync(name, [...args], options)
      : // Node's own pipes are sockets, which cannot be opened as /dev/stdin
        spawnSync('sh', ['-c', 'cat | "$@"', 'sh', name, ...args], options);
  return { status: done.status, stdout: done.stdout, stderr: done.stderr };
}

async function runOurs({ name, args, input }: Request): Promise<Outcome> {
  const ended = runCli([name, ...args], input === undefined ? {} : { input: [input] });
  const outcome = ended.then(({ exitCode, out, err }) => ({ status: exitCode, stdout: out, stderr: err }));
  return Promise.race([outcome, hung()]);
}

/** What a program did that does not end; the real one is killed, and has no exit code then either. */
function hung(): Promise<Outcome> {
  return new Promise((resolve) => {
    setTimeout(() => resolve({ status: null, stdout: '', stderr: '' }), LIMIT).unref();
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request;
  const outcome = request.program === 'real' ? runReal(request) : await runOurs(request);
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}
