/** The real conntrack(8) and ours, as processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const executable = fileURLToPath(new URL('../../dist/resteer.cjs', import.meta.url));
/** As built: started dozens of times, the sources would take most of a test's time to compile. */
export const ours: readonly [string, ...string[]] = [process.execPath, executable, 'conntrack'];
export const real: readonly [string, ...string[]] = ['conntrack'];

export interface Started {
  readonly child: ChildProcess;
  /** What it has written so far. */
  readonly written: { out: string; err: string };
}

const children = new Set<ChildProcess>();
process.on('exit', endAll);

/** Ends by force what was started and still runs: a test that failed may have left it. */
export function endAll(): void {
  for (const child of children) child.kill('SIGKILL');
}

/** Starts one of the two; it ends with this process at the latest. */
export function start([program, ...args]: readonly [string, ...string[]], ...more: string[]): Started {
  const child = spawn(program, [...args, ...more], { env: { ...process.env, NODE_NO_WARNINGS: '1' } });
  children.add(child);
  child.once('exit', () => children.delete(child));
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
