import { encodeFlushTable } from '../../ctnetlink/requests/flush.ts';
import type { CommandLine } from './commandLine.ts';
import { PREFIX } from './exit.ts';
import { checkCount, countMatching } from './limits.ts';
import { selectFlows } from './selection.ts';
import type { Session } from './session.ts';

/** -F: empties the table, or the family that -f names. */
export async function flushFlows(line: CommandLine, session: Session): Promise<void> {
  const selection = selectFlows(line, session.features);
  await checkCount(line, selection, session);
  if (line.own.dryRun) {
    const count = await countMatching(selection, session);
    session.tell(`${PREFIX}${count} flow entries would have been deleted.\n`);
    return;
  }
  const requester = await session.questions;
  await requester.acknowledge(encodeFlushTable(line.family));
  session.tell(`${PREFIX}connection tracking table has been emptied.\n`);
}
