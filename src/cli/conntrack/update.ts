import { IPS } from '../../ctnetlink/constants.ts';
import { FlowView } from '../../ctnetlink/flowView.ts';
import { encodeUpdateFlow, type FlowChanges } from '../../ctnetlink/requests/change.ts';
import { encodeGetFlow } from '../../ctnetlink/requests/get.ts';
import { isNetlinkError } from '../errors.ts';
import type { CommandLine } from './commandLine.ts';
import { matching } from './delete.ts';
import { protocolInfoOf } from './draft.ts';
import { labelsOf, stateOf } from './flowFacts.ts';
import { checkCount } from './limits.ts';
import { showPlan } from './plan.ts';
import { Printer } from './printer.ts';
import { refusalCode, refusalText } from './refusal.ts';
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
  const view = new FlowView();
  let updated = 0;
  for await (const batch of matching(selection, session)) {
    const results = await Promise.all(batch.map((message) => updateOne(message, line, session)));
    for (const message of results) {
      if (message === undefined) continue;
      printer.print(view.attach(message, 0, message.length));
      updated++;
    }
  }
  await session.output.drained();
  return updated;
}

/** Returns the flow as it is after the change; undefined where there was none to make, or the flow is gone. */
async function updateOne(
  message: Uint8Array,
  line: CommandLine,
  session: Session,
): Promise<Uint8Array | undefined> {
  const view = new FlowView().attach(message, 0, message.length);
  const changes = changesTo(view, line);
  if (!changes) return undefined;
  if (line.own.dryRun) return message;
  const flow = view.toFlow();
  const requester = await session.changes;
  try {
    await requester.acknowledge(encodeUpdateFlow(flow, changes));
  } catch (error) {
    if (!isNetlinkError(error) || refusalCode(error) === undefined) throw error;
    session.tell(`Operation failed: ${refusalText(error as Parameters<typeof refusalText>[0], 'update')}\n`);
  }
  try {
    const copies = await requester.query(encodeGetFlow(flow), (bytes, start, end) => bytes.slice(start, end));
    return copies[0];
  } catch (error) {
    if (refusalCode(error) === 'ENOENT') return undefined;
    throw error;
  }
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

function labelChanges(
  view: FlowView,
  { options, labelChange }: CommandLine,
): Pick<FlowChanges, 'labels' | 'labelsMask'> {
  const has = labelsOf(view) ?? NO_LABELS;
  const hasBits = (wanted: Uint8Array, isAll: boolean) => {
    const test = (byte: number, i: number) => ((has[i] ?? 0) & byte) === (isAll ? byte : 0);
    return wanted.every(test);
  };
  if (options.has('<') && labelChange && !hasBits(labelChange, true)) {
    return { labels: labelChange, labelsMask: labelChange };
  }
  if (!options.has('>')) return {};
  if (labelChange) return hasBits(labelChange, false) ? {} : { labels: NO_LABELS, labelsMask: labelChange };
  return has.every((byte) => byte === 0) ? {} : { labels: NO_LABELS };
}
