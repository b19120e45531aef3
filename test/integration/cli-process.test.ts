/** The command line as a process: pipes that close, large inputs, messages of the real programs. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { toHex } from '../../src/nfnetlink/bytes.ts';
import { fixture } from '../support/fixtures.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const event = `${toHex(fixture('event', 'event-new-tcp4-dnat').bytes)}\n`;

function start(args: readonly string[], nodeArgs: readonly string[] = []) {
  return spawn(process.execPath, [...nodeArgs, ...process.execArgv, main, ...args]);
}

/** Many lines, made as they are read. */
function* lines(count: number, each = 1000): Generator<string> {
  const piece = event.repeat(each);
  for (let i = 0; i < count; i += each) yield piece;
}

test('a reader that stops reading ends it quietly', async () => {
  const child = start(['decode']);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text;
  });
  // the child goes away before it has read everything
  child.stdin.on('error', () => {});
  Readable.from(lines(200_000)).pipe(child.stdin);
  child.stdout.once('data', () => child.stdout.destroy());
  const [code, signal] = await once(child, 'exit');
  assert.equal([code, signal, errors], [0, null, '']);
});

test('memory does not grow with the input, also when the reader is slow', async () => {
  // 60,000 datagrams make 13 MB of input and 50 MB of output
  const count = 60_000;
  const child = start(['decode', '--json'], ['--max-old-space-size=96']);
  Readable.from(lines(count)).pipe(child.stdin);
  let seen = 0;
  let peak = 0;
  for await (const piece of child.stdout) {
    seen += piece.toString('latin1').split('\n').length - 1;
    if (seen % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    const status = child.exitCode === null ? readStatus(child.pid!) : '';
    peak = Math.max(peak, Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0));
  }
  if (child.exitCode === null) await once(child, 'exit');
  assert.is(child.exitCode, 0);
  assert.is(seen, count);
  assert.ok(peak > 0 && peak < 220 * 1024, `${peak} kB`);
});

function readStatus(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}

test('all of the output is written before it exits, into a pipe as into a file', () => {
  const input = event.repeat(3000);
  const args = [...process.execArgv, main, 'decode', '--json'];
  const { stdout, status } = spawnSync(process.execPath, args, {
    input,
    maxBuffer: 1 << 28,
    encoding: 'utf8',
  });
  assert.is(status, 0);
  assert.is(stdout.split('\n').length, 3001);
});

test('exit codes and errors reach the shell', () => {
  const run = (args: readonly string[], input = '') =>
    spawnSync(process.execPath, [...process.execArgv, main, ...args], { input, encoding: 'utf8' });
  assert.is(run(['--version']).status, 0);
  assert.is(run(['decode'], 'xx\n').status, 1);
  const usage = run(['decode', '--frob']);
  assert.equal([usage.status, usage.stdout], [2, '']);
  assert.is(usage.stderr, "resteer: decode: unknown option '--frob': see resteer decode --help\n");
});

test.run();
