import * as assert from 'uvu/assert';
import { flowAttributes } from '../../src/ctnetlink/attributes.ts';
import { expectationAttributes } from '../../src/ctnetlink/expectationAttributes.ts';
import { FlowView } from '../../src/ctnetlink/flowView.ts';
import {
  cpuStatisticsAttributes,
  expectationStatisticsAttributes,
  tableStatisticsAttributes,
} from '../../src/ctnetlink/statisticsAttributes.ts';
import { ctnetlink, ctnetlinkExp } from '../../src/ctnetlink/subsystem.ts';
import { TupleView } from '../../src/ctnetlink/tupleView.ts';
import {
  createRequest,
  elementRequest,
  plainRequest,
  protocolReply,
  setReply,
  twoNamesRequest,
} from '../../src/ipset/attributes.ts';
import { decodeElement } from '../../src/ipset/element.ts';
import { decodeHeader } from '../../src/ipset/header.ts';
import { ipset } from '../../src/ipset/subsystem.ts';
import { decodeRefusal } from '../../src/nfnetlink/ack.ts';
import { DecodeError } from '../../src/nfnetlink/errors.ts';
import { ATTRIBUTES_AT, walkMessages } from '../../src/nfnetlink/message.ts';
import { decodeTree } from '../../src/nfnetlink/tree.ts';
import { present } from '../support/checkCodec.ts';

/** Reads one message, or what is meant to be one; may throw DecodeError alone. */
export type MessageReader = (bytes: Uint8Array, start: number, end: number) => void;

const subsystems = [ctnetlink, ctnetlinkExp, ipset];

const tables = [
  expectationAttributes,
  cpuStatisticsAttributes,
  tableStatisticsAttributes,
  expectationStatisticsAttributes,
  createRequest,
  elementRequest,
  plainRequest,
  twoNamesRequest,
  protocolReply,
  setReply,
];

const getters = (prototype: object) =>
  Object.entries(Object.getOwnPropertyDescriptors(prototype)).flatMap(([name, { get }]) =>
    get ? [name] : [],
  );
const viewGetters = getters(FlowView.prototype);
const tupleGetters = getters(TupleView.prototype);

const view = new FlowView();

/** Everything that the view can be asked; and where it and the table have an answer, it is the same. */
const readView: MessageReader = (bytes, start, end) => {
  view.attach(bytes, start, end);
  for (const getter of viewGetters) Reflect.get(view, getter);
  for (const tuple of [view.original, view.reply]) {
    for (const getter of tupleGetters) Reflect.get(tuple, getter);
    tuple.toTuple();
    tuple.copySource(new Uint8Array(16), 0);
    tuple.copyDestination(new Uint8Array(16), 0);
  }
  const flow = view.toFlow();
  const value = flowAttributes.decode(bytes, start + ATTRIBUTES_AT, end);
  for (const field of Object.keys(value) as (keyof typeof value & keyof typeof flow)[]) {
    if (!(field in flow)) continue;
    assert.equal(present(flow[field]), present(value[field]), `${field} of the view and of the table`);
  }
};

/** Every decoder of a message that there is, by name. */
export const readers: Readonly<Record<string, MessageReader>> = {
  FlowView: readView,
  CTA: (bytes, start, end) => {
    flowAttributes.decode(bytes, start + ATTRIBUTES_AT, end);
  },
  tables: (bytes, start, end) => {
    for (const table of tables) tolerate(() => table.decode(bytes, start + ATTRIBUTES_AT, end));
  },
  listing: (bytes, start, end) => {
    const reply = setReply.decode(bytes, start + ATTRIBUTES_AT, end);
    for (const element of reply.elements?.data ?? []) decodeElement(element);
    decodeHeader(reply, start);
  },
  refusal: (bytes, start, end) => {
    for (const subsystem of subsystems) decodeRefusal(bytes, start, end, 0x0100, subsystem);
  },
};

/** Runs what may throw DecodeError; returns whether it gave a value. */
export function tolerate(decode: () => void): boolean {
  try {
    decode();
    return true;
  } catch (error) {
    if (error instanceof DecodeError) return false;
    throw error;
  }
}

/**
 * Shows a datagram to every decoder, each message of it by itself; returns how many gave a value.
 * @throws whatever a decoder throws that is no DecodeError
 */
export function decodeEverything(datagram: Uint8Array, messageReaders = readers): number {
  let values = 0;
  const read: MessageReader = (bytes, start, end) => {
    for (const reader of Object.values(messageReaders)) {
      if (tolerate(() => reader(bytes, start, end))) values++;
    }
  };
  if (tolerate(() => void decodeTree(datagram, subsystems))) values++;
  tolerate(() =>
    walkMessages(datagram, 0, datagram.length, (bytes, start, end) => {
      if (end - start >= ATTRIBUTES_AT) read(bytes, start, end);
    }),
  );
  return values;
}
