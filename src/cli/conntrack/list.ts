import { FlowView } from '../../ctnetlink/flowView.ts';
import {
  encodeListDying,
  encodeListFlows,
  encodeListFlowsAndZero,
  encodeListUnconfirmed,
} from '../../ctnetlink/requests/list.ts';
import type { CommandLine } from './commandLine.ts';
import { wrongParameter } from './exit.ts';
import { showPlan } from './plan.ts';
import { Printer } from './printer.ts';
import { type Selection, selectFlows } from './selection.ts';
import type { Session } from './session.ts';

/** Options that choose flows, which -z does not go with: zeroed would be what is not shown. */
const choosing = ['s', 'd', 'r', 'q', 'p', 'm', 'c', 'u', 'i', 'w', 'l', '(', ')'];

/** -L: prints the flows that are meant, and returns how many. */
export async function listFlows(line: CommandLine, session: Session): Promise<number> {
  const isTable = line.table === 'conntrack';
  if (isTable && line.options.has('z') && choosing.some((option) => line.options.has(option))) {
    throw wrongParameter("Can't use -z with filtering parameters");
  }
  const selection = selectFlows(line, session.features);
  if (line.own.showPlan) showPlan(selection, session);
  const { output } = session;
  const printer = new Printer(line, output, { kernelTimestamp: true, labels: true, isDocument: true });
  const view = new FlowView();
  let shown = 0;
  const requester = await session.questions;
  await requester.visit(requestFor(line, selection), (bytes, start, end) => {
    if (!selection.matches(view.attach(bytes, start, end))) return undefined;
    printer.print(view);
    shown++;
    // the kernel keeps the rest while the reader is slow
    return output.isFull ? output.drained() : undefined;
  });
  if (isTable) printer.endDocument('conntrack');
  await output.drained();
  return shown;
}

function requestFor(line: CommandLine, { family, attributes }: Selection): Uint8Array {
  if (line.table === 'dying') return encodeListDying(family);
  if (line.table === 'unconfirmed') return encodeListUnconfirmed(family);
  return line.options.has('z') ? encodeListFlowsAndZero(family) : encodeListFlows(family, attributes);
}
