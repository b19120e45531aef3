import type { OwnOptions } from './commandLine.ts';
import { wrongParameter } from './exit.ts';
import type { CommandName } from './optionTable.ts';
import { LIMIT, parseDecimal } from './values.ts';

/**
 * Takes our own options out of a command line. They are matched by their whole names, before getopt sees the
 * line, so that no abbreviation of conntrack(8)'s options becomes ambiguous by them.
 * @throws ConntrackExit where --max has no number
 */
export function takeOwnOptions(args: readonly string[]): { rest: string[]; own: OwnOptions } {
  const rest: string[] = [];
  let dryRun = false;
  let showPlan = false;
  let max: number | undefined;
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!;
    if (word === '--') {
      rest.push(...args.slice(i));
      break;
    }
    if (word === '--dry-run') dryRun = true;
    else if (word === '--show-plan') showPlan = true;
    else if (word === '--max') {
      const number = args[++i];
      if (number === undefined) throw wrongParameter("option `--max' requires an argument");
      max = parseDecimal(number, LIMIT.u32, 'max');
    } else if (word.startsWith('--max=')) max = parseDecimal(word.slice('--max='.length), LIMIT.u32, 'max');
    else rest.push(word);
  }
  return { rest, own: { dryRun, showPlan, max, longHelp: args.includes('--help') } };
}

const CHANGING: readonly (CommandName | undefined)[] = ['update', 'delete', 'flush'];
const PLANNED: readonly (CommandName | undefined)[] = ['list', 'update', 'delete'];

/**
 * An option that holds something back must not be passed over by a command that does not know it.
 * @param command undefined for one that knows none of them
 * @throws ConntrackExit where the options do not go with the command
 */
export function checkOwnOptions({ dryRun, max, showPlan }: OwnOptions, command?: CommandName): void {
  const isChanging = CHANGING.includes(command);
  let illegal: string | undefined;
  if (dryRun && !isChanging) illegal = 'dry-run';
  else if (max !== undefined && !isChanging) illegal = 'max';
  else if (showPlan && !PLANNED.includes(command)) illegal = 'show-plan';
  if (illegal !== undefined) throw wrongParameter(`Illegal option \`--${illegal}' with this command`);
}
