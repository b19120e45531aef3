import {
  ATTRIBUTES_AT,
  attributeLength,
  decodeRefusal,
  ECHO_AT,
  echoLength,
  type KernelError,
  messageTypeOf,
  NFNL_SUBSYS,
  NLA,
  type Requester,
  type RequestOptions,
  readU32host,
  writeAttributeHeader,
  writeU32be,
  writeU32host,
} from '../nfnetlink/index.ts';
import { elementRequest, type RequestedElementWire, requestedElement } from './attributes.ts';
import { IPSET_ATTR, type IPSET_CMD } from './constants.ts';
import { elementMessage } from './messages.ts';
import { ipset } from './subsystem.ts';

export type BatchCommand = typeof IPSET_CMD.ADD | typeof IPSET_CMD.DEL;

/** What is done to which set. */
export interface BatchTarget {
  readonly command: BatchCommand;
  readonly setName: string;
  /** As in ipset(8): what is there already, or is gone already, is no error. */
  readonly exist: boolean;
}

/** Why the kernel refused a batch, and the line of the element that it refused, where it says so. */
export interface BatchRefusal {
  readonly error: KernelError;
  readonly line: number | undefined;
}

/** A message without its elements: its header, the protocol, a set's name, a line and the nest's header. */
const LONGEST_HEAD = 128;

/**
 * Elements on their way to the kernel, as `ipset restore` sends them: many in one message (IPSET_ATTR_ADT),
 * each with a line number above 0, which a refusal names. The kernel stops at the first that it refuses. The
 * message is written in place and its memory used again, so nothing is allocated for an element.
 */
export class ElementBatch {
  /** The elements; whoever encodes them himself writes at `length` and moves it. */
  readonly bytes: Uint8Array;
  /** Bytes of elements so far. */
  length = 0;
  readonly #message: Uint8Array;

  /** @param capacity bytes of elements; no more than fit are appended, which callers see to */
  constructor(capacity: number) {
    this.#message = new Uint8Array(LONGEST_HEAD + capacity);
    this.bytes = this.#message.subarray(LONGEST_HEAD);
  }

  /** Appends one element with its line number; returns the bytes that it takes. */
  append(element: RequestedElementWire, line: number): number {
    element.line = opaque(line);
    const payload = requestedElement.byteLength(element);
    const at = writeAttributeHeader(this.bytes, this.length, IPSET_ATTR.DATA | NLA.F_NESTED, payload);
    requestedElement.encode(element, this.bytes, at);
    const length = attributeLength(payload);
    this.length += length;
    return length;
  }

  /**
   * Sends the elements and forgets them.
   * @param line that of the message: what a refusal names where the kernel wrote no other
   * @returns why the kernel refused one, if it did
   * @throws TransportError, TimeoutError, OverrunError or ClosedError where nothing is known of what it did
   */
  async send(
    requester: Requester,
    { command, setName, exist }: BatchTarget,
    protocol: number,
    line: number,
    options?: RequestOptions,
  ): Promise<BatchRefusal | undefined> {
    const { length } = this;
    this.length = 0;
    const head = elementMessage(command, { protocol, setName, line: opaque(line) }, exist);
    const start = LONGEST_HEAD - attributeLength(0) - head.length;
    const message = this.#message.subarray(start, LONGEST_HEAD + length);
    message.set(head);
    writeAttributeHeader(message, head.length, IPSET_ATTR.ADT | NLA.F_NESTED, length);
    writeU32host(message, 0, message.length);
    let refusal: BatchRefusal | undefined;
    const onAck = (_: number, errno: number, bytes: Uint8Array, from: number, to: number) => {
      if (errno === 0) return;
      const error = decodeRefusal(bytes, from, to, messageTypeOf(NFNL_SUBSYS.IPSET, command), ipset);
      refusal = { error, line: refusedLine(bytes, from, to) };
    };
    await requester.pipeline(message, { onAck }, options);
    return refusal;
  }
}

/**
 * Which line the kernel refused: call_ad() in net/netfilter/ipset/ip_set_core.c writes it over that of the
 * message, in the request that the error repeats.
 */
function refusedLine(bytes: Uint8Array, start: number, end: number): number | undefined {
  const echo = start + ECHO_AT;
  const echoEnd = echo + echoLength(bytes, start, end);
  if (echoEnd <= echo + ATTRIBUTES_AT) return undefined;
  const { line } = elementRequest.decode(bytes, echo + ATTRIBUTES_AT, echoEnd);
  return line && opaque(line);
}

const word = new Uint8Array(4);

/** A line number means nothing to the kernel, which sends it back; ipset(8) writes it in network order. */
function opaque(line: number): number {
  writeU32be(word, 0, line);
  return readU32host(word, 0);
}
