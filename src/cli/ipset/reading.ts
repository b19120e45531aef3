import { AF } from '../../nfnetlink/constants.ts';
import type { Draft } from './draft.ts';
import type { Hosts } from './hosts.ts';
import type { NetworkDatabase } from './netdb.ts';
import type { Report } from './report.ts';

/** What the readers of a command line's parts share. */
export interface Reading {
  /** What was read so far; an error voids it. */
  draft: Draft;
  readonly report: Report;
  readonly hosts: Hosts;
  readonly database: NetworkDatabase;
  /** Prints the warning that the report holds, now. */
  warnNow(): void;
}

/** Reads one value into the draft. @returns false where it said in the report why it could not */
export type Reader = (reading: Reading, text: string) => boolean;

/** The family in force; IPv4 from now on, where nothing said it yet. */
export function settledFamily({ draft }: Reading): number {
  draft.family ||= AF.INET;
  return draft.family;
}
