/** Everything captured of connection tracking, as trees and, both ways, by the tables. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ctnetlink, ctnetlinkExp } from '../../src/ctnetlink/subsystem.ts';
import { align4 } from '../../src/nfnetlink/attribute.ts';
import { toHex } from '../../src/nfnetlink/bytes.ts';
import { encodePayload } from '../../src/nfnetlink/codec.ts';
import {
  ATTRIBUTES_AT,
  commandOf,
  messageFlags,
  messageType,
  subsystemOf,
  walkMessages,
} from '../../src/nfnetlink/message.ts';
import { decodeTree } from '../../src/nfnetlink/tree.ts';
import { loadFixtures } from '../support/fixtures.ts';

const subsystems = [ctnetlink, ctnetlinkExp];

for (const file of ['event', 'req', 'rep']) {
  for (const { name, bytes, decoded } of loadFixtures(file)) {
    test(`${file}: ${name} as a tree`, () => assert.equal(decodeTree(bytes, subsystems), decoded));
  }
}

// holds an attribute that is too short, on purpose
const malformed = new Set(['req-short-timeout']);

for (const file of ['event', 'req', 'rep']) {
  for (const { name, bytes } of loadFixtures(file)) {
    if (malformed.has(name)) continue;
    test(`${file}: ${name} both ways`, () => {
      walkMessages(bytes, 0, bytes.length, (source, start, end) => {
        const type = messageType(source, start);
        const shape = subsystems
          .find(({ id }) => id === subsystemOf(type))
          ?.shapeOf(commandOf(type), messageFlags(source, start));
        if (!shape || end - start < ATTRIBUTES_AT) return;
        const value = shape.attributes.decode(source, start + ATTRIBUTES_AT, end);
        const encoded = encodePayload(shape.attributes, value);
        // requests are written in the order of the captured ones; the kernel has an order of its own
        const arranged = file === 'req' ? (list: string[]) => list : (list: string[]) => list.sort();
        assert.equal(
          arranged(attributesOf(encoded, 0, encoded.length)),
          arranged(attributesOf(source, start + ATTRIBUTES_AT, end)),
        );
      });
    });
  }
}

/** Each attribute with its payload, in hexadecimal, without padding. */
function attributesOf(source: Uint8Array, start: number, end: number): string[] {
  const list: string[] = [];
  for (let at = start; at < end; ) {
    const length = source[at]! | (source[at + 1]! << 8);
    list.push(toHex(source, at, at + length));
    at += align4(length);
  }
  return list;
}

test.run();
