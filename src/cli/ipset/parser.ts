import { COMMAND, findCommand, isOption, type OptionSpec, options } from './commands.ts';
import { helpText, typeHelpText } from './help.ts';
import type { ParserContext } from './parserContext.ts';
import { parseCreate, parseElementCommand, readName } from './setArguments.ts';
import { findGrammar } from './typeTable.ts';

/** A command that was read; its arguments are in the draft. Nothing is left to do for DONE. */
export interface ReadCommand {
  readonly command: number | 'done' | 'interactive' | 'failed';
}

const done: ReadCommand = { command: 'done' };
const failed: ReadCommand = { command: 'failed' };

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
