import { requestedElement } from '../../ipset/attributes.ts';
import { type BatchTarget, ElementBatch } from '../../ipset/elementBatch.ts';
import type { SetType } from '../../ipset/setType.ts';
import { ATTRIBUTES_AT, attributeLength, type KernelError, type Requester } from '../../nfnetlink/index.ts';
import type { Draft } from './draft.ts';
import type { PlainLine } from './plainLine.ts';

/** What is done to which set, and the set's type. */
export interface RestoreTarget extends BatchTarget {
  readonly type: SetType;
}

/** Why the kernel refused, and the line of the element that it refused. */
export interface Refusal {
  readonly error: KernelError;
  readonly line: number;
  readonly target: RestoreTarget;
}

/** A page: the buffer of a message of ipset(8), in which it leaves room for an acknowledgement. */
const PAGE = 4096;
const ACKNOWLEDGEMENT = 20;
const HEADER = 4;
const LINE_NUMBER = 8;

/** Bytes of elements that one message gathers: with a page more, a refusal still fits into a receive slot. */
const ENOUGH = 5 * PAGE;
/** A page of ipset(8) and one element more, at most. */
const ROOM = ENOUGH + 2 * PAGE;

/** What ipset(8) reserves for a string, in the order of the attributes. */
const reserved = { ether: 6, name: 32, nameReference: 32, iface: 16, comment: 256 } as const;

/**
 * The elements of a restore file on their way to the kernel.
 *
 * ipset(8) gathers a page of elements, and where a line is wrong, those of the page that is not full are
 * lost. Larger messages are faster, so several such pages travel in one; where the last one ends is
 * remembered, and `sendWhole` sends no more than ipset(8) would have sent. One message is on its way at a
 * time, since nothing that stands behind a refused element may be done.
 */
export class RestoreBatch {
  readonly #batch = new ElementBatch(ROOM);
  /** Where the page that is not full begins. */
  #pageStart = 0;
  /** Bytes that ipset(8) would have in its buffer. */
  #pageLength = 0;
  #firstLine = 0;
  #target: RestoreTarget | undefined;

  get isEmpty(): boolean {
    return this.#batch.length === 0;
  }

  /** Adds an element. @returns false, with nothing done, where those that wait must be sent before */
  add(target: RestoreTarget, draft: Draft, line: number): boolean {
    draft.line = line;
    const reach = () => reservedEnd(draft);
    if (!this.#makeRoom(target, requestedElement.byteLength(draft), line, reach)) return false;
    this.#pageLength += this.#batch.append(draft, line);
    return true;
  }

  /** Adds the element of a plain line, likewise. */
  addPlain(plain: PlainLine, line: number): boolean {
    const { element } = plain;
    const { payload } = element;
    if (!this.#makeRoom(plain.target!, payload, line, element.reservedEnd)) return false;
    const batch = this.#batch;
    batch.length = element.write(batch.bytes, batch.length, line);
    this.#pageLength += attributeLength(payload);
    return true;
  }

  #makeRoom(target: RestoreTarget, payload: number, line: number, reach: () => number): boolean {
    const { length } = this.#batch;
    const waiting = this.#target;
    if (length === 0 || waiting === undefined) {
      this.#target = target;
      this.#firstLine = line;
    } else {
      if (waiting.command !== target.command || waiting.setName !== target.setName) return false;
      if (fitsPage(this.#pageLength, payload, reach)) return true;
      if (length >= ENOUGH || waiting.exist !== target.exist) return false;
    }
    this.#pageStart = length;
    this.#pageLength = emptyPage(target.setName);
    return true;
  }

  /** Sends what waits. @returns why not, if so */
  async send(requester: Requester, protocol: number): Promise<Refusal | undefined> {
    const target = this.#target;
    if (!target || this.isEmpty) return undefined;
    const line = this.#firstLine;
    const refusal = await this.#batch.send(requester, target, protocol, line);
    return refusal && { error: refusal.error, line: refusal.line ?? line, target };
  }

  /** Sends the full pages of what waits, and drops the rest. @returns why not, if so */
  async sendWhole(requester: Requester, protocol: number): Promise<Refusal | undefined> {
    this.#batch.length = this.#pageStart;
    return this.send(requester, protocol);
  }
}

/** Bytes in the buffer of ipset(8) before the first element. */
function emptyPage(setName: string): number {
  return ATTRIBUTES_AT + 8 + attributeLength(Buffer.byteLength(setName) + 1) + LINE_NUMBER + HEADER;
}

/**
 * Whether an element of so many bytes finds room in a page: the tests of rawdata2attr() in lib/session.c.
 * @param reach how far its attributes reach where each string has the room that is reserved for it
 */
function fitsPage(pageLength: number, length: number, reach: () => number): boolean {
  const start = pageLength + HEADER;
  if (start + length - LINE_NUMBER + HEADER + 4 + ACKNOWLEDGEMENT > PAGE) return false;
  return pageLength + length + 300 < PAGE || start + reach() + ACKNOWLEDGEMENT <= PAGE;
}

function reservedEnd(draft: Draft): number {
  let end = 0;
  for (const [field, room] of Object.entries(reserved) as [keyof typeof reserved, number][]) {
    if (draft[field] !== undefined) end = Math.max(end, lengthBefore(draft, field) + HEADER + room);
  }
  return end;
}

function lengthBefore(draft: Draft, field: keyof Draft): number {
  const before: Record<string, unknown> = {};
  for (const entry of requestedElement.table) {
    if (entry.field === field) break;
    before[entry.field] = draft[entry.field as keyof Draft];
  }
  return requestedElement.byteLength(before);
}
