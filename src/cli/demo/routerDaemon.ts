import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { DaemonEvent } from '../../daemon/tell.ts';
import type { Lab } from '../../lab/index.ts';

export type LoggedEvent = DaemonEvent & { readonly time: string; readonly level: string };
type EventOf<K extends DaemonEvent['event'], E = LoggedEvent> = E extends { event: infer Kind }
  ? K extends Kind
    ? E
    : never
  : never;

export interface RouterDaemonOptions {
  /** The configuration's JSON value. */
  readonly config?: unknown;
  /** Arguments that say where the configuration comes from, in place of a file with that value. */
  readonly source?: readonly string[];
  /** The program and its arguments before `run`; this very program by default. */
  readonly program?: readonly string[];
  /** Further arguments of `run`. */
  readonly args?: readonly string[];
}

interface Waiter {
  readonly offer: (event: LoggedEvent) => boolean;
  readonly fail: (error: Error) => void;
}

/** `resteer run` in the router's namespace of a laboratory, and everything that it says. */
export class RouterDaemon {
  readonly configFile: string;
  readonly controlPath: string;
  readonly events: LoggedEvent[] = [];
  /** What it wrote to standard error. */
  errors = '';
  readonly #child: ChildProcess;
  readonly #waiters = new Set<Waiter>();
  /** Its exit code; null where a signal ended it. */
  readonly ended: Promise<number | null>;

  constructor(lab: Lab, { config, source, program = thisProgram(), args = [] }: RouterDaemonOptions) {
    const folder = mkdtempSync(join(tmpdir(), 'resteer-'));
    const clean = () => rmSync(folder, { recursive: true, force: true });
    process.once('exit', clean);
    this.configFile = join(folder, 'resteer.json');
    this.controlPath = join(folder, 'control');
    if (!source) this.writeConfig(config);
    const [command, ...before] = program;
    const from = source ?? ['--config', this.configFile];
    const own = [...from, '--control', this.controlPath, '--log-format', 'json'];
    this.#child = lab.router.spawn(command!, [...before, 'run', ...own, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#heard(line));
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
    });
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code) => {
        process.off('exit', clean);
        clean();
        for (const { fail } of this.#waiters)
          fail(new Error(`the daemon ended (${code}) ${this.errors}`.trim()));
        this.#waiters.clear();
        resolve(code);
      });
    });
  }

  /** `ip netns exec` becomes the program, so this is the daemon's own. */
  get pid(): number {
    return this.#child.pid!;
  }

  writeConfig(config: unknown): void {
    writeFileSync(this.configFile, typeof config === 'string' ? config : JSON.stringify(config));
  }

  /**
   * The first event of a kind that pleases, of those to come and, from index `since` on, of those that were.
   * @throws Error where it does not come in time, or the daemon ends before.
   */
  event<K extends DaemonEvent['event']>(
    kind: K,
    pleases: (event: EventOf<K>) => boolean = () => true,
    { withinMs = 15_000, since = 0 } = {},
  ): Promise<EventOf<K>> {
    const isIt = (event: LoggedEvent): event is EventOf<K> =>
      event.event === kind && pleases(event as EventOf<K>);
    const past = this.events.slice(since).find(isIt);
    if (past) return Promise.resolve(past);
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        end();
      };
      const waiter: Waiter = {
        offer(event) {
          if (!isIt(event)) return false;
          settle(() => resolve(event));
          return true;
        },
        fail: (error) => settle(() => reject(error)),
      };
      const timer = setTimeout(
        () => waiter.fail(new Error(`the daemon did not say '${kind}' within ${withinMs / 1000} s`)),
        withinMs,
      );
      this.#waiters.add(waiter);
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it by SIGTERM; resolves to its exit code. */
  stop(): Promise<number | null> {
    this.signal('SIGTERM');
    return this.ended;
  }

  #heard(line: string): void {
    const event = JSON.parse(line) as LoggedEvent;
    this.events.push(event);
    for (const waiter of [...this.#waiters]) waiter.offer(event);
  }
}

function thisProgram(): string[] {
  return [process.execPath, ...process.execArgv, process.argv[1]!];
}
