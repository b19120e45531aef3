import type { Feature, SetTypeName } from '../../ipset/setType.ts';
import type { Field } from './fields.ts';
import type { KeywordName } from './keywords.ts';

/** How a part of an element is read. */
export type PartReader =
  | 'ip'
  | 'singleIp'
  | 'ip4Single6'
  | 'ip4Net6'
  | 'mac'
  | 'port'
  | 'protoPort'
  | 'mark'
  | 'iface'
  | 'setName';

/** What one of create, add, del and test takes for a type. */
export interface CommandGrammar {
  /** Options, in the order in which listings print them; an option of a later revision says so. */
  readonly keywords: readonly Keyword[];
  readonly needs: readonly Field[];
  /** What the element, or the range of a new set, may consist of. */
  readonly allows: readonly Field[];
  readonly usage: string;
}

/** An option, and the feature whose revision it came with. */
export interface Keyword {
  readonly name: KeywordName;
  readonly feature?: Feature;
}

/** The command line of one set type. */
export interface TypeGrammar {
  readonly name: SetTypeName;
  /** The name that the type had before ipset 5. */
  readonly oldName: string;
  readonly parts: readonly PartReader[];
  /** Whether the last part may be left out. */
  readonly isLastOptional: boolean;
  readonly create: CommandGrammar;
  readonly add: CommandGrammar;
  readonly del: CommandGrammar;
  readonly test: CommandGrammar;
  /** What `help TYPE` says of the parts of an element. */
  readonly where: string;
  /** What each revision brought, from the first that ipset(8) knows. */
  readonly revisions: readonly string[];
  readonly firstRevision: number;
}

const words = (text: string) => text.split(' ').filter(Boolean) as Field[];

/** The short form of a type: fields of add and del, and of test, beside those that are needed. */
export interface GrammarRow {
  readonly name: SetTypeName;
  readonly oldName: string;
  readonly parts: readonly PartReader[];
  readonly isLastOptional?: boolean;
  readonly create: readonly Keyword[];
  readonly createNeeds?: string;
  readonly createUsage?: string;
  readonly add: readonly Keyword[];
  readonly del?: readonly Keyword[];
  readonly test?: readonly Keyword[];
  readonly needs: string;
  readonly allows?: string;
  readonly testAllows?: string;
  readonly usage: string;
  readonly testUsage?: string;
  readonly where: string;
  readonly revisions: readonly string[];
  readonly firstRevision?: number;
}

/** A type's command line from its short form. */
export function grammar(row: GrammarRow): TypeGrammar {
  const needs = words(row.needs);
  const allows = [...needs, ...words(row.allows ?? '')];
  const createNeeds = words(row.createNeeds ?? '');
  return {
    name: row.name,
    oldName: row.oldName,
    parts: row.parts,
    isLastOptional: row.isLastOptional ?? false,
    create: {
      keywords: row.create,
      needs: createNeeds,
      allows: createNeeds,
      usage: row.createUsage ?? '',
    },
    add: { keywords: row.add, needs, allows, usage: row.usage },
    del: { keywords: row.del ?? [], needs, allows, usage: row.usage },
    test: {
      keywords: row.test ?? [],
      needs,
      allows: [...needs, ...words(row.testAllows ?? '')],
      usage: row.testUsage ?? row.usage,
    },
    where: row.where,
    revisions: row.revisions,
    firstRevision: row.firstRevision ?? 0,
  };
}
