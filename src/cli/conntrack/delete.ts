import { FlowView } from '../../ctnetlink/flowView.ts';
import { encodeDeleteFlow } from '../../ctnetlink/requests/delete.ts';
import { encodeListFlows } from '../../ctnetlink/requests/list.ts';
import { decodeRefusal } from '../../nfnetlink/ack.ts';
import { ERRNO } from '../../nfnetlink/constants.ts';
import type { KernelError } from '../../nfnetlink/errors.ts';
import { concatenated, messageType } from '../../nfnetlink/message.ts';
import type { CommandLine } from './commandLine.ts';
import { checkCount } from './limits.ts';
import { showPlan } from './plan.ts';
import { Printer } from './printer.ts';
import { type Selection, selectFlows } from './selection.ts';
import type { Session } from './session.ts';

/** Flows that are deleted at once: several datagrams, and some 100 kB. */
const BATCH = 512;

/**
 * -D: deletes the flows that are meant, one by one, by tuple, zone and id, while they are listed; prints those
 * that were deleted and returns how many. A flow that ended meanwhile is none of them.
 */
export async function deleteFlows(line: CommandLine, session: Session): Promise<number> {
  const selection = selectFlows(line, session.features);
  if (line.own.showPlan) showPlan(selection, session);
  await checkCount(line, selection, session);
  const printer = new Printer(line, session.output, { savedAs: 'destroy' });
  const view = new FlowView();
  let deleted = 0;
  for await (const batch of matching(selection, session)) {
    const isDeleted = line.own.dryRun ? undefined : await deleteBatch(batch, session);
    for (const [index, message] of batch.entries()) {
      if (isDeleted && !isDeleted[index]) continue;
      printer.print(view.attach(message, 0, message.length));
      deleted++;
    }
    if (session.output.isFull) await session.output.drained();
  }
  await session.output.drained();
  return deleted;
}

/** The messages of the flows that are meant, in batches; the dump waits while one is worked on. */
export async function* matching(selection: Selection, session: Session): AsyncIterable<Uint8Array[]> {
  const view = new FlowView();
  let batch: Uint8Array[] = [];
  const requester = await session.questions;
  const flows = requester.dump(
    encodeListFlows(selection.family, selection.attributes),
    (bytes, start, end) =>
      selection.matches(view.attach(bytes, start, end)) ? bytes.slice(start, end) : undefined,
  );
  for await (const message of flows) {
    if (message === undefined) continue;
    batch.push(message);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Deletes by tuple, zone and id; says of each whether it was there. @throws KernelError for any other refusal */
async function deleteBatch(batch: readonly Uint8Array[], session: Session): Promise<boolean[]> {
  const view = new FlowView();
  const messages = batch.map((message) => encodeDeleteFlow(view.attach(message, 0, message.length).toFlow()));
  const isDeleted: boolean[] = [];
  let refusal: KernelError | undefined;
  const requester = await session.changes;
  await requester.pipeline(concatenated(messages), {
    onAck(index, errno, bytes, start, end) {
      isDeleted[index] = errno === 0;
      if (errno === 0 || errno === ERRNO.ENOENT) return;
      refusal ??= decodeRefusal(bytes, start, end, messageType(messages[index]!, 0));
    },
  });
  if (refusal) throw refusal;
  return isDeleted;
}
