import type { Io } from '../io.ts';
import { Finish, IPSET_EXIT } from './finish.ts';
import { type Report, SEVERITY } from './report.ts';

/** What the program calls itself in its messages; scripts look for it. */
export const IPSET_VERSION = 'ipset v7.17';

/**
 * Where messages go, and how they end the program. They are held back until the line is done, so that a
 * line that is read again says nothing twice.
 */
export class Console {
  isInteractive = false;
  isQuiet = false;
  #out = '';
  #err = '';
  readonly #io: Io;
  readonly #report: Report;

  constructor(io: Io, report: Report) {
    this.#io = io;
    this.#report = report;
  }

  /** Text for standard output. */
  print(text: string): void {
    this.#out += text;
  }

  /** Forgets what the line has said so far. */
  discard(): void {
    this.#out = '';
    this.#err = '';
  }

  /** Takes back what was said last, until `resume`. */
  hold(): { out: string; err: string } {
    const said = { out: this.#out, err: this.#err };
    this.discard();
    return said;
  }

  resume(said: { readonly out: string; readonly err: string }): void {
    this.#out += said.out;
    this.#err += said.err;
  }

  /** Hands over what was said. */
  flush(): void {
    if (this.#out !== '') this.#io.stdout.write(this.#out);
    if (this.#err !== '') this.#io.stderr.write(this.#err);
    this.discard();
  }

  /** Prints the warnings of the report at once. */
  warnNow(): void {
    if (!this.isQuiet) this.#err += `Warning: ${this.#report.text}`;
    this.#report.reset();
  }

  /**
   * An error that is not in the report. Ends the program, but in interactive mode.
   * @throws Finish
   */
  fail(text: string, isParameter = true): void {
    this.#say(`${text}\n`);
    if (isParameter && !this.#isSilent) this.#err += "Try `ipset help' for more information.\n";
    if (this.isInteractive) this.#report.reset();
    else throw new Finish(isParameter ? IPSET_EXIT.PARAMETER : IPSET_EXIT.OTHER);
  }

  /**
   * Prints the report. Ends the program, but in interactive mode; a warning is no failure.
   * @throws Finish
   */
  failWithReport(): void {
    const { severity, text } = this.#report;
    if (severity === SEVERITY.ERROR) this.#say(text);
    else if (severity !== SEVERITY.NONE && !this.isQuiet) {
      this.#err += `${severity === SEVERITY.WARNING ? 'Warning: ' : ''}${text}`;
    }
    this.#report.reset();
    if (!this.isInteractive)
      throw new Finish(severity <= SEVERITY.WARNING ? IPSET_EXIT.DONE : IPSET_EXIT.OTHER);
  }

  get #isSilent(): boolean {
    return this.isQuiet && !this.isInteractive;
  }

  #say(text: string): void {
    if (!this.#isSilent) this.#err += `${IPSET_VERSION}: ${text}`;
  }
}
