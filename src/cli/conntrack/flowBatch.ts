import { FlowView } from '../../ctnetlink/flowView.ts';
import { encodeListFlows } from '../../ctnetlink/requests/list.ts';
import type { Selection } from './selection.ts';
import type { Session } from './session.ts';

/** Flows that are worked on together: several datagrams, and some 100 kB. */
const BATCH = 512;
const USUAL_MESSAGE = 256;

/** Messages about flows, copied out of a listing one behind the other. */
export class FlowBatch {
  count = 0;
  private bytes = new Uint8Array(BATCH * USUAL_MESSAGE);
  /** Where each message begins, and where the last one ends. */
  private readonly starts = new Uint32Array(BATCH + 1);

  get isFull(): boolean {
    return this.count === BATCH;
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    const at = this.starts[this.count]!;
    const stop = at + end - start;
    if (stop > this.bytes.length) {
      const larger = new Uint8Array(Math.max(2 * this.bytes.length, stop));
      larger.set(this.bytes.subarray(0, at));
      this.bytes = larger;
    }
    this.bytes.set(bytes.subarray(start, end), at);
    this.starts[++this.count] = stop;
  }

  /** Attaches the view to a message, by its index; valid as long as the batch. */
  view(view: FlowView, index: number): FlowView {
    return view.attach(this.bytes, this.starts[index]!, this.starts[index + 1]!);
  }
}

/** The flows that are meant, in batches; the kernel keeps the rest of the list while one is worked on. */
export async function* matching(selection: Selection, session: Session): AsyncIterable<FlowBatch> {
  const view = new FlowView();
  let gathered = new FlowBatch();
  const requester = await session.questions;
  const batches = requester.dump(
    encodeListFlows(selection.family, selection.attributes),
    (bytes, start, end) => {
      if (!selection.matches(view.attach(bytes, start, end))) return undefined;
      gathered.add(bytes, start, end);
      if (!gathered.isFull) return undefined;
      const full = gathered;
      gathered = new FlowBatch();
      return full;
    },
  );
  for await (const batch of batches) if (batch) yield batch;
  if (gathered.count > 0) yield gathered;
}
