import { IPS } from '../../ctnetlink/constants.ts';
import { FlowView } from '../../ctnetlink/flowView.ts';
import type { FlowChanges } from '../../ctnetlink/requests/change.ts';
import {
  LONGEST_VIEWED_REQUEST,
  updateViewedLength,
  writeGetViewed,
  writeUpdateViewed,
} from '../../ctnetlink/requests/viewed.ts';
import { decodeRefusal } from '../../nfnetlink/ack.ts';
import { ERRNO } from '../../nfnetlink/constants.ts';
import { concatenated, messageType } from '../../nfnetlink/message.ts';
import type { CommandLine } from './commandLine.ts';
import { protocolInfoOf } from './draft.ts';
import { type FlowBatch, matching } from './flowBatch.ts';
import { labelsOf, stateOf } from './flowFacts.ts';
import { checkCount } from './limits.ts';
import { showPlan } from './plan.ts';
import { Printer } from './printer.ts';
import { refusalText } from './refusal.ts';
import { selectFlows } from './selection.ts';
import type { Session } from './session.ts';

/**
 * -U: changes the flows that are meant while they are listed, prints each as it is then, and returns how many.
 * A flow that is already as it should be is left alone.
 */
export async function updateFlows(line: CommandLine, session: Session): Promise<number> {
  const selection = selectFlows(line, session.features, { isUpdate: true });
  if (line.own.showPlan) showPlan(selection, session);
  await checkCount(line, selection, session);
  const printer = new Printer(line, session.output, { labels: true });
  let updated = 0;
  const print = (view: FlowView) => {
    printer.print(view);
    updated++;
  };
  for await (const batch of matching(selection, session)) {
    if (line.own.dryRun) eachToChange(batch, line, print);
    else await updateBatch(batch, line, session, print);
    if (session.output.isFull) await session.output.drained();
  }
  await session.output.drained();
  return updated;
}

/** Calls back with each flow that is not as it should be, and with what has to change of it. */
function eachToChange(
  batch: FlowBatch,
  line: CommandLine,
  visit: (view: FlowView, changes: FlowChanges) => void,
): void {
  const view = new FlowView();
  for (let index = 0; index < batch.count; index++) {
    const changes = changesTo(batch.view(view, index), line);
    if (changes) visit(view, changes);
  }
}

/** Changes the flows of a batch, each followed by the question what it is now. A flow that is gone is passed over. */
async function updateBatch(
  batch: FlowBatch,
  line: CommandLine,
  session: Session,
  print: (view: FlowView) => void,
): Promise<void> {
  const requests: Uint8Array[] = [];
  eachToChange(batch, line, (view, changes) => {
    const request = new Uint8Array(updateViewedLength(changes) + LONGEST_VIEWED_REQUEST);
    const end = writeUpdateViewed(request, 0, view, changes);
    requests.push(request.subarray(0, writeGetViewed(request, end, view)));
  });
  if (requests.length === 0) return;
  const updated = new FlowView();
  let failure: unknown;
  const requester = await session.changes;
  await requester.pipeline(concatenated(requests), {
    onData(_index, bytes, start, end) {
      print(updated.attach(bytes, start, end));
    },
    onAck(index, errno, bytes, start, end) {
      const isUpdate = index % 2 === 0;
      if (errno === 0 || (!isUpdate && errno === ERRNO.ENOENT)) return;
      const refusal = decodeRefusal(bytes, start, end, messageType(requests[index >> 1]!, 0));
      if (isUpdate) session.tell(`Operation failed: ${refusalText(refusal, 'update')}\n`);
      else failure ??= refusal;
    },
  });
  if (failure) throw failure;
}

/** What has to change of a flow; undefined where nothing has to. */
function changesTo(view: FlowView, line: CommandLine): FlowChanges | undefined {
  const { draft, mark, status } = line;
  const changes: { -readonly [K in keyof FlowChanges]: FlowChanges[K] } = {};
  if (mark) {
    const wanted = ((view.mark & ~mark.mask) ^ mark.value) >>> 0;
    if (wanted !== view.mark) changes.mark = wanted;
  }
  if (draft.timeout !== undefined && draft.timeout !== view.timeout) changes.timeout = draft.timeout;
  if (status && (view.status & status.set) !== status.set) {
    changes.status = (view.status | status.set | IPS.CONFIRMED) >>> 0;
  }
  if (hasOtherState(view, line)) changes.protocolInfo = protocolInfoOf(draft);
  Object.assign(changes, labelChanges(view, line));
  return Object.keys(changes).length > 0 ? changes : undefined;
}

/** Whether the flow is in another state than the one that is asked for. */
function hasOtherState(view: FlowView, { draft }: CommandLine): boolean {
  const wanted = draft.tcpState ?? draft.sctpState ?? draft.dccpState;
  return wanted !== undefined && stateOf(view)?.state !== wanted;
}

const NO_LABELS = new Uint8Array(16);

/** As in conntrack(8): labels to add are always a change, those to delete are one where the flow has any. */
function labelChanges(
  view: FlowView,
  { options, labelChange }: CommandLine,
): Pick<FlowChanges, 'labels' | 'labelsMask'> {
  if (options.has('<') && labelChange) return { labels: labelChange, labelsMask: labelChange };
  if (!options.has('>') || !labelsOf(view)?.some((byte) => byte !== 0)) return {};
  return labelChange ? { labels: NO_LABELS, labelsMask: labelChange } : { labels: NO_LABELS };
}
