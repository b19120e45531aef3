/** `resteer run` as built, in a laboratory. */
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { askDaemon } from '../../src/daemon/controlClient.ts';
import { ControlError } from '../../src/daemon/controlServer.ts';
import type { DaemonStatus } from '../../src/daemon/status.ts';
import { end, type Laboratory } from './laboratory.ts';
import type { Runtime, Toolchain } from './toolchain.ts';

const LIMIT_MS = 40_000;

/** The mark of the uplink on which flows to what is in the set are misplaced. */
export const WRONG_MARK = 0x200;
export const SET = 'bench_app';

/** No budget and no cool-down gets in the way of a measurement. */
export function configuration(overrides: object = {}) {
  return {
    markMask: '0x3f00',
    interfaces: { wan: { mark: '0x100' }, wanb: { mark: '0x200' } },
    rules: [{ name: 'bench', set: SET, interfaces: ['wan'], watch: false }],
    recheck: ['1h'],
    sweep: '24h',
    limits: { resetsPerSecond: 'unlimited', resetsPerClientPerSecond: 'unlimited' },
    ...overrides,
  };
}

/** The arguments of `resteer run`, its configuration and control socket in the scratch folder. */
export function runArguments(tools: Toolchain, name: string, overrides?: object) {
  const config = join(tools.scratch, `${name}.json`);
  const control = join(tools.scratch, `${name}.sock`);
  writeFileSync(config, JSON.stringify(configuration(overrides)));
  const args = [tools.executable, 'run', '--config', config, '--control', control, '--log-format', 'json'];
  return { args, control };
}

/** The arguments of the program that only opens what the daemon opens. */
export function floorArguments(tools: Toolchain): string[] {
  return ['--no-warnings', tools.floor, join(tools.scratch, 'floor.sock')];
}

export interface LogLine {
  readonly time: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

let count = 0;

export class BenchDaemon {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #control: string;

  private constructor(child: ChildProcess, log: string, control: string) {
    this.pid = child.pid!;
    this.#child = child;
    this.#log = log;
    this.#control = control;
  }

  /** Starts the daemon; resolves when it is ready. The set must be there. */
  static async start(
    lab: Laboratory,
    tools: Toolchain,
    { node, transport }: Runtime,
    overrides?: object,
  ): Promise<BenchDaemon> {
    const name = `daemon${count++}`;
    const { args, control } = runArguments(tools, name, overrides);
    const log = join(tools.scratch, `${name}.log`);
    const out = openSync(log, 'w');
    // into a file: whoever reads a pipe would take CPU away from what is measured
    const child = lab.spawn(node, args, {
      stdio: ['ignore', out, 'inherit'],
      env: { ...process.env, RESTEER_TRANSPORT: transport },
    });
    closeSync(out);
    const daemon = new BenchDaemon(child, log, control);
    await until('ready', () => daemon.#isReady());
    return daemon;
  }

  /** It answers once the first sweep is done; to read its log over and over would slow it down. */
  async #isReady(): Promise<boolean> {
    if (this.#child.exitCode !== null) throw new Error(`the daemon ended with ${this.#child.exitCode}`);
    try {
      await this.status();
      return true;
    } catch (error) {
      if (error instanceof ControlError) return false;
      throw error;
    }
  }

  /** What it has logged so far. */
  lines(): LogLine[] {
    const whole = readFileSync(this.#log, 'utf8').split('\n').slice(0, -1);
    return whole.map((line) => JSON.parse(line) as LogLine);
  }

  async status(): Promise<DaemonStatus> {
    return (await askDaemon(this.#control, { command: 'status' })) as DaemonStatus;
  }

  /** Waits until its state is as wished, asking ten times a second. */
  async untilStatus(what: string, isSo: (status: DaemonStatus) => boolean): Promise<void> {
    await until(what, async () => isSo(await this.status()));
  }

  stop(): Promise<void> {
    return end(this.#child);
  }
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`the daemon has not come to this in 40 s: ${what}`);
    await delay(100);
  }
}

/** The set of the rule, with some addresses. */
export function createSet(lab: Laboratory, addresses: readonly string[] = []): void {
  lab.sh('ipset', '-exist', 'create', SET, 'hash:net');
  for (const address of addresses) lab.sh('ipset', '-exist', 'add', SET, address);
}
