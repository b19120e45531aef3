/** Everything captured of ipset, as trees and, both ways, by the tables. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ipset } from '../../src/ipset/index.ts';
import { align4 } from '../../src/nfnetlink/attribute.ts';
import { toHex } from '../../src/nfnetlink/bytes.ts';
import { encodePayload, isNest, type NestCodec } from '../../src/nfnetlink/codec.ts';
import { NFNL_SUBSYS, NLA, NLM_F } from '../../src/nfnetlink/constants.ts';
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

const fixtures = loadFixtures('ipset');

/** ipset(8) never sends these as written here: made by hand to see what the kernel makes of them. */
const unordered = new Set(['ipset-x-add-adt-batch-fail-req']);

for (const { name, bytes, decoded } of fixtures) {
  test(`${name} as a tree`, () => assert.equal(decodeTree(bytes, [ipset]), decoded));
}

let requests = 0;
let replies = 0;
for (const { name, bytes } of fixtures) {
  test(`${name} both ways`, () => {
    walkMessages(bytes, 0, bytes.length, (source, start, end) => {
      const type = messageType(source, start);
      if (subsystemOf(type) !== NFNL_SUBSYS.IPSET) return;
      const flags = messageFlags(source, start);
      const shape = ipset.shapeOf(commandOf(type), flags)!;
      if ((flags & NLM_F.REQUEST) !== 0) requests++;
      else replies++;
      const value = shape.attributes.decode(source, start + ATTRIBUTES_AT, end);
      const encoded = encodePayload(shape.attributes, value);
      const captured = attributesOf(shape.attributes, source, start + ATTRIBUTES_AT, end);
      const written = attributesOf(shape.attributes, encoded, 0, encoded.length);
      if (unordered.has(name))
        assert.equal(written.map(withoutOrder).sort(), captured.map(withoutOrder).sort());
      else assert.equal(written, captured);
    });
  });
}

test('requests and replies were among them', () => {
  assert.ok(requests > 50, `${requests} requests`);
  assert.ok(replies > 10, `${replies} replies`);
});

/** A nest's attributes as type with flags and payload: everything but padding, which may be garbage. */
function attributesOf(nest: NestCodec<unknown>, source: Uint8Array, start: number, end: number): unknown[] {
  const list: unknown[] = [];
  for (let at = start; at < end; ) {
    const length = source[at]! | (source[at + 1]! << 8);
    const type = source[at + 2]! | (source[at + 3]! << 8);
    const codec = nest.byType[type & NLA.TYPE_MASK]!.codec;
    list.push([
      type,
      isNest(codec) ? attributesOf(codec, source, at + 4, at + length) : toHex(source, at + 4, at + length),
    ]);
    at += align4(length);
  }
  return list;
}

/** Line numbers by hand lack the flag that ipset(8) gives them, and stand at the end. */
function withoutOrder(attribute: unknown): string {
  return JSON.stringify(attribute).replaceAll(`[${9 | NLA.F_NET_BYTEORDER},`, '[9,');
}

test.run();
