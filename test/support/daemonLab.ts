/**
 * The daemon in a laboratory's router, on the real kernel, and the command line beside it. A file that uses
 * this calls `requireLab(import.meta.url)` first.
 */
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { RouterDaemon } from '../../src/cli/demo/routerDaemon.ts';
import {
  buildLab,
  type ConntrackRow,
  type Family,
  type Lab,
  type LabOptions,
  labRequirements,
  missingText,
  type TrafficFlow,
} from '../../src/lab/index.ts';
import { hasCommand, skipFile } from './namespace.ts';

export const families: readonly Family[] = ['ipv4', 'ipv6'];
/** Addresses of the server, by family. */
export const addresses = {
  ipv4: ['203.0.113.10', '203.0.113.11', '203.0.113.12'],
  ipv6: ['2001:db8:113::10', '2001:db8:113::11', '2001:db8:113::12'],
} as const;
export const appSet = { ipv4: 'app_1.v4', ipv6: 'app_1.v6' } as const;

/** What the laboratory's own firewall does with its default sets and rules. */
export const appRules = [
  { name: 'app1', set: 'app_1.v4', family: 'ipv4', interfaces: ['wanb'] },
  { name: 'app1v6', set: 'app_1.v6', family: 'ipv6', interfaces: ['wanb'] },
];
export const uplinks = { wan: { mark: '0x100' }, wanb: { mark: '0x200' } };

/** A configuration for the laboratory. */
export function configWith(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    markMask: '0x3f00',
    interfaces: uplinks,
    rules: appRules,
    recheck: ['200ms', '1s', '5s'],
    ...more,
  };
}

/** Ends the file where no laboratory can be built. */
export function requireLab(moduleUrl: string): void {
  const { how, missing } = labRequirements();
  if (how !== 'root') skipFile(moduleUrl, missing.map(missingText).join('; ') || 'needs root');
  if (!hasCommand('conntrack')) skipFile(moduleUrl, 'no `conntrack` command (Debian package conntrack)');
}

/** The sources, or the executable that RESTEER_EXECUTABLE names. */
const program = process.env.RESTEER_EXECUTABLE
  ? [process.execPath, process.env.RESTEER_EXECUTABLE]
  : [process.execPath, ...process.execArgv, fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))];

export interface DaemonLab {
  readonly lab: Lab;
  readonly daemon: RouterDaemon;
  /** Runs a command of resteer in the router's namespace to its end. */
  resteer(...args: string[]): Promise<Ran>;
}

export interface Ran {
  readonly exitCode: number | null;
  readonly out: string;
  readonly err: string;
}

export interface DaemonLabOptions extends LabOptions {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly source?: readonly string[];
  readonly args?: readonly string[];
}

/** A test's body with a laboratory and a daemon that is ready; both are gone when it ends. */
export function withDaemon(options: DaemonLabOptions, body: (context: DaemonLab) => Promise<void>) {
  return withLab(options, async ({ lab, resteer }) => {
    const daemon = await startDaemon(lab, options);
    await body({ lab, daemon, resteer });
    assert.is(daemon.errors, '', 'the daemon says nothing on standard error');
  });
}

/** Starts a daemon in the laboratory's router; it is ready. */
export async function startDaemon(
  lab: Lab,
  { config = configWith(), source, args = [] }: Pick<DaemonLabOptions, 'config' | 'source' | 'args'> = {},
): Promise<RouterDaemon> {
  const daemon = new RouterDaemon(lab, { config, args, program, ...(source && { source }) });
  await daemon.event('ready');
  return daemon;
}

/** A test's body with a laboratory that has no daemon. */
export function withLab(options: LabOptions, body: (context: Omit<DaemonLab, 'daemon'>) => Promise<void>) {
  return async () => {
    const lab = await buildLab(options);
    try {
      await body({ lab, resteer: (...args) => runInRouter(lab, args) });
    } finally {
      await lab.close();
    }
  };
}

/** Starts a command of resteer in the router's namespace; its output is to be read. */
export function startInRouter(lab: Lab, args: readonly string[]): ChildProcess {
  const [command, ...before] = program;
  return lab.router.spawn(command!, [...before, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs a command of resteer in the router's namespace to its end. */
export function runInRouter(lab: Lab, args: readonly string[]): Promise<Ran> {
  const child = startInRouter(lab, args);
  const ran = { out: '', err: '' };
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    ran.out += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    ran.err += text;
  });
  return new Promise((resolve) => child.once('close', (exitCode) => resolve({ ...ran, exitCode })));
}

/** The entry of a client's flow; there must be exactly one. */
export async function entryOf(
  lab: Lab,
  flow: TrafficFlow,
  address: string,
  client: 1 | 2 = 1,
): Promise<ConntrackRow> {
  const family: Family = address.includes(':') ? 'ipv6' : 'ipv4';
  const source = lab.plan.lan.clients[client - 1]![family];
  const rows = (await lab.conntrack(family)).filter(
    (row) =>
      row.protocol === flow.protocol &&
      row.source === source &&
      row.destination === address &&
      row.sourcePort === flow.localPort,
  );
  assert.is(rows.length, 1, JSON.stringify(rows));
  return rows[0]!;
}
