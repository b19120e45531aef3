import { ATTRIBUTE_HEADER, align4 } from '../../nfnetlink/attribute.ts';
import { writeU16host, writeU32host } from '../../nfnetlink/bytes.ts';
import { NFNL_SUBSYS, NLM_F } from '../../nfnetlink/constants.ts';
import { EncodeError } from '../../nfnetlink/errors.ts';
import { ATTRIBUTES_AT, messageTypeOf } from '../../nfnetlink/message.ts';
import { flowAttributes } from '../attributes.ts';
import { CTA, IPCTNL_MSG_CT } from '../constants.ts';
import type { FlowView } from '../flowView.ts';
import type { FlowChanges } from './change.ts';

/** The most bytes that a delete or a get of a viewed flow takes. */
export const LONGEST_VIEWED_REQUEST = 128;

/** A tuple's attribute at most, as every kernel writes it: two IPv6 addresses, what ICMPv6 has, and a zone. */
const LONGEST_TUPLE = ATTRIBUTE_HEADER + 88;

/**
 * Writes what encodeDeleteFlow() makes of the flow that is viewed, by its original tuple, zone and id, at
 * `offset`, with the kernel's own bytes, and returns where it ends. Sequence number 0; allocates nothing.
 * @throws EncodeError where the tuple names no flow: the message would empty the table
 */
export function writeDeleteViewed(target: Uint8Array, offset: number, view: FlowView): number {
  const end = writeKey(target, offset, view);
  return finish(target, offset, copy(target, end, view, CTA.ID), view, IPCTNL_MSG_CT.DELETE);
}

/** Writes what encodeGetFlow() makes of it, likewise. @throws EncodeError likewise */
export function writeGetViewed(target: Uint8Array, offset: number, view: FlowView): number {
  return finish(target, offset, writeKey(target, offset, view), view, IPCTNL_MSG_CT.GET);
}

/** How many bytes `writeUpdateViewed` takes at most. */
export function updateViewedLength(changes: FlowChanges): number {
  return LONGEST_VIEWED_REQUEST + flowAttributes.byteLength(changes);
}

/** Writes what encodeUpdateFlow() makes of it, likewise; the changes are not checked. @throws EncodeError likewise */
export function writeUpdateViewed(
  target: Uint8Array,
  offset: number,
  view: FlowView,
  changes: FlowChanges,
): number {
  const end = writeKey(target, offset, view);
  flowAttributes.encode(changes, target, end);
  const length = align4(flowAttributes.byteLength(changes));
  return finish(target, offset, end + length, view, IPCTNL_MSG_CT.NEW);
}

/** Writes what names the flow behind the place of the header. */
function writeKey(target: Uint8Array, offset: number, view: FlowView): number {
  const start = view.payloadStart(CTA.TUPLE_ORIG);
  if (start === 0 || !view.original.isComplete || view.payloadEnd(start) - start > LONGEST_TUPLE) {
    throw new EncodeError('it does not name a flow', 'originalTuple');
  }
  const end = copy(target, offset + ATTRIBUTES_AT, view, CTA.TUPLE_ORIG);
  return view.has(CTA.ZONE) ? copy(target, end, view, CTA.ZONE) : end;
}

/** Copies an attribute, its header and padding included, and returns where it ends. */
function copy(target: Uint8Array, offset: number, view: FlowView, attribute: number): number {
  const payload = view.payloadStart(attribute);
  const { buffer } = view;
  const start = payload - ATTRIBUTE_HEADER;
  const length = view.payloadEnd(payload) - start;
  for (let i = 0; i < length; i++) target[offset + i] = buffer[start + i]!;
  for (let i = length; i < align4(length); i++) target[offset + i] = 0;
  return offset + align4(length);
}

function finish(target: Uint8Array, offset: number, end: number, view: FlowView, command: number): number {
  writeU32host(target, offset, end - offset);
  writeU16host(target, offset + 4, messageTypeOf(NFNL_SUBSYS.CTNETLINK, command));
  writeU16host(target, offset + 6, NLM_F.REQUEST | NLM_F.ACK);
  writeU32host(target, offset + 8, 0);
  writeU32host(target, offset + 12, 0);
  writeU32host(target, offset + 16, 0);
  target[offset + 16] = view.family;
  return end;
}
