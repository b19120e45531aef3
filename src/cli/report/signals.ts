const ENDS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * The signals of a report. It is made before anything else is done: a SIGUSR1 that nobody listens for starts
 * Node's debugger, which listens on the network.
 */
export class ReportSignals {
  /** Resolves at the first signal that ends it; a second ends the process. */
  readonly stopped: Promise<void>;
  /** Called at SIGUSR1, one call after the other. */
  onAsked: () => Promise<void> = async () => {};
  #work: Promise<void> = Promise.resolve();
  #stop: () => void = () => {};

  constructor() {
    this.stopped = new Promise((resolve) => {
      this.#stop = resolve;
    });
    process.on('SIGUSR1', this.#ask);
    for (const signal of ENDS) process.on(signal, this.#end);
  }

  /** Resolves when what was asked for is done. */
  idle(): Promise<void> {
    return this.#work;
  }

  close(): void {
    process.off('SIGUSR1', this.#ask);
    this.#offEnds();
  }

  readonly #ask = (): void => {
    this.#work = this.#work.then(() => this.onAsked());
  };

  readonly #end = (): void => {
    this.#offEnds();
    this.#stop();
  };

  #offEnds(): void {
    for (const signal of ENDS) process.off(signal, this.#end);
  }
}
