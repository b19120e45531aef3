import {
  ATTRIBUTES_AT,
  attributeLength,
  decodeRefusal,
  ECHO_AT,
  EncodeError,
  echoLength,
  encodePayload,
  type KernelError,
  messageTypeOf,
  NFNL_SUBSYS,
  type Requester,
  type RequestOptions,
  readU32be,
  readU32host,
  u32be,
  u32host,
} from '../nfnetlink/index.ts';
import { elementRequest, type RequestedElementWire, requestedElement } from './attributes.ts';
import { IPSET_CMD } from './constants.ts';
import { type Element, encodeElement, type SetShape } from './element.ts';
import { asIpsetError } from './errors.ts';
import { elementMessage } from './messages.ts';
import { ipset } from './subsystem.ts';

/**
 * Bytes of elements in one message. The kernel's error repeats the whole request, which must fit into one
 * slot of the receive buffer; and the nest's own length has 16 bits.
 */
const BATCH_BYTES = 16384;

export type BatchCommand = typeof IPSET_CMD.ADD | typeof IPSET_CMD.DEL;

/**
 * Adds or deletes many elements, as `ipset restore` does: many in one message (IPSET_ATTR_ADT), each with
 * a line number, which a refusal names. Stops at the first refusal; what was done before it stays.
 * @throws IpsetError with `index`, the number of the refused element; EncodeError, with the number in its
 * path, where an element does not fit the set, after those before it were sent.
 */
export async function runBatch(
  requester: Requester,
  command: BatchCommand,
  set: SetShape,
  protocol: number,
  elements: Iterable<Element> | AsyncIterable<Element>,
  exist: boolean,
  options?: RequestOptions,
): Promise<number> {
  const use = command === IPSET_CMD.ADD ? 'add' : 'del';
  let batch: RequestedElementWire[] = [];
  let bytes = 0;
  let done = 0;
  const flush = async () => {
    if (batch.length === 0) return;
    const message = batchMessage(command, set, protocol, batch, done, exist);
    await sendBatch(requester, message, command, set, done, options);
    done += batch.length;
    batch = [];
    bytes = 0;
  };
  for await (const element of elements) {
    const wire = await encoded(element, set, use, done + batch.length, flush);
    bytes += attributeLength(requestedElement.byteLength(wire));
    batch.push(wire);
    if (bytes >= BATCH_BYTES) await flush();
  }
  await flush();
  return done;
}

/** An element with its line number; what stands before one that cannot be written is sent first. */
async function encoded(
  element: Element,
  set: SetShape,
  use: 'add' | 'del',
  index: number,
  flush: () => Promise<void>,
): Promise<RequestedElementWire> {
  try {
    const wire = encodeElement(element, set, use);
    wire.line = lineOf(index);
    requestedElement.byteLength(wire);
    return wire;
  } catch (error) {
    if (!(error instanceof EncodeError)) throw error;
    await flush();
    throw error.within(`elements[${index}]`);
  }
}

function batchMessage(
  command: BatchCommand,
  set: SetShape,
  protocol: number,
  batch: readonly RequestedElementWire[],
  first: number,
  exist: boolean,
): Uint8Array {
  return elementMessage(
    command,
    { protocol, setName: set.name, line: lineOf(first), elements: { data: batch } },
    exist,
  );
}

async function sendBatch(
  requester: Requester,
  message: Uint8Array,
  command: BatchCommand,
  set: SetShape,
  first: number,
  options?: RequestOptions,
): Promise<void> {
  let refusal: KernelError | undefined;
  let index: number | undefined;
  await requester.pipeline(
    message,
    {
      onAck(_index, errno, bytes, start, end) {
        if (errno === 0) return;
        refusal = decodeRefusal(bytes, start, end, messageTypeOf(NFNL_SUBSYS.IPSET, command), ipset);
        index = refusedIndex(bytes, start, end) ?? first;
      },
    },
    options,
  );
  if (!refusal) return;
  throw asIpsetError(refusal, { command, set: set.name, method: set.type.method, index });
}

/**
 * Line numbers begin at 1, since the kernel takes 0 for none; they are opaque to it, and are written in
 * network order, as ipset(8) does.
 */
function lineOf(index: number): number {
  return readU32host(encodePayload(u32be, index + 1), 0);
}

/**
 * Which element the kernel refused: call_ad() in net/netfilter/ipset/ip_set_core.c writes its line number
 * over that of the message, in the request that the error repeats.
 */
function refusedIndex(bytes: Uint8Array, start: number, end: number): number | undefined {
  const echo = start + ECHO_AT;
  const echoEnd = echo + echoLength(bytes, start, end);
  if (echoEnd <= echo + ATTRIBUTES_AT) return undefined;
  const { line } = elementRequest.decode(bytes, echo + ATTRIBUTES_AT, echoEnd);
  return line === undefined ? undefined : readU32be(encodePayload(u32host, line), 0) - 1;
}
