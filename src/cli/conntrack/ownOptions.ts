import type { OwnOptions } from './commandLine.ts';
import { wrongParameter } from './exit.ts';
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
