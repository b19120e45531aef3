import { decodeRefusal } from '../../nfnetlink/ack.ts';
import { messageType } from '../../nfnetlink/message.ts';
import type { LineTemplates } from './lineTemplates.ts';
import { operationFailed, refusalCode } from './refusal.ts';
import type { Session } from './session.ts';

/** Requests that are sent at once. */
const BATCH = 4096;
const USUAL_REQUEST = 256;

/** Lines of a file that make flows, on their way to the kernel. */
export class Creations {
  /** Bytes that the request of a line takes at most. */
  static readonly LONGEST = 1024;
  private readonly session: Session;
  private bytes = new Uint8Array(BATCH * USUAL_REQUEST);
  private length = 0;
  private count = 0;
  /** Which of them may be there already. */
  private readonly isAdd = new Uint8Array(BATCH);

  constructor(session: Session) {
    this.session = session;
  }

  get isFull(): boolean {
    return this.count === BATCH || this.length + Creations.LONGEST > this.bytes.length;
  }

  /** Adds a line that is like an earlier one; false where it is not. Call it while there is room. */
  addPlain(templates: LineTemplates, bytes: Uint8Array, start: number, end: number): boolean {
    const stop = templates.write(bytes, start, end, this.bytes, this.length);
    if (stop < 0) return false;
    this.isAdd[this.count++] = templates.isAdd ? 1 : 0;
    this.length = stop;
    return true;
  }

  /** Adds the request of a line. Call it while there is room. */
  add(message: Uint8Array, isAdd: boolean): void {
    this.bytes.set(message, this.length);
    this.isAdd[this.count++] = isAdd ? 1 : 0;
    this.length += message.length;
  }

  /** @throws ConntrackExit for the first that the kernel refused; what stands behind it may be done by then */
  async send(): Promise<void> {
    if (this.count === 0) return;
    const { isAdd, bytes, length } = this;
    let failed: unknown;
    this.count = 0;
    this.length = 0;
    const type = messageType(bytes, 0);
    const requester = await this.session.questions;
    await requester.pipeline(bytes.subarray(0, length), {
      onAck(index, errno, answer, start, end) {
        if (errno === 0 || failed) return;
        const error = decodeRefusal(answer, start, end, type);
        if (isAdd[index] === 1 && refusalCode(error) === 'EEXIST') return;
        failed = operationFailed(error, isAdd[index] === 1 ? 'add' : 'create');
      },
    });
    if (failed) throw failed;
  }
}
