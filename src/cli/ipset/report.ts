/** How grave a report is, in ascending order. */
export const SEVERITY = { NONE: 0, WARNING: 1, NOTICE: 2, ERROR: 3 } as const;
export type Severity = (typeof SEVERITY)[keyof typeof SEVERITY];

/** Characters that a report holds; the rest is cut off, as in lib/session.c of ipset. */
const LONGEST = 1022;

/**
 * What went wrong, gathered until it is printed. Reports of one kind stand one below the other; a graver
 * one drops what was said before. An error in a restore file begins with its line, and replaces the
 * errors before it.
 */
export class Report {
  text = '';
  severity: Severity = SEVERITY.NONE;
  /** Line of the restore file; 0 outside of one. */
  line = 0;
  /** Called by each error: what was read of the command so far is void. */
  readonly #onError: () => void;

  constructor(onError: () => void) {
    this.#onError = onError;
  }

  /** Adds an error. @returns false, for callers that hand it on */
  error(text: string): false {
    if (this.severity !== SEVERITY.NONE && this.severity < SEVERITY.ERROR) this.text = '';
    if (this.line !== 0) this.text = `Error in line ${this.line}: `;
    this.#append(text);
    this.severity = SEVERITY.ERROR;
    this.#onError();
    return false;
  }

  syntax(text: string): false {
    return this.error(`Syntax error: ${text}`);
  }

  /** Adds a warning. @returns false */
  warning(text: string): false {
    this.#append(text);
    this.severity = SEVERITY.WARNING;
    return false;
  }

  /** Adds a notice: a failure that is no error. */
  notice(text: string): void {
    if (this.severity === SEVERITY.WARNING) this.text = '';
    this.#append(text);
    this.severity = SEVERITY.NOTICE;
  }

  /** Makes an error of the warnings so far. @returns false */
  promote(): false {
    this.severity = SEVERITY.ERROR;
    this.#onError();
    return false;
  }

  reset(): void {
    this.text = '';
    this.severity = SEVERITY.NONE;
  }

  #append(text: string): void {
    this.text = `${(this.text + text).slice(0, LONGEST)}\n`;
  }
}
