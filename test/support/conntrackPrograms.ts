/** The real conntrack(8) and ours, as processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
export const ours: readonly [string, ...string[]] = [process.execPath, '--import', 'tsx', MAIN, 'conntrack'];
export const real: readonly [string, ...string[]] = ['conntrack'];

export interface Started {
  readonly child: ChildProcess;
  /** What it has written so far. */
  readonly written: { out: string; err: string };
}

/** Starts one of the two; it ends with this process at the latest. */
export function start([program, ...args]: readonly [string, ...string[]], ...more: string[]): Started {
  const child = spawn(program, [...args, ...more], { env: { ...process.env, NODE_NO_WARNINGS: '1' } });
  process.on('exit', () => child.kill('SIGKILL'));
  const written = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => {
    written.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    written.err += text;
  });
  return { child, written };
}

/** How many netfilter sockets of this namespace have joined groups. */
export function listeners(): number {
  const rows = readFileSync('/proc/net/netlink', 'utf8').split('\n').slice(1);
  return rows.filter((row) => {
    const [, protocol, , groups] = row.trim().split(/\s+/);
    return protocol === '12' && Number.parseInt(groups!, 16) !== 0;
  }).length;
}

/** Whether a process waits for something. */
export function isAsleep({ child }: Started): boolean {
  return /\) S /.test(readFileSync(`/proc/${child.pid}/stat`, 'utf8'));
}
