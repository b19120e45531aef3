/** The version that this command stands for: its lines begin with it, and scripts look for it. */
export const CONNTRACK_VERSION = '1.4.7';

/** What every line of conntrack(8) about the outcome begins with. */
export const PREFIX = `conntrack v${CONNTRACK_VERSION} (conntrack-tools): `;

/** Exit codes of conntrack(8). */
export const STATUS = { DONE: 0, FAILED: 1, WRONG_PARAMETER: 2 } as const;

/** The end of the command, with what conntrack(8) says about it on standard error. */
export class ConntrackExit extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'ConntrackExit';
    this.status = status;
  }

  /** The text for standard error. */
  get text(): string {
    const hint =
      this.status === STATUS.WRONG_PARAMETER
        ? "Try `conntrack -h' or 'conntrack --help' for more information.\n"
        : '';
    return `${PREFIX}${this.message}\n${hint}`;
  }
}

/** A command line that makes no sense: exit code 2. */
export function wrongParameter(message: string): ConntrackExit {
  return new ConntrackExit(STATUS.WRONG_PARAMETER, message);
}

/** Anything else that goes wrong: exit code 1. */
export function failure(message: string): ConntrackExit {
  return new ConntrackExit(STATUS.FAILED, message);
}
