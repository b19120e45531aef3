import type { SetType } from '../../ipset/setType.ts';
import type { TypeGrammar } from './typeGrammar.ts';

/** A set type at the revision that this program and the kernel share. */
export interface KnownType {
  readonly type: SetType;
  readonly grammar: TypeGrammar;
  readonly revision: number;
}
