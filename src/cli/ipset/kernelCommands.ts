import { IPSET_CMD, IPSET_ERR } from '../../ipset/constants.ts';
import type { KernelError } from '../../nfnetlink/index.ts';
import { isNetlinkError } from '../errors.ts';
import type { Output } from '../output.ts';
import { commandName } from './commands.ts';
import type { Draft } from './draft.ts';
import { draftElementText } from './draftText.ts';
import { kernelErrorText } from './errorText.ts';
import { describeFailure } from './kernel.ts';
import { isOpenFailure, list, writeFile } from './list.ts';
import type { ParserContext } from './parserContext.ts';
import { requestMessage } from './requestMessage.ts';
import { systemErrorText } from './systemErrorText.ts';

/** The commands that the kernel does; what it refuses is put into the report. */
export class KernelCommands {
  readonly #context: ParserContext;
  readonly #output: Output;

  constructor(context: ParserContext, output: Output) {
    this.#context = context;
    this.#output = output;
  }

  /** Has the kernel do what the draft says. */
  async perform(command: number, draft: Draft): Promise<void> {
    if (await this.#ask(command, draft)) this.#remember(command, draft);
  }

  /** Asks the kernel to do what the draft says. @returns whether it did; else the report says why not */
  async #ask(command: number, draft: Draft): Promise<boolean> {
    const { settings, kernel, reading } = this.#context;
    const { report, database } = reading;
    if (command === IPSET_CMD.LIST || command === IPSET_CMD.SAVE) return this.#list(command, draft);
    if (needsSet.has(command) && draft.setName === undefined) {
      return report.error(`Invalid ${commandName(command)} command: missing setname`);
    }
    try {
      const session = await kernel.session();
      const protocol = await session.protocol();
      const options = { protocol, exist: settings.isExist, line: report.line };
      await session.requester.acknowledge(requestMessage(command, draft, options));
    } catch (error) {
      if (command === IPSET_CMD.TEST && errnoOf(error) === IPSET_ERR.EXIST) {
        const text = `${draftElementText(draft, database)} is NOT in set ${draft.setName}.`;
        if (settings.isQuiet) report.error('Internal protocol error');
        else report.notice(text);
        return false;
      }
      this.#reportFailure(error, command, draft);
      return false;
    }
    if (command === IPSET_CMD.TEST && !settings.isQuiet) {
      const element = draftElementText(draft, database);
      report.warning(`${element} is in set ${draft.setName}.`);
    }
    return true;
  }

  #reportFailure(error: unknown, command: number, draft: Draft): void {
    const errno = errnoOf(error);
    const method = draft.type?.type.method;
    this.#context.reading.report.error(
      errno === undefined ? describeFailure(error, command) : kernelErrorText(errno, command, method),
    );
  }

  /** Keeps what is known of sets in step with a command that was done. */
  #remember(command: number, { setName, setName2, type, family }: Draft): void {
    const { sets } = this.#context;
    if (command === IPSET_CMD.CREATE) sets.set(setName!, { type: type!, family: family ?? 0 });
    else if (command === IPSET_CMD.DESTROY && setName === undefined) sets.clear();
    else if (command === IPSET_CMD.DESTROY) sets.delete(setName!);
    else if (command === IPSET_CMD.RENAME || command === IPSET_CMD.SWAP) {
      sets.delete(setName!);
      sets.delete(setName2!);
    }
  }

  async #list(command: typeof IPSET_CMD.LIST | typeof IPSET_CMD.SAVE, draft: Draft): Promise<boolean> {
    const { settings, console, kernel, reading } = this.#context;
    const { hosts, database, report } = reading;
    settings.output ??= command === IPSET_CMD.LIST ? 'plain' : 'save';
    console.flush();
    const request = { command, setName: draft.setName, mode: settings.output };
    const print = async (output: Output) => {
      const session = await kernel.session();
      await list(request, { session, settings, hosts, database }, output);
    };
    try {
      if (settings.file === undefined) await print(this.#output);
      else await writeFile(settings.file, print);
      return true;
    } catch (error) {
      this.#output.discard();
      if (isOpenFailure(error)) report.error(openFailure(settings.file!, error));
      else this.#reportFailure(error, command, draft);
      return false;
    }
  }
}

const needsSet = new Set<number>([IPSET_CMD.CREATE, IPSET_CMD.ADD, IPSET_CMD.DEL, IPSET_CMD.TEST]);

function errnoOf(error: unknown): number | undefined {
  return isNetlinkError(error) && error.kind === 'kernel' ? (error as KernelError).errno : undefined;
}

function openFailure(file: string, error: unknown): string {
  const { errno } = error as NodeJS.ErrnoException;
  if (errno === undefined) throw error;
  return `Cannot open ${file} for writing: ${systemErrorText(-errno)}`;
}
