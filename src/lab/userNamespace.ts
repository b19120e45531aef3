/**
 * Without root: this program once more inside a user namespace, in which it is root over network namespaces
 * of its own. Everything that the laboratory makes there goes with the last process.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import { childEnvironment, LabError } from './command.ts';

/** Holds the mount namespace that the first process had; the second must have another. */
const VARIABLE = 'RESTEER_LAB_OUTSIDE';
const MOUNT_NAMESPACE = '/proc/self/ns/mnt';
const TMPFS = 'resteer-lab';

/** The options of unshare(1) that give all that a laboratory needs. */
export const unshareOptions = ['--user', '--map-root-user', '--net', '--mount'] as const;

/** Whether this process is the one that `runInUserNamespace` started. */
export function isInUserNamespace(): boolean {
  const outside = process.env[VARIABLE];
  return outside !== undefined && outside !== readlinkSync(MOUNT_NAMESPACE);
}

/** Starts this very program, with its arguments, in a user namespace; resolves to its exit code. */
export function runInUserNamespace(): Promise<number> {
  const program = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const env = { ...childEnvironment(), [VARIABLE]: readlinkSync(MOUNT_NAMESPACE) };
  const child = spawn('unshare', [...unshareOptions, '--', ...program], { stdio: 'inherit', env });
  const signals = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  for (const signal of signals) process.on(signal, forward);
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new LabError('unshare', error.message)));
    child.once('exit', (code) => {
      for (const signal of signals) process.off(signal, forward);
      resolve(code ?? 1);
    });
  });
}

/**
 * Inside the user namespace, once: gives `ip netns` and the lock of iptables a /run that it may write to.
 * The machine's own is untouched, since the mount namespace is not that of the machine.
 */
export function prepareUserNamespace(): void {
  if (!isInUserNamespace()) return;
  const isMounted = readFileSync('/proc/self/mountinfo', 'utf8').includes(` - tmpfs ${TMPFS} `);
  if (isMounted) return;
  const options = { env: childEnvironment(), encoding: 'utf8' } as const;
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', TMPFS, '/run'], options);
  if (status !== 0) throw new LabError('mount /run', (error?.message ?? stderr).trim());
  mkdirSync('/run/netns');
}
