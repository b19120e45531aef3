/** A network namespace of a benchmark's own, and the processes that are measured in it. */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { addNamespace, sh } from '../support/namespace.ts';
import { cpuMs } from './cpu.ts';
import { Program } from './program.ts';
import type { Runtime, Toolchain } from './toolchain.ts';

let count = 0;
/** Fewer events say nothing about the cost of one. */
const LEAST_SHOWN = 1000;

/** What makes flows; see programs/generate.ts. */
export interface FlowsWish {
  /** Flows are numbered; the number is in the source address. */
  readonly first?: number;
  readonly count: number;
  /** Flows a second; as fast as the kernel makes them by default. */
  readonly rate?: number;
  readonly mark?: number;
  /** First destination; flow n has the address n % spread behind it. */
  readonly destination?: string;
  readonly spread?: number;
  /** Each flow in a datagram of its own, evenly spaced, instead of a burst each millisecond. */
  readonly single?: boolean;
}

export class Laboratory {
  readonly name: string;
  readonly #tools: Toolchain;
  readonly #children: ChildProcess[] = [];
  #generator: Program | undefined;

  constructor(tools: Toolchain) {
    this.#tools = tools;
    this.name = addNamespace(`bench${count++}`);
    this.sh('sh', '-c', 'echo 1 > /proc/sys/net/netfilter/nf_conntrack_events');
  }

  /** Runs a command in the namespace to its end. */
  sh(command: string, ...args: string[]): string {
    return sh('ip', 'netns', 'exec', this.name, command, ...args);
  }

  /** Starts a process in the namespace; its pid is the command's own. It ends with the laboratory. */
  spawn(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.name, command, ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
      ...options,
    });
    this.#children.push(child);
    return child;
  }

  /** Starts a measuring program on a runtime. */
  program(name: string, { node, transport }: Runtime): Program {
    const child = this.spawn(node, ['--no-warnings', this.#tools.program(name)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, RESTEER_TRANSPORT: transport },
    });
    return new Program(name, child);
  }

  /**
   * CPU that `conntrack -E -e NEW` takes to print events to nowhere, in microseconds an event that it has
   * shown: it says at its end how many those were.
   */
  async conntrackEvents(wish: FlowsWish): Promise<number> {
    const child = this.spawn('conntrack', ['-E', '-e', 'NEW', '-b', String(32 << 20)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const closed = once(child, 'close');
    await settled(child.pid!);
    const before = cpuMs(child.pid!);
    await this.createFlows(wish);
    await settled(child.pid!);
    const ms = cpuMs(child.pid!) - before;
    await end(child, 'SIGINT');
    await closed;
    await this.flush();
    const shown = Number(/(\d+) flow events have been shown/.exec(said)?.[1] ?? 0);
    // its -b enlarges another socket than that of the events (conntrack-tools 1.4.7): a busy machine loses some
    if (shown < LEAST_SHOWN) throw new Error(`conntrack showed ${shown} of ${wish.count} events: ${said}`);
    return (ms * 1000) / shown;
  }

  /** Makes flows; resolves when they are there. */
  async createFlows(wish: FlowsWish): Promise<void> {
    this.#generator ??= this.program('generate', this.#tools.runtimes[0]!);
    await this.#generator.ask('create', wish);
  }

  /** How many flows there are. */
  async flowCount(): Promise<number> {
    this.#generator ??= this.program('generate', this.#tools.runtimes[0]!);
    return this.#generator.ask<number>('count');
  }

  /** Empties the table. */
  async flush(): Promise<void> {
    this.#generator ??= this.program('generate', this.#tools.runtimes[0]!);
    await this.#generator.ask('flush');
  }

  /** Ends every process and removes the namespace. */
  async close(): Promise<void> {
    for (const child of this.#children) await end(child);
    spawnSync('ip', ['netns', 'del', this.name]);
  }
}

/** Runs the body in a laboratory, and cleans up whatever happens. */
export async function inLaboratory<T>(tools: Toolchain, body: (lab: Laboratory) => Promise<T>): Promise<T> {
  const lab = new Laboratory(tools);
  try {
    return await body(lab);
  } finally {
    await lab.close();
  }
}

/** Ends a process of ours and waits for it; by force after two seconds. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGCONT');
  child.kill(signal);
  const force = setTimeout(() => child.kill('SIGKILL'), 2000);
  await gone;
  clearTimeout(force);
}

/** Waits until a process has done its work: until it uses no CPU any more, 5 s at most. */
export async function settled(pid: number): Promise<void> {
  for (let before = -1, i = 0; i < 50; i++) {
    const now = cpuMs(pid);
    if (i > 0 && now - before < 0.5) return;
    before = now;
    await delay(100);
  }
}
