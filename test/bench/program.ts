import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

const TIMEOUT_MS = 60_000;

/** The other end of a measuring program (programs/serve.ts): one JSON line a question, one an answer. */
export class Program {
  readonly pid: number;
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = [];

  constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.#child = child;
    this.pid = child.pid!;
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const { result, error } = JSON.parse(line) as { result?: unknown; error?: string };
      const waiting = this.#waiting.shift()!;
      if (error === undefined) waiting.resolve(result);
      else waiting.reject(new Error(`${name}: ${error}`));
    });
    child.once('exit', (code, signal) => this.#fail(`it ended (${signal ?? code})`));
  }

  ask<T>(command: string, argument?: unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(`${command}: no answer in 60 s`), TIMEOUT_MS);
      this.#waiting.push({
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value as T);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#child.stdin!.write(`${JSON.stringify({ command, argument })}\n`);
    });
  }

  /** Lets the program end. */
  close(): void {
    this.#child.stdin!.end();
  }

  #fail(why: string): void {
    for (const { reject } of this.#waiting.splice(0)) reject(new Error(`${this.#name}: ${why}`));
  }
}
