import { elementRequest, requestedElement } from '../../ipset/attributes.ts';
import { IPSET_ATTR, type IPSET_CMD } from '../../ipset/constants.ts';
import { elementMessage } from '../../ipset/messages.ts';
import type { SetType } from '../../ipset/setType.ts';
import {
  ATTRIBUTES_AT,
  attributeLength,
  ECHO_AT,
  echoLength,
  encodePayload,
  NLA,
  type Requester,
  readU32be,
  readU32host,
  u32be,
  u32host,
  writeAttributeHeader,
  writeU32host,
} from '../../nfnetlink/index.ts';
import type { Draft } from './draft.ts';

type ElementCommand = typeof IPSET_CMD.ADD | typeof IPSET_CMD.DEL;

/** Why the kernel refused, and the line of the element that it refused. */
export interface Refusal {
  readonly errno: number;
  readonly line: number | undefined;
  readonly command: number;
  readonly type: SetType;
}

/** Bytes of elements that one message gathers before it is sent. */
const ENOUGH = 12288;
/** A message of ipset(8) and one element more, at most. */
const ROOM = ENOUGH + 8192;

/** A page: the buffer of a message of ipset(8), in which it leaves room for an acknowledgement. */
const PAGE = 4096;
const ACKNOWLEDGEMENT = 20;
const HEADER = 4;
const LINE_NUMBER = 8;

/** What ipset(8) reserves for a string, in the order of the attributes. */
const reserved = { ether: 6, name: 32, nameReference: 32, iface: 16, comment: 256 } as const;

/**
 * The elements of a restore file on their way to the kernel: many in one message.
 *
 * ipset(8) gathers a page of elements, and where a line is wrong, those of the page that is not full are
 * lost. Larger messages are faster, so several such pages travel in one; where the last one ends is
 * remembered, and `sendWhole` sends no more than ipset(8) would have sent.
 */
export class RestoreBatch {
  readonly #payload = new Uint8Array(ROOM);
  #length = 0;
  /** Where the page that is not full begins. */
  #pageStart = 0;
  /** Bytes that ipset(8) would have in its buffer. */
  #pageLength = 0;
  #firstLine = 0;
  #target: { command: ElementCommand; setName: string; type: SetType; isExist: boolean } | undefined;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Whether an element can join those that wait. */
  takes(command: number, setName: string): boolean {
    const target = this.#target;
    return target === undefined || (target.command === command && target.setName === setName);
  }

  /**
   * Adds an element. `takes` must have said that it can join.
   * @returns whether the message must be sent before, in which case nothing was added
   */
  add(command: ElementCommand, draft: Draft, line: number, isExist: boolean): boolean {
    draft.line = lineNumber(line);
    const length = requestedElement.byteLength(draft);
    const isNewPage = this.#length === 0 || !fitsPage(this.#pageLength, draft, length);
    if (this.#length > 0 && isNewPage && (this.#length >= ENOUGH || this.#target?.isExist !== isExist))
      return true;
    const { setName = '', type } = draft;
    if (this.#length === 0) {
      this.#target = { command, setName, type: type!.type, isExist };
      this.#firstLine = line;
    }
    if (isNewPage) {
      this.#pageStart = this.#length;
      this.#pageLength =
        ATTRIBUTES_AT + 8 + attributeLength(Buffer.byteLength(setName) + 1) + LINE_NUMBER + HEADER;
    }
    const at = writeAttributeHeader(this.#payload, this.#length, IPSET_ATTR.DATA | NLA.F_NESTED, length);
    requestedElement.encode(draft, this.#payload, at);
    this.#length += attributeLength(length);
    this.#pageLength += attributeLength(length);
    return false;
  }

  /** Sends what waits. @returns why not, if so */
  async send(requester: Requester, protocol: number): Promise<Refusal | undefined> {
    const target = this.#target;
    const length = this.#length;
    this.#length = 0;
    this.#target = undefined;
    if (!target || length === 0) return undefined;
    const { command, setName, isExist, type } = target;
    const head = elementMessage(command, { protocol, setName, line: lineNumber(this.#firstLine) }, isExist);
    const message = new Uint8Array(head.length + attributeLength(length));
    message.set(head);
    const at = writeAttributeHeader(message, head.length, IPSET_ATTR.ADT | NLA.F_NESTED, length);
    message.set(this.#payload.subarray(0, length), at);
    writeU32host(message, 0, message.length);
    let refusal: Refusal | undefined;
    const onAck = (_: number, errno: number, bytes: Uint8Array, start: number, end: number) => {
      if (errno !== 0) refusal = { errno, line: refusedLine(bytes, start, end), command, type };
    };
    await requester.pipeline(message, { onAck });
    return refusal;
  }

  /** Sends the full pages of what waits, and drops the rest. @returns why not, if so */
  async sendWhole(requester: Requester, protocol: number): Promise<Refusal | undefined> {
    this.#length = this.#pageStart;
    this.#pageStart = 0;
    return this.send(requester, protocol);
  }
}

/** Opaque to the kernel, which sends it back; in network order, as ipset(8) writes it. */
function lineNumber(line: number): number {
  return readU32host(encodePayload(u32be, line), 0);
}

/** Whether an element of so many bytes finds room in a page: the tests of rawdata2attr() in lib/session.c. */
function fitsPage(pageLength: number, draft: Draft, length: number): boolean {
  const start = pageLength + HEADER;
  if (start + length - LINE_NUMBER + HEADER + 4 + ACKNOWLEDGEMENT > PAGE) return false;
  if (pageLength + length + 300 < PAGE) return true;
  for (const [field, room] of Object.entries(reserved) as [keyof typeof reserved, number][]) {
    if (draft[field] === undefined) continue;
    const before = start + lengthBefore(draft, field);
    if (before + HEADER + room + ACKNOWLEDGEMENT > PAGE) return false;
  }
  return true;
}

function lengthBefore(draft: Draft, field: keyof Draft): number {
  const before: Record<string, unknown> = {};
  for (const entry of requestedElement.table) {
    if (entry.field === field) break;
    before[entry.field] = draft[entry.field as keyof Draft];
  }
  return requestedElement.byteLength(before);
}

/** The line of the refused element, which the kernel writes over that of the message it sends back. */
function refusedLine(bytes: Uint8Array, start: number, end: number): number | undefined {
  const echo = start + ECHO_AT;
  const echoEnd = echo + echoLength(bytes, start, end);
  if (echoEnd <= echo + ATTRIBUTES_AT) return undefined;
  const { line } = elementRequest.decode(bytes, echo + ATTRIBUTES_AT, echoEnd);
  return line === undefined ? undefined : readU32be(encodePayload(u32host, line), 0);
}
