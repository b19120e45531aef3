import { FlowView } from '../../ctnetlink/flowView.ts';
import { encodeListFlows } from '../../ctnetlink/requests/list.ts';
import type { CommandLine } from './commandLine.ts';
import { failure } from './exit.ts';
import type { Selection } from './selection.ts';
import type { Session } from './session.ts';

/** --max: counts first what is meant. @throws ConntrackExit where that is more, before anything is done */
export async function checkCount(line: CommandLine, selection: Selection, session: Session): Promise<void> {
  const { max } = line.own;
  if (max === undefined) return;
  const count = await countMatching(selection, session);
  if (count > max) {
    throw failure(`${count} flow entries are meant, and --max allows ${max}: nothing was done`);
  }
}

/** How many flows are meant now. */
export async function countMatching(selection: Selection, session: Session): Promise<number> {
  const view = new FlowView();
  let count = 0;
  const requester = await session.questions;
  await requester.visit(encodeListFlows(selection.family, selection.attributes), (bytes, start, end) => {
    if (selection.matches(view.attach(bytes, start, end))) count++;
  });
  return count;
}
