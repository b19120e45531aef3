import { IPSET_CMD } from '../../ipset/constants.ts';
import { AF } from '../../nfnetlink/constants.ts';
import { COMMAND, commandName } from './commands.ts';
import type { Console } from './console.ts';
import type { Draft } from './draft.ts';
import { type Field, fieldNumbers, fields } from './fields.ts';
import { keywords } from './keywords.ts';
import type { KnownType } from './knownType.ts';
import type { ParserContext } from './parserContext.ts';
import type { CommandGrammar, TypeGrammar } from './typeGrammar.ts';

type Pass = 'family' | 'others';

/**
 * Reads the options behind an element or a new set's type. A new set's are read twice: first its family,
 * which decides how the others are read.
 */
export function readOptions(
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

/** Says which option is missing, if one is. */
export function checkNeeded(grammar: CommandGrammar, draft: Draft, console: Console): void {
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

/** Says which part of an element or a range the command does not take, if there is one. */
export function checkAllowed(
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
