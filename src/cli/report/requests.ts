/**
 * Requests for what is known so far: SIGUSR1. It is made before anything else is done, since a SIGUSR1 that nobody
 * listens for starts Node's debugger, which listens on the network.
 */
export class Requests {
  #answer: (() => Promise<void>) | undefined;
  #work: Promise<void> = Promise.resolve();
  /** One request waits for the answer before it: more would be answered the same. */
  #isWaiting = false;

  constructor() {
    process.on('SIGUSR1', this.#ask);
  }

  /** Answers them from now on, one after the other. The answer must not reject. */
  answerBy(answer: () => Promise<void>): void {
    this.#answer = answer;
  }

  /** Answers no more; resolves when the last answer is given. */
  settle(): Promise<void> {
    this.#answer = undefined;
    return this.#work;
  }

  close(): void {
    process.off('SIGUSR1', this.#ask);
  }

  readonly #ask = (): void => {
    const answer = this.#answer;
    if (!answer || this.#isWaiting) return;
    this.#isWaiting = true;
    this.#work = this.#work.then(() => {
      this.#isWaiting = false;
      return answer();
    });
  };
}
