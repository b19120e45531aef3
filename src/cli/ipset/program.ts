import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { IPSET_CMD } from '../../ipset/constants.ts';
import { byteLines, lineEnd } from '../byteLines.ts';
import type { Io } from '../io.ts';
import { Output } from '../output.ts';
import { COMMAND } from './commands.ts';
import { Console, IPSET_VERSION } from './console.ts';
import { Finish, IPSET_EXIT, Pending } from './finish.ts';
import { Gathering } from './gathering.ts';
import { Hosts } from './hosts.ts';
import { Kernel, type OpenRequester } from './kernel.ts';
import { KernelCommands } from './kernelCommands.ts';
import { LONGEST_LINE, type SplitLine, splitLine } from './line.ts';
import { isOpenFailure } from './list.ts';
import { NetworkDatabase } from './netdb.ts';
import { parseCommand, type ReadCommand } from './parser.ts';
import type { ParserContext } from './parserContext.ts';
import { PlainLine } from './plainLine.ts';
import type { Reading } from './reading.ts';
import { Report } from './report.ts';
import { Settings } from './settings.ts';

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
  readonly #commands: KernelCommands;
  readonly #kernel: Kernel;
  readonly #gathering: Gathering;
  readonly #plain = new PlainLine();
  readonly #reading: Reading;
  readonly #context: ParserContext;

  constructor(io: Io, open?: OpenRequester) {
    this.#io = io;
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
      sets: new Map(),
    };
    this.#commands = new KernelCommands(this.#context, new Output(io.stdout));
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
    await this.#commands.perform(command, draft);
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
