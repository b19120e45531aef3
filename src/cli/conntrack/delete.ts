import { FlowView } from '../../ctnetlink/flowView.ts';
import { LONGEST_VIEWED_REQUEST, writeDeleteViewed } from '../../ctnetlink/requests/viewed.ts';
import { decodeRefusal } from '../../nfnetlink/ack.ts';
import { ERRNO } from '../../nfnetlink/constants.ts';
import type { KernelError } from '../../nfnetlink/errors.ts';
import { messageType } from '../../nfnetlink/message.ts';
import type { CommandLine } from './commandLine.ts';
import { type FlowBatch, matching } from './flowBatch.ts';
import { checkCount } from './limits.ts';
import { showPlan } from './plan.ts';
import { Printer } from './printer.ts';
import { selectFlows } from './selection.ts';
import type { Session } from './session.ts';

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
    for (let index = 0; index < batch.count; index++) {
      if (isDeleted?.[index] === 0) continue;
      printer.print(batch.view(view, index));
      deleted++;
    }
    if (session.output.isFull) await session.output.drained();
  }
  await session.output.drained();
  return deleted;
}

/** Deletes by tuple, zone and id; says of each whether it was there. @throws KernelError for any other refusal */
async function deleteBatch(batch: FlowBatch, session: Session): Promise<Uint8Array> {
  const view = new FlowView();
  const requests = new Uint8Array(batch.count * LONGEST_VIEWED_REQUEST);
  let end = 0;
  for (let index = 0; index < batch.count; index++) {
    end = writeDeleteViewed(requests, end, batch.view(view, index));
  }
  const isDeleted = new Uint8Array(batch.count);
  let refusal: KernelError | undefined;
  const requester = await session.changes;
  await requester.pipeline(requests.subarray(0, end), {
    onAck(index, errno, bytes, start, stop) {
      if (errno === 0) isDeleted[index] = 1;
      else if (errno !== ERRNO.ENOENT) {
        refusal ??= decodeRefusal(bytes, start, stop, messageType(requests, 0));
      }
    },
  });
  if (refusal) throw refusal;
  return isDeleted;
}
