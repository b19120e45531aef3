/** The daemon as a process in the namespace of the test, and what it says. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { askDaemon } from '../../src/daemon/controlClient.ts';
import type { DaemonStatus } from '../../src/daemon/status.ts';
import { until } from './waiting.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** A line of the log. */
export type LogLine = { readonly event: string; readonly level: string } & Readonly<Record<string, unknown>>;

/** Two uplinks by mark, and one rule: what is in set 'app' belongs on wan. */
export const twoWanConfig = {
  markMask: '0x3f00',
  interfaces: { wan: { mark: '0x100' }, wanb: { mark: '0x200' } },
  rules: [{ name: 'app', set: 'app', interfaces: ['wan'] }],
  limits: { resetsPerSecond: 'unlimited', resetsPerClientPerSecond: 'unlimited' },
};

const folders: string[] = [];
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export class DaemonProcess {
  readonly child: ChildProcess;
  readonly control: string;
  readonly lines: LogLine[] = [];
  errors = '';

  private constructor(child: ChildProcess, control: string) {
    this.child = child;
    this.control = control;
    createInterface({ input: child.stdout! }).on('line', (line) => this.lines.push(JSON.parse(line)));
    child.stderr!.setEncoding('utf8').on('data', (text) => {
      this.errors += text;
    });
  }

  /** Starts it and returns at once; `control` names the socket of another instance. */
  static spawn(config: object = twoWanConfig, control?: string): DaemonProcess {
    const folder = mkdtempSync(join(tmpdir(), 'resteer-test-'));
    folders.push(folder);
    const file = join(folder, 'resteer.json');
    writeFileSync(file, JSON.stringify(config));
    const path = control ?? join(folder, 'control.sock');
    const log = ['--log-format', 'json', '--log-level', 'debug'];
    const args = [main, 'run', '--config', file, '--control', path, ...log];
    const child = spawn(process.execPath, [...process.execArgv, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    child.once('exit', () => running.delete(child));
    return new DaemonProcess(child, path);
  }

  /** Starts it and waits until it is ready. */
  static async start(config: object = twoWanConfig): Promise<DaemonProcess> {
    const daemon = DaemonProcess.spawn(config);
    await daemon.said('ready');
    return daemon;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  all(event: string): LogLine[] {
    return this.lines.filter((line) => line.event === event);
  }

  /** Waits until it has said so many lines of an event. */
  async said(event: string, times = 1, milliseconds = 30_000): Promise<LogLine> {
    await this.until(`${times} times ${event}`, () => this.all(event).length >= times, milliseconds);
    return this.all(event)[times - 1]!;
  }

  /** Waits for a condition as long as the daemon lives. */
  async until(what: string, holds: () => boolean, milliseconds = 30_000): Promise<void> {
    const isOver = () => holds() || !this.isRunning;
    await until(`${what}; it said ${JSON.stringify(this.lines.slice(-5))}`, isOver, milliseconds);
    if (!holds()) throw new Error(`the daemon ended before ${what}: ${this.errors}`);
  }

  ask(command: string): Promise<unknown> {
    return askDaemon(this.control, { command });
  }

  async status(): Promise<DaemonStatus> {
    return (await this.ask('status')) as DaemonStatus;
  }

  /** Resident memory in MiB, now and at its highest. */
  get memory(): { readonly now: number; readonly peak: number } {
    const text = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    const value = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(text)![1]) / 1024;
    return { now: value('VmRSS'), peak: value('VmHWM') };
  }

  /** Ends it with a signal and waits; SIGTERM must end it well. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!this.isRunning) return;
    const gone = once(this.child, 'exit');
    this.child.kill(signal);
    const [code] = await gone;
    if (signal === 'SIGTERM' && code !== 0) throw new Error(`the daemon ended with ${code}: ${this.errors}`);
  }
}
