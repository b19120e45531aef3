import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { IPSET_CMD, IPSET_ERR } from '../../ipset/constants.ts';
import {
  createMessage,
  destroyMessage,
  elementMessage,
  plainMessage,
  twoNamesMessage,
} from '../../ipset/messages.ts';
import type { SetTypeName } from '../../ipset/setType.ts';
import type { KernelError } from '../../nfnetlink/index.ts';
import { isNetlinkError } from '../errors.ts';
import type { Io } from '../io.ts';
import { COMMAND } from './commands.ts';
import { Console, IPSET_VERSION } from './console.ts';
import type { Draft } from './draft.ts';
import { draftElementText } from './draftText.ts';
import { readElement } from './elementReader.ts';
import { kernelErrorText } from './errorText.ts';
import { Finish, IPSET_EXIT, Pending } from './finish.ts';
import { Hosts } from './hosts.ts';
import { type CachedSet, describeFailure, Kernel, type OpenRequester } from './kernel.ts';
import { LONGEST_LINE, type SplitLine, splitLine } from './line.ts';
import { fileSink, list, type Sink, streamSink } from './list.ts';
import { NetworkDatabase } from './netdb.ts';
import { isAllowed, type ParserContext, parseCommand } from './parser.ts';
import type { Reading } from './reading.ts';
import { Report } from './report.ts';
import { type Refusal, RestoreBatch } from './restoreBatch.ts';
import { Settings } from './settings.ts';
import { systemErrorText } from './systemErrorText.ts';
import { textLines } from './textLines.ts';

/** ipset(8): one command line, a restore file or a conversation. */
export class Program {
  readonly #io: Io;
  readonly #report = new Report(() => {
    this.#reading.draft = {};
  });
  readonly #console: Console;
  readonly #settings = new Settings();
  readonly #kernel: Kernel;
  readonly #sets = new Map<string, CachedSet>();
  readonly #batch = new RestoreBatch();
  readonly #reading: Reading;
  readonly #context: ParserContext;

  constructor(io: Io, open?: OpenRequester) {
    this.#io = io;
    this.#console = new Console(io, this.#report);
    this.#kernel = new Kernel(open);
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

  /** Reads one command line and does it. */
  async #line(args: readonly string[]): Promise<void> {
    let command: number | 'done' | 'failed' | 'interactive';
    try {
      command = await this.#parse(args);
    } catch (error) {
      if (error instanceof Finish) await this.#sendWholePages();
      throw error;
    }
    if (typeof command === 'number') await this.#perform(command);
    else if (command === 'interactive') await this.#converse();
  }

  /** Reads a command line; again, where something had to be asked for. */
  async #parse(args: readonly string[]): Promise<number | 'done' | 'failed' | 'interactive'> {
    const draft = this.#reading.draft;
    for (;;) {
      const { file } = this.#settings;
      const { text, severity } = this.#report;
      this.#reading.draft = { ...draft };
      try {
        return parseCommand(args, this.#context).command;
      } catch (error) {
        if (!(error instanceof Pending)) throw error;
        this.#console.discard();
        this.#settings.file = file;
        this.#report.text = text;
        this.#report.severity = severity;
        await error.work();
      }
    }
  }

  async #perform(command: number): Promise<void> {
    const line = this.#report.line;
    const isElement = command === IPSET_CMD.ADD || command === IPSET_CMD.DEL;
    if (line !== 0 && isElement && this.#isWhole()) {
      await this.#gather(command, this.#reading.draft, line);
      this.#reading.draft = {};
      return;
    }
    switch (command) {
      case COMMAND.RESTORE:
        return this.#restore();
      case COMMAND.QUIT:
        throw new Finish(IPSET_EXIT.DONE);
      case COMMAND.HELP:
        if (!this.#console.isInteractive) throw new Finish(IPSET_EXIT.DONE);
        return;
      case COMMAND.VERSION:
        return this.#version();
    }
    await this.#commit();
    this.#report.line = line;
    const { draft } = this.#reading;
    if (await this.#ask(command, draft)) this.#remember(command, draft);
    this.#reading.draft = {};
    if (this.#report.severity > 0) this.#console.failWithReport();
  }

  /** A draft that an error has made void lacks its set. */
  #isWhole(): boolean {
    return this.#reading.draft.setName !== undefined;
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
      await session.requester.acknowledge(this.#message(command, draft, protocol));
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

  #message(command: number, draft: Draft, protocol: number): Uint8Array {
    const { setName, setName2 = '' } = draft;
    const { isExist } = this.#settings;
    switch (command) {
      case IPSET_CMD.CREATE: {
        const { type, revision } = draft.type!;
        const family = draft.family ?? 0;
        const head = { protocol, setName, typeName: type.name as SetTypeName, revision, family };
        return createMessage({ ...head, data: draft }, isExist);
      }
      case IPSET_CMD.DESTROY:
        return destroyMessage(protocol, setName, isExist);
      case IPSET_CMD.RENAME:
      case IPSET_CMD.SWAP:
        return twoNamesMessage(command, { protocol, setName, setName2 });
      case IPSET_CMD.ADD:
      case IPSET_CMD.DEL:
      case IPSET_CMD.TEST: {
        const data = this.#report.line === 0 && command !== IPSET_CMD.TEST ? { ...draft, line: 0 } : draft;
        return elementMessage(command, { protocol, setName, data }, isExist);
      }
      default:
        return plainMessage(command, { protocol, setName });
    }
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
    this.#settings.output ??= command === IPSET_CMD.LIST ? 'plain' : 'save';
    this.#console.flush();
    let sink: Sink | undefined;
    try {
      sink = settings.file === undefined ? streamSink(this.#io) : await fileSink(settings.file);
      const session = await this.#kernel.session();
      const request = { command, setName: draft.setName, mode: this.#settings.output };
      await list(request, { session, settings, hosts, database }, sink);
      return true;
    } catch (error) {
      if (sink || isNetlinkError(error)) this.#reportFailure(error, command, draft);
      else this.#report.error(openFailure(settings.file!, 'writing', error));
      return false;
    } finally {
      await sink?.close();
    }
  }

  /** Takes an element of a restore file; sends those that wait where it cannot join them. */
  async #gather(
    command: typeof IPSET_CMD.ADD | typeof IPSET_CMD.DEL,
    draft: Draft,
    line: number,
  ): Promise<void> {
    if (!this.#batch.takes(command, draft.setName!)) await this.#commit();
    const { isExist } = this.#settings;
    if (!this.#batch.add(command, draft, line, isExist)) return;
    await this.#commit();
    this.#batch.add(command, draft, line, isExist);
  }

  /** Sends the elements that wait. @throws Finish where the kernel refused one */
  async #commit(): Promise<void> {
    if (!this.#batch.isEmpty) await this.#send('send');
  }

  /** A wrong line ends the program; what ipset(8) has sent by then is sent. */
  async #sendWholePages(): Promise<void> {
    if (this.#batch.isEmpty) return;
    this.#report.reset();
    const said = this.#console.hold();
    await this.#send('sendWhole');
    this.#console.resume(said);
  }

  async #send(how: 'send' | 'sendWhole'): Promise<void> {
    let refusal: Refusal | undefined;
    try {
      const session = await this.#kernel.session();
      refusal = await this.#batch[how](session.requester, await session.protocol());
    } catch (error) {
      this.#report.error(describeFailure(error, IPSET_CMD.ADD));
      this.#console.failWithReport();
    }
    if (!refusal) return;
    const { errno, command, type, line } = refusal;
    if (line !== undefined) this.#report.line = line;
    this.#report.error(kernelErrorText(errno, command, type.method));
    this.#console.failWithReport();
  }

  async #restore(): Promise<void> {
    const { file } = this.#settings;
    let line = 0;
    try {
      for await (const texts of textLines(this.#input(file), LONGEST_LINE)) {
        for (const text of texts) {
          this.#report.line = ++line;
          const working = this.#restoreLine(text);
          if (working) await working;
        }
      }
    } catch (error) {
      if (isOpenFailure(error)) throw new Finish(255);
      throw error;
    }
    await this.#commit();
    throw new Finish(IPSET_EXIT.DONE);
  }

  /** Nothing is left to wait for where the line is an element that joins those that wait. */
  #restoreLine(text: string): Promise<void> | undefined {
    const trimmed = text.trimStart();
    if (trimmed === '' || trimmed.startsWith('#')) return undefined;
    if (trimmed === 'COMMIT\n' || trimmed === 'COMMIT\r\n') return this.#commit();
    const words = splitLine(trimmed);
    if (typeof words !== 'string' && this.#gatherAtOnce(words)) return undefined;
    return this.#words(words);
  }

  /** The usual line of a restore file. @returns false, with nothing done, where it is another one */
  #gatherAtOnce(words: readonly string[]): boolean {
    const command = elementCommands.get(words[0]!);
    const setName = words[1];
    if (command === undefined || setName === undefined || words.length !== 3) return false;
    const { report } = this.#reading;
    const set = this.#sets.get(setName);
    if (!set || report.severity > 0 || words[2]!.startsWith('-') || setName.startsWith('-')) return false;
    if (!this.#batch.takes(command, setName)) return false;
    const draft: Draft = { setName, type: set.type, family: set.family };
    this.#reading.draft = draft;
    let isRead = false;
    try {
      isRead = readElement(this.#reading, set.type.grammar, words[2]!);
    } catch (error) {
      if (!(error instanceof Pending)) throw error;
    }
    this.#reading.draft = {};
    if (!isRead || report.severity > 0 || !isComplete(draft, command, set)) {
      // read again below, where its faults are told
      this.#console.discard();
      report.reset();
      return false;
    }
    return !this.#batch.add(command, draft, report.line, this.#settings.isExist);
  }

  #input(file: string | undefined): Readable {
    return file === undefined ? this.#io.stdin : createReadStream(file);
  }

  /** One line of a restore file or of a conversation. */
  async #words(words: SplitLine): Promise<void> {
    try {
      if (words === 'too long') this.#console.fail('Line is too long to parse.');
      else if (words === 'open quote') this.#console.fail('Missing close quote!');
    } catch (error) {
      await this.#sendWholePages();
      throw error;
    }
    if (typeof words === 'string') return;
    await this.#line(words);
  }

  async #converse(): Promise<void> {
    this.#console.isInteractive = true;
    const prompt = 'ipset> ';
    this.#console.print(prompt);
    this.#console.flush();
    for await (const texts of textLines(this.#io.stdin, LONGEST_LINE)) {
      for (const text of texts) {
        const trimmed = text.trimStart();
        if (trimmed === '' || trimmed.startsWith('#')) this.#console.print(prompt);
        else await this.#words(splitLine(trimmed));
        this.#console.print(prompt);
        this.#console.flush();
      }
    }
    throw new Finish(IPSET_EXIT.DONE);
  }
}

const elementCommands = new Map<string, typeof IPSET_CMD.ADD | typeof IPSET_CMD.DEL>([
  ['add', IPSET_CMD.ADD],
  ['del', IPSET_CMD.DEL],
]);

/** Whether an element has what its type needs, and nothing else. */
function isComplete(draft: Draft, command: number, { type }: CachedSet): boolean {
  return isAllowed(draft, command === IPSET_CMD.ADD ? type.grammar.add : type.grammar.del);
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
