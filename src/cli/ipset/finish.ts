/** Ends the program with an exit code, from wherever it is thrown; everything was said already. */
export class Finish extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.name = 'Finish';
    this.exitCode = exitCode;
  }
}

/** Exit codes of ipset(8). */
export const IPSET_EXIT = { DONE: 0, OTHER: 1, PARAMETER: 2 } as const;

/**
 * A command line needs something that takes time (a host's name, a set's type): the work is done and the
 * line is read again from its beginning, with the answer at hand. Reading stays plain, synchronous code.
 */
export class Pending extends Error {
  readonly work: () => Promise<void>;
  constructor(work: () => Promise<void>) {
    super('pending');
    this.name = 'Pending';
    this.work = work;
  }
}
