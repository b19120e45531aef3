import { IPSET_CMD } from '../../ipset/constants.ts';
import type { Console } from './console.ts';
import type { Draft } from './draft.ts';
import { kernelErrorText } from './errorText.ts';
import { describeFailure, type Kernel } from './kernel.ts';
import type { PlainLine } from './plainLine.ts';
import type { Report } from './report.ts';
import { type Refusal, RestoreBatch, type RestoreTarget } from './restoreBatch.ts';

/** What the gathering shares with the rest of the program. */
export interface GatheringContext {
  readonly kernel: Kernel;
  readonly report: Report;
  readonly console: Console;
}

/** The elements of a restore file that wait for others to go to the kernel with. */
export class Gathering {
  readonly #context: GatheringContext;
  readonly #batch = new RestoreBatch();

  constructor(context: GatheringContext) {
    this.#context = context;
  }

  /**
   * Takes the element of a line. @returns a promise where those that wait are sent before
   * @throws Finish where the kernel refused one of them
   */
  take(target: RestoreTarget, draft: Draft): Promise<void> | undefined {
    const { line } = this.#context.report;
    if (this.#batch.add(target, draft, line)) return undefined;
    return this.commit().then(() => void this.#batch.add(target, draft, line));
  }

  /** Takes the element of a plain line, likewise. */
  takePlain(plain: PlainLine): Promise<void> | undefined {
    const { line } = this.#context.report;
    if (this.#batch.addPlain(plain, line)) return undefined;
    return this.commit().then(() => void this.#batch.addPlain(plain, line));
  }

  /** Sends the elements that wait. @throws Finish where the kernel refused one */
  async commit(): Promise<void> {
    if (!this.#batch.isEmpty) await this.#send('send');
  }

  /** Sends what ipset(8) has sent when a wrong line ends the program. @throws Finish, likewise */
  async sendWholePages(): Promise<void> {
    if (this.#batch.isEmpty) return;
    const { report, console } = this.#context;
    report.reset();
    const said = console.hold();
    await this.#send('sendWhole');
    console.resume(said);
  }

  async #send(how: 'send' | 'sendWhole'): Promise<void> {
    const { kernel, report, console } = this.#context;
    let refusal: Refusal | undefined;
    try {
      const session = await kernel.session();
      refusal = await this.#batch[how](session.requester, await session.protocol());
    } catch (error) {
      report.error(describeFailure(error, IPSET_CMD.ADD));
      console.failWithReport();
    }
    if (!refusal) return;
    const { error, line, target } = refusal;
    report.line = line;
    report.error(kernelErrorText(error.errno, target.command, target.type.method));
    console.failWithReport();
  }
}
