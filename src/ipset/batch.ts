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
  NLA,
  type Requester,
  type RequestOptions,
  readU32be,
  readU32host,
  u32be,
  u32host,
  writeAttributeHeader,
  writeU32host,
} from '../nfnetlink/index.ts';
import { elementRequest, requestedElement } from './attributes.ts';
import { IPSET_ATTR, IPSET_CMD } from './constants.ts';
import { type Element, encodeElement, type SetShape } from './element.ts';
import { asIpsetError } from './errors.ts';
import { elementMessage } from './messages.ts';
import { ipset } from './subsystem.ts';

/**
 * Bytes of elements in one message. The kernel's error repeats the whole request, which must fit into one
 * slot of the receive buffer; and the nest's own length has 16 bits.
 */
const BATCH_BYTES = 16384;

/** More than the largest element takes: four addresses, two names, a comment and the integers. */
const LARGEST_ELEMENT = 1024;

export type BatchCommand = typeof IPSET_CMD.ADD | typeof IPSET_CMD.DEL;

/** What is done to which set. */
export interface BatchTarget {
  readonly command: BatchCommand;
  readonly set: SetShape;
  /** The protocol version that the kernel speaks. */
  readonly protocol: number;
  readonly exist: boolean;
}

/**
 * Adds or deletes many elements, as `ipset restore` does: many in one message (IPSET_ATTR_ADT), each with
 * a line number, which a refusal names. Stops at the first refusal; what was done before it stays.
 * @returns how many elements there were
 * @throws IpsetError with `index`, the number of the refused element; EncodeError, with the number in its
 * path, where an element does not fit the set, after those before it were sent.
 */
export async function runBatch(
  requester: Requester,
  target: BatchTarget,
  elements: Iterable<Element> | AsyncIterable<Element>,
  options?: RequestOptions,
): Promise<number> {
  const use = target.command === IPSET_CMD.ADD ? 'add' : 'del';
  const payload = new Uint8Array(BATCH_BYTES + LARGEST_ELEMENT);
  let first = 0;
  let next = 0;
  let length = 0;
  const flush = async () => {
    if (length > 0) await send(requester, target, payload.subarray(0, length), first, options);
    first = next;
    length = 0;
  };
  for await (const element of elements) {
    try {
      length = append(payload, length, element, target.set, use, next);
    } catch (error) {
      if (!(error instanceof EncodeError)) throw error;
      await flush();
      throw error.within(`elements[${next}]`);
    }
    next++;
    if (length >= BATCH_BYTES) await flush();
  }
  await flush();
  return next;
}

/** Writes one element with its line number; returns where the next one goes. */
function append(
  payload: Uint8Array,
  offset: number,
  element: Element,
  set: SetShape,
  use: 'add' | 'del',
  index: number,
): number {
  const wire = encodeElement(element, set, use);
  wire.line = lineOf(index);
  const length = requestedElement.byteLength(wire);
  const at = writeAttributeHeader(payload, offset, IPSET_ATTR.DATA | NLA.F_NESTED, length);
  requestedElement.encode(wire, payload, at);
  return offset + attributeLength(length);
}

async function send(
  requester: Requester,
  target: BatchTarget,
  payload: Uint8Array,
  first: number,
  options?: RequestOptions,
): Promise<void> {
  const { command, set } = target;
  let refusal: KernelError | undefined;
  let index = first;
  const onAck = (_: number, errno: number, bytes: Uint8Array, start: number, end: number) => {
    if (errno === 0) return;
    refusal = decodeRefusal(bytes, start, end, messageTypeOf(NFNL_SUBSYS.IPSET, command), ipset);
    index = refusedIndex(bytes, start, end) ?? first;
  };
  await requester.pipeline(batchMessage(target, payload, first), { onAck }, options);
  if (refusal) throw asIpsetError(refusal, { command, set: set.name, method: set.type.method, index });
}

/** The message without its elements, then the elements in their nest. */
function batchMessage(target: BatchTarget, payload: Uint8Array, first: number): Uint8Array {
  const { command, set, protocol, exist } = target;
  const head = elementMessage(command, { protocol, setName: set.name, line: lineOf(first) }, exist);
  const message = new Uint8Array(head.length + attributeLength(payload.length));
  message.set(head);
  message.set(
    payload,
    writeAttributeHeader(message, head.length, IPSET_ATTR.ADT | NLA.F_NESTED, payload.length),
  );
  writeU32host(message, 0, message.length);
  return message;
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
