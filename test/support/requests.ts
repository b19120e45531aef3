/** Requests and answers for tests of conversations, in which only their numbers matter. */
import { ctnetlink } from '../../src/ctnetlink/subsystem.ts';
import { readU32be, writeU32be } from '../../src/nfnetlink/bytes.ts';
import { attr, attrs } from '../../src/nfnetlink/codec.ts';
import { type ConnectionOptions, RequestConnection } from '../../src/nfnetlink/connection.ts';
import { NLM_F } from '../../src/nfnetlink/constants.ts';
import { encodeRequest } from '../../src/nfnetlink/message.ts';
import { u32be } from '../../src/nfnetlink/scalar.ts';
import type { Transport } from '../../src/nfnetlink/transport.ts';
import { ManualClock } from '../../src/testing/index.ts';

const marked = attrs('CTA', { MARK: 8 }, { mark: attr(8, u32be) });

const message = (command: number, mark: number, flags = 0) =>
  encodeRequest({ type: 0x100 | command, flags, family: 2 }, marked, { mark });

/** IPCTNL_MSG_CT_DELETE, which is answered by an acknowledgement alone. */
export const deleteRequest = (mark = 0) => message(2, mark);
/** IPCTNL_MSG_CT_GET, which is answered by data and an acknowledgement. */
export const getRequest = (mark = 0) => message(1, mark);
/** The same with NLM_F_DUMP, which is answered by entries and NLMSG_DONE. */
export const dumpRequest = (mark = 0) => message(1, mark, NLM_F.DUMP);
/** IPCTNL_MSG_CT_NEW: an entry, in answers and in events. */
export const entry = (mark = 0) => message(0, mark);
export const entries = (count: number) => Array.from({ length: count }, (_, i) => entry(i));

/** The mark of one of these messages. */
export const markOf = (bytes: Uint8Array, start = 0) => readU32be(bytes, start + 24);

/** Sets the mark of one of these messages in place. */
export function setMark(bytes: Uint8Array, start: number, mark: number): void {
  writeU32be(bytes, start + 24, mark);
}

/** Bytes of each of these messages. */
export const messageBytes = 28;

/** A connection whose time stands, with the names of ctnetlink. */
export function connect(transport: Transport, options: ConnectionOptions = {}) {
  const clock = new ManualClock();
  const connection = new RequestConnection(transport, { subsystems: [ctnetlink], clock, ...options });
  return { clock, connection };
}

/** The error that a promise is rejected with; throws where it is not. */
export async function rejection(promise: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  try {
    await promise;
  } catch (error) {
    return error as Error & Record<string, unknown>;
  }
  throw new Error('was expected to reject, and resolved');
}

/** Lets everything happen that needs no time: microtasks and what they start. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
