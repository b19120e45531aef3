import { AF } from '../../nfnetlink/constants.ts';
import { COMMAND, commandName } from './commands.ts';
import { readElement } from './elementReader.ts';
import { Pending } from './finish.ts';
import type { Answer, CachedSet } from './kernel.ts';
import { checkAllowed, checkNeeded, readOptions } from './keywordReader.ts';
import type { KnownType } from './knownType.ts';
import type { ParserContext } from './parserContext.ts';
import { readSetName } from './textReaders.ts';
import type { TypeGrammar } from './typeGrammar.ts';
import { findGrammar } from './typeTable.ts';

/** A set's name. @returns false where it has said why it cannot be one */
export function readName(
  field: 'setName' | 'setName2',
  text: string,
  { reading, console }: ParserContext,
): boolean {
  if (readSetName(field)(reading, text)) return true;
  console.failWithReport();
  return false;
}

/** Takes what was asked for, or prints why there is none. */
function orFail<T>(answer: Answer<T>, { reading, console }: ParserContext): T | undefined {
  if ('value' in answer) return answer.value;
  reading.report.error(answer.error);
  console.failWithReport();
  return undefined;
}

/** What follows `create`. @returns false where it has said why it cannot be */
export function parseCreate(
  setName: string,
  typeName: string,
  rest: string[],
  context: ParserContext,
): boolean {
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

/** What follows `add`, `del` and `test`. @returns false where it has said why it cannot be */
export function parseElementCommand(
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
