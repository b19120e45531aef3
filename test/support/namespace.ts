/**
 * Runs a test file inside a network namespace of its own. The file calls `insideNamespace` once:
 *
 *     await insideNamespace(import.meta.url, () => {
 *       test('...', () => {});
 *       test.run();
 *     });
 *
 * Started outside, it makes the namespace, starts itself again inside and passes the exit code on, so
 * the body runs only there. Names hold the pid of their owner: what a killed run left is removed by
 * the next.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

const NAME_VARIABLE = 'RESTEER_TEST_NAMESPACE';
const NAMESPACES = '/run/netns';
const EVENTS_SYSCTL = '/proc/sys/net/netfilter/nf_conntrack_events';

/** Runs a command to its end and returns its standard output; throws with its standard error. */
export function sh(command: string, ...args: string[]): string {
  const done = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (done.error) throw done.error;
  if (done.status !== 0) {
    const how = done.status === null ? `signal ${done.signal}` : `exit ${done.status}`;
    throw new Error(`${[command, ...args].join(' ')}: ${how}: ${done.stderr.trim()}`);
  }
  return done.stdout;
}

/** Whether a command can be started at all. */
export function hasCommand(command: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', command]).status === 0;
}

/** Ends this file without a verdict: prints the reason, and fails where nothing may be missing (CI). */
export function skipFile(moduleUrl: string, reason: string): never {
  console.log(`SKIP ${basename(fileURLToPath(moduleUrl))}: ${reason}`);
  process.exit(process.env.CI ? 1 : 0);
}

/**
 * Makes one more namespace, with `lo` up, beside the one that the test runs in; it goes away with this
 * process. Use it with `sh('ip', 'netns', 'exec', name, ...)` or `ip link set ... netns name`.
 */
export function addNamespace(suffix: string): string {
  const name = `rs-${process.pid}-${suffix}`;
  sh('ip', 'netns', 'add', name);
  process.on('exit', () => spawnSync('ip', ['netns', 'del', name]));
  sh('ip', '-n', name, 'link', 'set', 'lo', 'up');
  return name;
}

/** Runs the body inside a fresh namespace (see above): `lo` is up and conntrack events are always on. */
export async function insideNamespace(moduleUrl: string, body: () => void | Promise<void>): Promise<void> {
  if (process.env[NAME_VARIABLE]) {
    sh('ip', 'link', 'set', 'lo', 'up');
    if (!existsSync(EVENTS_SYSCTL)) skipFile(moduleUrl, 'this kernel has no connection tracking events');
    writeFileSync(EVENTS_SYSCTL, '1');
    await body();
    return;
  }
  if (process.platform !== 'linux') skipFile(moduleUrl, 'network namespaces need Linux');
  if (process.getuid?.() !== 0) skipFile(moduleUrl, 'network namespaces need root');
  if (!hasCommand('ip')) skipFile(moduleUrl, 'no `ip` command (Debian package iproute2)');
  removeStaleNamespaces();
  const name = addNamespace('test');
  process.exitCode = await runInside(name, fileURLToPath(moduleUrl));
}

function runInside(name: string, file: string): Promise<number> {
  const args = ['netns', 'exec', name, process.execPath, ...process.execArgv, file, ...process.argv.slice(2)];
  const child = spawn('ip', args, { stdio: 'inherit', env: { ...process.env, [NAME_VARIABLE]: name } });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (signal) console.error(`${basename(file)}: ended by ${signal}`);
      resolve(code ?? 1);
    });
  });
}

function removeStaleNamespaces(): void {
  if (!existsSync(NAMESPACES)) return;
  for (const name of readdirSync(NAMESPACES)) {
    const owner = /^rs-(\d+)-/.exec(name)?.[1];
    if (owner && !existsSync(`/proc/${owner}`)) spawnSync('ip', ['netns', 'del', name]);
  }
}
