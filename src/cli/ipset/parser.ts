import { IPSET_CMD } from '../../ipset/constants.ts';
import { AF } from '../../nfnetlink/constants.ts';
import { COMMAND, commandName, findCommand, isOption, type OptionSpec, options } from './commands.ts';
import type { Console } from './console.ts';
import type { Draft } from './draft.ts';
import { readElement } from './elementReader.ts';
import { type Field, fieldNumbers, fields } from './fields.ts';
import { Pending } from './finish.ts';
import { helpText, typeHelpText } from './help.ts';
import type { Answer, CachedSet, Kernel } from './kernel.ts';
import { keywords } from './keywords.ts';
import type { KnownType } from './knownType.ts';
import type { Reading } from './reading.ts';
import type { Settings } from './settings.ts';
import { readSetName } from './textReaders.ts';
import { type CommandGrammar, findGrammar, type TypeGrammar } from './typeGrammar.ts';

/** A command that was read; its arguments are in the draft. Nothing is left to do for DONE. */
export interface ReadCommand {
  readonly command: number | 'done' | 'interactive' | 'failed';
}

const done: ReadCommand = { command: 'done' };
const failed: ReadCommand = { command: 'failed' };

/** What reading a command line has at hand. */
export interface ParserContext {
  readonly reading: Reading;
  readonly settings: Settings;
  readonly console: Console;
  readonly kernel: Kernel;
  /** Sets that this process knows by heart: those that it made, and those that it has asked for. */
  readonly sets: SetCache;
}

/** What is known of the sets of a restore file. */
export interface SetCache {
  get(name: string): CachedSet | undefined;
  set(name: string, value: CachedSet): void;
}

const MOST_WORDS = 31;

/**
 * Reads a command line up to what there is to do. The order of the checks is that of ipset(8), since the
 * first that fails is what the user hears of.
 * @throws Finish where a message ended the program; Pending where the kernel or a resolver must be asked
 */
export function parseCommand(args: readonly string[], context: ParserContext): ReadCommand {
  const { console } = context;
  if (args.length > MOST_WORDS) {
    console.fail('Line is too long to parse.');
    return failed;
  }
  const words = [...args];
  if (!takeOptions(words, context)) return failed;
  const spec = words.length > 0 ? findCommand(words[0]!) : undefined;
  if (!spec) return withoutCommand(words, context);
  if (context.reading.report.line !== 0 && invalidInRestore.has(spec.command)) {
    console.fail(`Command \`${spec.names[0]}' is invalid in restore mode.`);
    return failed;
  }
  if (console.isInteractive && spec.command === COMMAND.RESTORE) {
    console.print('Restore command is not supported in interactive mode\n');
    return done;
  }
  words.shift();
  if (spec.arguments === 'two' && words.length === 0) {
    console.fail(`Missing mandatory argument to command ${spec.names[0]}`);
    return failed;
  }
  const first = spec.arguments === 'none' ? undefined : words.shift();
  if (spec.arguments === 'two' && words.length === 0) {
    console.fail(`Missing second mandatory argument to command ${spec.names[0]}`);
    return failed;
  }
  const second = spec.arguments === 'two' ? words.shift() : undefined;
  return parseArguments(spec.command, first, second, words, context);
}

const invalidInRestore = new Set<number>([COMMAND.RESTORE, COMMAND.VERSION, COMMAND.HELP]);

/** Takes the options off the line, in the order of their table; each sets what holds from now on. */
function takeOptions(words: string[], context: ParserContext): boolean {
  if (!words.some((word) => word.startsWith('-'))) return true;
  for (const spec of options) {
    for (let i = 0; i < words.length; ) {
      if (!isOption(words[i]!, spec)) i++;
      else if (!takeOption(words, i, spec, context)) return false;
    }
  }
  return true;
}

function takeOption(words: string[], at: number, spec: OptionSpec, context: ParserContext): boolean {
  const { console, settings, reading } = context;
  words.splice(at, 1);
  if (spec.takesValue && at >= words.length) {
    console.fail(`Missing mandatory argument to option ${spec.names[0]}`);
    return false;
  }
  const [value = ''] = spec.takesValue ? words.splice(at, 1) : [];
  const complaint = settings.set(spec.option, value);
  if (spec.option === 'quiet') console.isQuiet = true;
  if (complaint === undefined) return true;
  if (spec.option === 'file') {
    console.fail(complaint);
  } else {
    reading.report.syntax(complaint);
    console.failWithReport();
  }
  return false;
}

function withoutCommand(words: readonly string[], { console }: ParserContext): ReadCommand {
  if (console.isInteractive) {
    console.print('No command specified\n');
    return done;
  }
  if (words[0] === '-') return { command: 'interactive' };
  const unknown = words.length > 0 ? `: unknown argument ${words[0]}` : '.';
  console.fail(`No command specified${unknown}`);
  return failed;
}

function parseArguments(
  command: number,
  first: string | undefined,
  second: string | undefined,
  rest: string[],
  context: ParserContext,
): ReadCommand {
  switch (command) {
    case COMMAND.HELP:
      return help(first, context);
    case COMMAND.VERSION:
    case COMMAND.QUIT:
      return { command };
    case COMMAND.CREATE:
      if (!parseCreate(first!, second!, rest, context)) return failed;
      break;
    case COMMAND.ADD:
    case COMMAND.DEL:
    case COMMAND.TEST:
      if (!parseElementCommand(command, first!, second!, rest, context)) return failed;
      break;
    case COMMAND.RENAME:
    case COMMAND.SWAP:
      if (!readName('setName', first!, context) || !readName('setName2', second!, context)) return failed;
      break;
    case COMMAND.RESTORE:
      break;
    default:
      if (first !== undefined && !readName('setName', first, context)) return failed;
  }
  if (rest.length > 0 && !takesOptions.has(command)) {
    context.console.fail(`Unknown argument ${rest[0]}`);
    return failed;
  }
  return { command };
}

const takesOptions = new Set<number>([COMMAND.CREATE, COMMAND.ADD, COMMAND.DEL, COMMAND.TEST]);

function readName(field: 'setName' | 'setName2', text: string, { reading, console }: ParserContext): boolean {
  if (readSetName(field)(reading, text)) return true;
  console.failWithReport();
  return false;
}

function help(typeName: string | undefined, { console, settings }: ParserContext): ReadCommand {
  const grammar = typeName === undefined ? undefined : findGrammar(typeName);
  const isBrief = settings.isQuiet && !console.isInteractive;
  if (typeName !== undefined && !grammar && !isBrief) {
    console.print(helpText('commands'));
    console.fail(`Unknown settype: \`${typeName}'`);
    return done;
  }
  console.print(helpText(isBrief || grammar ? 'commands' : 'all'));
  if (grammar && !isBrief) console.print(typeHelpText(grammar));
  return { command: COMMAND.HELP };
}

/** Takes what was asked for, or prints why there is none. */
function orFail<T>(answer: Answer<T>, { reading, console }: ParserContext): T | undefined {
  if ('value' in answer) return answer.value;
  reading.report.error(answer.error);
  console.failWithReport();
  return undefined;
}

function parseCreate(setName: string, typeName: string, rest: string[], context: ParserContext): boolean {
  const { reading, console } = context;
  if (!readName('setName', setName, context)) return false;
  const type = findType(typeName, context);
  if (!type) return false;
  const { grammar } = type;
  if (!readOptions('family', grammar.create, COMMAND.CREATE, type, rest, context)) return false;
  if (!readOptions('others', grammar.create, COMMAND.CREATE, type, rest, context)) return false;
  checkNeeded(grammar.create, reading.draft, console);
  checkAllowed(COMMAND.CREATE, grammar.create, grammar, reading.draft, console);
  return true;
}

function findType(typeName: string, context: ParserContext): KnownType | undefined {
  const { reading, kernel, console } = context;
  const { report } = reading;
  if (Buffer.byteLength(typeName) > 31) {
    report.syntax(`typename '${typeName}' is longer than 31 characters`);
    console.failWithReport();
    return undefined;
  }
  const grammar = findGrammar(typeName);
  if (!grammar) {
    report.syntax(`typename '${typeName}' is unknown`);
    console.failWithReport();
    return undefined;
  }
  const family = assumedFamily(grammar, context);
  const known =
    kernel.knownType(grammar.name) ??
    answered(`type ${grammar.name}`, context, () => kernel.learnType(grammar, family));
  if (!known) return undefined;
  const { draft } = reading;
  draft.type = known;
  if (draft.family === undefined && hasFamily(grammar)) {
    draft.family = AF.INET;
    draft.isFamilyAssumed = !isIpv4Only(grammar);
  }
  return known;
}

/** The answer to a question that was asked while this line was read the first time. */
function answered<T>(key: string, context: ParserContext, ask: () => Promise<Answer<T>>): T | undefined {
  const { answers } = context.settings;
  const answer = answers.get(key) as Answer<T> | undefined;
  if (answer) {
    answers.delete(key);
    return orFail(answer, context);
  }
  throw new Pending(async () => {
    answers.set(key, await ask());
  });
}

function hasFamily({ name }: TypeGrammar): boolean {
  return name !== 'bitmap:port' && name !== 'list:set' && name !== 'hash:mac';
}

function isIpv4Only({ name }: TypeGrammar): boolean {
  return name.startsWith('bitmap:');
}

function assumedFamily(grammar: TypeGrammar, { reading }: ParserContext): number {
  return reading.draft.family ?? (hasFamily(grammar) ? AF.INET : AF.UNSPEC);
}

function parseElementCommand(
  command: number,
  setName: string,
  element: string,
  rest: string[],
  context: ParserContext,
): boolean {
  const { reading, console } = context;
  if (!readName('setName', setName, context)) return false;
  const set = findSet(setName, context);
  if (!set) return false;
  const { type, family } = set;
  reading.draft.type = type;
  reading.draft.family = family;
  if (!readElement(reading, type.grammar, element)) {
    console.failWithReport();
    return false;
  }
  const grammar = type.grammar[commandName(command) as 'add' | 'del' | 'test'];
  if (rest.length > 0 && !readOptions('others', grammar, command, type, rest, context)) return false;
  checkNeeded(grammar, reading.draft, console);
  checkAllowed(command, grammar, type.grammar, reading.draft, console);
  return true;
}

function findSet(setName: string, context: ParserContext): CachedSet | undefined {
  const { kernel, sets } = context;
  const cached = sets.get(setName);
  if (cached) return cached;
  const learned = answered(`set ${setName}`, context, () => kernel.learnSet(setName));
  if (learned) sets.set(setName, learned);
  return learned;
}

type Pass = 'family' | 'others';

/**
 * Reads the options behind an element or a new set's type. A new set's are read twice: first its family,
 * which decides how the others are read.
 */
function readOptions(
  pass: Pass,
  grammar: CommandGrammar,
  command: number,
  type: KnownType,
  words: readonly string[],
  context: ParserContext,
): boolean {
  const { reading, console } = context;
  const { revision } = type;
  const { since } = type.type;
  if (grammar.keywords.length === 0 && words.length > 0) {
    console.fail(`Unknown argument: \`${words[0]}'`);
    return false;
  }
  for (let i = 0; i < words.length; ) {
    const word = words[i]!;
    const bare = word.startsWith('--') ? word.slice(2) : word;
    const found = grammar.keywords.find(({ name }) => keywords[name].word === bare);
    const needed = found?.feature === undefined ? 0 : (since[found.feature] ?? 0);
    if (!found || needed > revision) {
      console.fail(found ? tooNew(word, type, needed) : `Unknown argument: \`${word}'`);
      return false;
    }
    const spec = keywords[found.name];
    i++;
    if (spec.takesValue && i >= words.length) {
      console.fail(`Missing mandatory argument of option \`${spec.word}'`);
      return false;
    }
    const value = spec.takesValue ? words[i++]! : word;
    if (command === COMMAND.CREATE && (spec.field === 'family') !== (pass === 'family')) continue;
    const { draft, report } = reading;
    const isGiven =
      spec.field !== undefined &&
      draft[spec.field] !== undefined &&
      !(spec.field === 'family' && draft.isFamilyAssumed);
    if (isGiven ? report.syntax(`${spec.word} already specified`) : spec.read(reading, value)) continue;
    console.failWithReport();
    return false;
  }
  return true;
}

function tooNew(word: string, { grammar, revision }: KnownType, needed: number): string {
  return (
    `Argument \`${word}' is supported in the kernel module of the set type ${grammar.name} starting from ` +
    `the revision ${needed} and you have installed revision ${revision} only. ` +
    'Your kernel is behind your ipset utility.'
  );
}

function checkNeeded(grammar: CommandGrammar, draft: Draft, console: Console): void {
  const missing = grammar.needs.filter(
    (field) => draft[field] === undefined && !(field === 'ipTo' && draft.cidr !== undefined),
  );
  if (missing.length === 0) return;
  if (grammar.keywords.length === 0) {
    console.fail(
      "There are missing mandatory flags but can't check them. It's a bug, please report the problem.",
      false,
    );
    return;
  }
  const keyword = grammar.keywords.find(({ name }) => missing.includes(keywords[name].field as Field));
  if (keyword) console.fail(`Mandatory option \`${keywords[keyword.name].word}' is missing`);
}

const forms: Partial<Record<Field, string>> = {
  cidr: 'IP/CIDR range',
  ipTo: 'FROM-TO IP range',
  portTo: 'FROM-TO port range',
};

/** Fields that a new set can have; the others belong to elements. */
const createFields = new Set<Field>(['ip', 'ipTo', 'cidr', 'port', 'portTo']);

function checkAllowed(
  command: number,
  grammar: CommandGrammar,
  { name }: TypeGrammar,
  draft: Draft,
  console: Console,
): void {
  for (const field of fields) {
    if (draft[field] === undefined || grammar.allows.includes(field)) continue;
    if (field === 'cidr' && grammar.allows.includes('ipTo')) continue;
    if (command === IPSET_CMD.CREATE && !createFields.has(field)) continue;
    const form = forms[field];
    const bug = "It's a bug, please report the problem.";
    if (form !== undefined) {
      const family = draft.family === AF.INET ? 'inet' : draft.family === AF.INET6 ? 'inet6' : 'unspec';
      console.fail(
        `${form} is not allowed in command ${commandName(command)} with set type ${name} and family ${family}`,
        false,
      );
    } else if (grammar.keywords.length === 0) {
      console.fail(
        `There are not allowed options (${fieldNumbers[field]}) but option list is empty. ${bug}`,
        false,
      );
    } else {
      console.fail(
        `There are not allowed options (${fieldNumbers[field]}) but can't resolve them. ${bug}`,
        false,
      );
    }
    return;
  }
}
