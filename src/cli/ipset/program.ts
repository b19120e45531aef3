import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { IPSET_CMD, IPSET_ERR } from '../../ipset/constants.ts';
import type { KernelError } from '../../nfnetlink/index.ts';
import { isNetlinkError } from '../errors.ts';
import type { Io } from '../io.ts';
import { Output } from '../output.ts';
import { byteLines, lineEnd } from './byteLines.ts';
import { COMMAND } from './commands.ts';
import { Console, IPSET_VERSION } from './console.ts';
import type { Draft } from './draft.ts';
import { draftElementText } from './draftText.ts';
import { kernelErrorText } from './errorText.ts';
import { Finish, IPSET_EXIT, Pending } from './finish.ts';
import { Gathering } from './gathering.ts';
import { Hosts } from './hosts.ts';
import { type CachedSet, describeFailure, Kernel, type OpenRequester } from './kernel.ts';
import { LONGEST_LINE, type SplitLine, splitLine } from './line.ts';
import { list, writeFile } from './list.ts';
import { NetworkDatabase } from './netdb.ts';
import { type ParserContext, parseCommand, type ReadCommand } from './parser.ts';
import { PlainLine } from './plainLine.ts';
import type { Reading } from './reading.ts';
import { Report } from './report.ts';
import { requestMessage } from './requestMessage.ts';
import { Settings } from './settings.ts';
import { systemErrorText } from './systemErrorText.ts';

// a mark of byte order is a character like any other
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** ipset(8): one command line, a restore file or a conversation. */
export class Program {
  readonly #io: Io;
  readonly #report = new Report(() => {
    this.#reading.draft = {};
  });
  readonly #console: Console;
  readonly #settings = new Settings();
  readonly #output: Output;
  readonly #kernel: Kernel;
  readonly #sets = new Map<string, CachedSet>();
  readonly #gathering: Gathering;
  readonly #plain = new PlainLine();
  readonly #reading: Reading;
  readonly #context: ParserContext;

  constructor(io: Io, open?: OpenRequester) {
    this.#io = io;
    this.#output = new Output(io.stdout);
    this.#console = new Console(io, this.#report);
    this.#kernel = new Kernel(open);
    this.#gathering = new Gathering({ kernel: this.#kernel, report: this.#report, console: this.#console });
    this.#reading = {
      draft: {},
      report: this.#report,
      hosts: new Hosts(),
      database: new NetworkDatabase(),
      warnNow: () => this.#console.warnNow(),
    };
    this.#context = {
      reading: this.#reading,
      settings: this.#settings,
      console: this.#console,
      kernel: this.#kernel,
      sets: this.#sets,
    };
  }

  /** Runs to the end and returns the exit code. */
  async run(args: readonly string[]): Promise<number> {
    try {
      await this.#line(args);
      return IPSET_EXIT.DONE;
    } catch (error) {
      if (!(error instanceof Finish)) throw error;
      return error.exitCode;
    } finally {
      this.#console.flush();
      await this.#kernel.close();
    }
  }

  /** Reads one command line and does it. @returns a promise where something must be waited for */
  #line(args: readonly string[]): Promise<void> | undefined {
    const { file } = this.#settings;
    const { text, severity } = this.#report;
    const { draft } = this.#reading;
    this.#reading.draft = { ...draft };
    let read: ReadCommand;
    try {
      read = parseCommand(args, this.#context);
    } catch (error) {
      if (error instanceof Finish) return this.#finish(error);
      if (!(error instanceof Pending)) throw error;
      // the line is read from its beginning, once what it needs is known
      this.#console.discard();
      this.#settings.file = file;
      this.#report.text = text;
      this.#report.severity = severity;
      this.#reading.draft = draft;
      return error.work().then(() => this.#line(args));
    }
    const { command } = read;
    if (typeof command === 'number') return this.#perform(command);
    return command === 'interactive' ? this.#converse() : undefined;
  }

  /** Ends the program; of the elements that wait, those are sent that ipset(8) has sent by then. */
  async #finish(error: unknown): Promise<never> {
    await this.#gathering.sendWholePages();
    throw error;
  }

  #perform(command: number): Promise<void> | undefined {
    const isElement = command === IPSET_CMD.ADD || command === IPSET_CMD.DEL;
    // a draft that an error has made void lacks its set
    if (isElement && this.#report.line !== 0 && this.#reading.draft.setName !== undefined) {
      return this.#gather(command);
    }
    switch (command) {
      case COMMAND.RESTORE:
        return this.#restore();
      case COMMAND.QUIT:
        throw new Finish(IPSET_EXIT.DONE);
      case COMMAND.HELP:
        if (!this.#console.isInteractive) throw new Finish(IPSET_EXIT.DONE);
        return undefined;
      case COMMAND.VERSION:
        return this.#version();
    }
    return this.#performNow(command);
  }

  /** Does what cannot wait, behind the elements that do. */
  async #performNow(command: number): Promise<void> {
    const { line } = this.#report;
    await this.#gathering.commit();
    this.#report.line = line;
    const { draft } = this.#reading;
    if (await this.#ask(command, draft)) this.#remember(command, draft);
    this.#reading.draft = {};
    if (this.#report.severity > 0) this.#console.failWithReport();
  }

  /** Puts the element of a restore file to those that wait. */
  #gather(command: typeof IPSET_CMD.ADD | typeof IPSET_CMD.DEL): Promise<void> | undefined {
    const { draft, database } = this.#reading;
    this.#reading.draft = {};
    const { setName = '', type, family = 0 } = draft;
    const target = { command, setName, exist: this.#settings.isExist, type: type!.type };
    if (this.#report.severity === 0) this.#plain.aim(target, { type: type!, family }, database);
    return this.#gathering.take(target, draft);
  }

  async #version(): Promise<void> {
    this.#console.print(`${IPSET_VERSION}, protocol version: 7\n`);
    const answer = await this.#kernel.checkProtocol();
    if ('error' in answer) {
      this.#report.error(answer.error);
      this.#console.failWithReport();
    }
    if (!this.#console.isInteractive) throw new Finish(IPSET_EXIT.DONE);
  }

  /** Asks the kernel to do what the draft says. @returns whether it did; else the report says why not */
  async #ask(command: number, draft: Draft): Promise<boolean> {
    if (command === IPSET_CMD.LIST || command === IPSET_CMD.SAVE) return this.#list(command, draft);
    if (needsSet.has(command) && draft.setName === undefined) {
      return this.#report.error(`Invalid ${commandWord(command)} command: missing setname`);
    }
    try {
      const session = await this.#kernel.session();
      const protocol = await session.protocol();
      const options = { protocol, exist: this.#settings.isExist, line: this.#report.line };
      await session.requester.acknowledge(requestMessage(command, draft, options));
    } catch (error) {
      if (command === IPSET_CMD.TEST && errnoOf(error) === IPSET_ERR.EXIST) {
        const text = `${draftElementText(draft, this.#reading.database)} is NOT in set ${draft.setName}.`;
        if (this.#settings.isQuiet) this.#report.error('Internal protocol error');
        else this.#report.notice(text);
        return false;
      }
      this.#reportFailure(error, command, draft);
      return false;
    }
    if (command === IPSET_CMD.TEST && !this.#settings.isQuiet) {
      const element = draftElementText(draft, this.#reading.database);
      this.#report.warning(`${element} is in set ${draft.setName}.`);
    }
    return true;
  }

  #reportFailure(error: unknown, command: number, draft: Draft): void {
    const errno = errnoOf(error);
    const method = draft.type?.type.method;
    this.#report.error(
      errno === undefined ? describeFailure(error, command) : kernelErrorText(errno, command, method),
    );
  }

  /** Keeps what is known of sets in step with a command that was done. */
  #remember(command: number, { setName, setName2, type, family }: Draft): void {
    if (command === IPSET_CMD.CREATE) this.#sets.set(setName!, { type: type!, family: family ?? 0 });
    else if (command === IPSET_CMD.DESTROY && setName === undefined) this.#sets.clear();
    else if (command === IPSET_CMD.DESTROY) this.#sets.delete(setName!);
    else if (command === IPSET_CMD.RENAME || command === IPSET_CMD.SWAP) {
      this.#sets.delete(setName!);
      this.#sets.delete(setName2!);
    }
  }

  async #list(command: typeof IPSET_CMD.LIST | typeof IPSET_CMD.SAVE, draft: Draft): Promise<boolean> {
    const { settings, hosts, database } = { settings: this.#settings, ...this.#reading };
    settings.output ??= command === IPSET_CMD.LIST ? 'plain' : 'save';
    this.#console.flush();
    const request = { command, setName: draft.setName, mode: settings.output };
    const print = async (output: Output) => {
      const session = await this.#kernel.session();
      await list(request, { session, settings, hosts, database }, output);
    };
    try {
      if (settings.file === undefined) await print(this.#output);
      else await writeFile(settings.file, print);
      return true;
    } catch (error) {
      this.#output.discard();
      if (isOpenFailure(error)) this.#report.error(openFailure(settings.file!, 'writing', error));
      else this.#reportFailure(error, command, draft);
      return false;
    }
  }

  async #restore(): Promise<void> {
    const { file } = this.#settings;
    let line = 0;
    try {
      for await (const bytes of byteLines(this.#input(file), LONGEST_LINE)) {
        for (let at = 0; at < bytes.length; ) {
          this.#report.line = ++line;
          const start = at;
          at = this.#plain.read(bytes, start);
          let working: Promise<void> | undefined;
          if (at !== -1) {
            working = this.#gathering.takePlain(this.#plain);
          } else {
            at = lineEnd(bytes, start, LONGEST_LINE);
            working = this.#restoreLine(decoder.decode(bytes.subarray(start, at)));
          }
          if (working) await working;
        }
      }
    } catch (error) {
      if (isOpenFailure(error)) throw new Finish(255);
      throw error;
    }
    await this.#gathering.commit();
    throw new Finish(IPSET_EXIT.DONE);
  }

  #restoreLine(text: string): Promise<void> | undefined {
    this.#plain.forget();
    const trimmed = text.trimStart();
    if (trimmed === '' || trimmed.startsWith('#')) return undefined;
    if (trimmed === 'COMMIT\n' || trimmed === 'COMMIT\r\n') return this.#gathering.commit();
    return this.#words(splitLine(trimmed));
  }

  #input(file: string | undefined): Readable {
    return file === undefined ? this.#io.stdin : createReadStream(file);
  }

  /** One line of a restore file or of a conversation. */
  #words(words: SplitLine): Promise<void> | undefined {
    if (typeof words !== 'string') return this.#line(words);
    try {
      this.#console.fail(words === 'too long' ? 'Line is too long to parse.' : 'Missing close quote!');
      return undefined;
    } catch (error) {
      return this.#finish(error);
    }
  }

  async #converse(): Promise<void> {
    this.#console.isInteractive = true;
    const prompt = 'ipset> ';
    this.#console.print(prompt);
    this.#console.flush();
    for await (const bytes of byteLines(this.#io.stdin, LONGEST_LINE)) {
      for (let at = 0; at < bytes.length; ) {
        const end = lineEnd(bytes, at, LONGEST_LINE);
        const trimmed = decoder.decode(bytes.subarray(at, end)).trimStart();
        at = end;
        if (trimmed === '' || trimmed.startsWith('#')) this.#console.print(prompt);
        else await this.#words(splitLine(trimmed));
        this.#console.print(prompt);
        this.#console.flush();
      }
    }
    throw new Finish(IPSET_EXIT.DONE);
  }
}

const needsSet = new Set<number>([IPSET_CMD.CREATE, IPSET_CMD.ADD, IPSET_CMD.DEL, IPSET_CMD.TEST]);

function commandWord(command: number): string {
  return command === IPSET_CMD.CREATE
    ? 'create'
    : command === IPSET_CMD.ADD
      ? 'add'
      : command === IPSET_CMD.DEL
        ? 'del'
        : 'test';
}

function errnoOf(error: unknown): number | undefined {
  return isNetlinkError(error) && error.kind === 'kernel' ? (error as KernelError).errno : undefined;
}

function isOpenFailure(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).syscall === 'open';
}

function openFailure(file: string, purpose: string, error: unknown): string {
  const { errno } = error as NodeJS.ErrnoException;
  if (errno === undefined) throw error;
  return `Cannot open ${file} for ${purpose}: ${systemErrorText(-errno)}`;
}
