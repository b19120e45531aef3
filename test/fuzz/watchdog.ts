import { Worker } from 'node:worker_threads';

// plain JavaScript, since a worker does not inherit the loader of the tests on every Node
const code = `
const { writeSync } = require('node:fs');
const { workerData } = require('node:worker_threads');
const { seed, milliseconds } = workerData;
let seen = Atomics.load(seed, 0);
let since = Date.now();
setInterval(() => {
  const now = Atomics.load(seed, 0);
  if (now !== seen) { seen = now; since = Date.now(); }
  else if (Date.now() - since > milliseconds) {
    writeSync(2, 'FAIL seed ' + (now >>> 0) + ': not done within ' + milliseconds + ' ms\\n');
    process.kill(process.pid, 'SIGKILL');
  }
}, 500);
`;

/** Ends the process, naming the seed, when one input takes longer than any honest decoder would. */
export class Watchdog {
  readonly #seed = new Int32Array(new SharedArrayBuffer(4));
  readonly #worker: Worker;
  constructor(milliseconds = 30_000) {
    this.#worker = new Worker(code, {
      eval: true,
      execArgv: [],
      workerData: { seed: this.#seed, milliseconds },
    });
    this.#worker.unref();
  }
  /** Says which input is next. */
  touch(seed: number): void {
    Atomics.store(this.#seed, 0, seed | 0);
  }
  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}
