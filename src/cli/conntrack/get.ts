import { flowAttributes } from '../../ctnetlink/attributes.ts';
import { IPCTNL_MSG_CT } from '../../ctnetlink/constants.ts';
import { FlowView } from '../../ctnetlink/flowView.ts';
import { NFNL_SUBSYS, NLM_F } from '../../nfnetlink/constants.ts';
import { encodeRequest, messageTypeOf } from '../../nfnetlink/message.ts';
import type { CommandLine } from './commandLine.ts';
import { tupleOf } from './draft.ts';
import { Printer } from './printer.ts';
import { selectFlows } from './selection.ts';
import type { Session } from './session.ts';

/** -G: prints the flow that a tuple names, and returns how many that were. */
export async function getFlow(line: CommandLine, session: Session): Promise<number> {
  const { draft, family } = line;
  const { matches } = selectFlows(line, session.features);
  const type = messageTypeOf(NFNL_SUBSYS.CTNETLINK, IPCTNL_MSG_CT.GET);
  const request = encodeRequest({ type, flags: NLM_F.REQUEST | NLM_F.ACK, family }, flowAttributes, {
    originalTuple: tupleOf(draft, 'original'),
    replyTuple: tupleOf(draft, 'reply'),
  });
  const printer = new Printer(line, session.output, {
    kernelTimestamp: true,
    labels: true,
    isDocument: true,
  });
  const view = new FlowView();
  let shown = 0;
  const requester = await session.questions;
  await requester.query(request, (bytes, start, end) => {
    // the kernel finds a flow by either of its tuples: asked is for this one
    if (!matches(view.attach(bytes, start, end))) return;
    printer.print(view);
    shown++;
  });
  return shown;
}
