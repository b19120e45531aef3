import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { attributeLength, writeAttributeHeader } from '../../src/nfnetlink/attribute.ts';
import { readU32host, toHex, writeU16host } from '../../src/nfnetlink/bytes.ts';
import { attr, attrs, type NestCodec, netByteOrder } from '../../src/nfnetlink/codec.ts';
import { DecodeError } from '../../src/nfnetlink/errors.ts';
import { encodeRequest, messageTypeOf } from '../../src/nfnetlink/message.ts';
import { bytes, ipv4, text, u16be, u32be, u64be } from '../../src/nfnetlink/scalar.ts';
import { encodeNlMsgHdr } from '../../src/nfnetlink/structs.ts';
import type { Subsystem } from '../../src/nfnetlink/subsystem.ts';
import { type AttributeTree, decodeTree, type MessageTree } from '../../src/nfnetlink/tree.ts';

fc.configureGlobal({ seed: 4711 });

const inner = attrs(
  'TREE_IN',
  { PORT: 1, ADDRESS: 2 },
  {
    port: netByteOrder(attr(1, u16be)),
    address: attr(2, ipv4),
  },
);
const outer = attrs(
  'TREE',
  { ID: 1, NAME: 2, IN: 3, BIG: 4, RAW: 5 },
  {
    id: attr(1, u32be),
    name: attr(2, text()),
    in: attr(3, inner),
    big: attr(4, u64be),
    raw: attr(5, bytes()),
  },
);
const subsystem: Subsystem = {
  id: 42,
  shapeOf: (command) =>
    command === 7 ? { name: 'TREE_MSG', attributes: outer as NestCodec<unknown> } : undefined,
};
const type = messageTypeOf(42, 7);

test('a message is its header, its names and plain values', () => {
  const value = {
    id: 0,
    name: 'x',
    in: { port: 443, address: '10.0.0.1' },
    big: 2n ** 63n,
    raw: Uint8Array.of(0xab),
  };
  const message = encodeRequest({ type, flags: 1, family: 2, resourceId: 9 }, outer, value);
  const { messages } = decodeTree(message, [subsystem]);
  assert.equal(messages, [
    {
      header: { nlmsg_len: message.length, nlmsg_type: type, nlmsg_flags: 1, nlmsg_seq: 0, nlmsg_pid: 0 },
      kind: 'TREE_MSG',
      subsys: 42,
      nfgenmsg: { family: 2, version: 0, res_id: 9 },
      attrs: [
        { attr: 'TREE_ID', type: 1, len: 8, fmt: 'be32', value: 0 },
        { attr: 'TREE_NAME', type: 2, len: 6, fmt: 'string', value: 'x' },
        {
          attr: 'TREE_IN',
          type: 3,
          len: 20,
          nested_flag: true,
          nested: [
            { attr: 'TREE_IN_PORT', type: 1, len: 6, net_byteorder_flag: true, fmt: 'be16', value: 443 },
            { attr: 'TREE_IN_ADDRESS', type: 2, len: 8, fmt: 'ipv4', value: '10.0.0.1' },
          ],
        },
        { attr: 'TREE_BIG', type: 4, len: 12, fmt: 'be64', value: '9223372036854775808' },
        { attr: 'TREE_RAW', type: 5, len: 5, fmt: 'binary', value: 'ab' },
      ],
    },
  ]);
  assert.equal(JSON.parse(JSON.stringify(messages)), messages);
});

test('a listener hears where each part begins', () => {
  const value = { id: 1, in: { port: 443, address: '10.0.0.1' }, name: 'abc' };
  const one = encodeRequest({ type, flags: 1 }, outer, value);
  const two = Uint8Array.from([...one, ...one]);
  const seen = new Map<AttributeTree | MessageTree, number>();
  const tree = decodeTree(two, [subsystem], (node, offset) => seen.set(node, offset));
  const nodes = (list: readonly AttributeTree[]): AttributeTree[] =>
    list.flatMap((node) => [node, ...nodes(node.nested ?? [])]);
  for (const message of tree.messages) {
    for (const node of nodes(message.attrs!)) {
      // the length field and the number stand at the offset that was heard
      const word = readU32host(two, seen.get(node)!);
      assert.is(word & 0xffff, node.len);
      assert.is((word >>> 16) & 0x3fff, node.type);
    }
  }
  assert.equal(
    tree.messages.map((message) => seen.get(message)),
    [0, one.length],
  );
  assert.is(seen.size, 12);
});

test('what no table knows is shown as bytes', () => {
  const stranger = new Uint8Array(attributeLength(3));
  stranger.set([1, 2, 3], writeAttributeHeader(stranger, 0, 99, 3));
  const plain = encodeRequest({ type, flags: 0 }, outer, {});
  const message = Uint8Array.from([...plain, ...stranger]);
  message[0] = message.length;
  if (readU32host(message, 0) === message.length) {
    assert.equal(decodeTree(message, [subsystem]).messages[0]!.attrs, [
      { attr: 'TREE_99', type: 99, len: 7, fmt: 'binary', value: '010203' },
    ]);
  }
  const unknown = encodeRequest({ type: messageTypeOf(42, 8), flags: 0 }, outer, { id: 1 });
  const [tree] = decodeTree(unknown, [subsystem]).messages;
  assert.is(tree!.kind, `message type ${messageTypeOf(42, 8)}`);
  assert.is(tree!.payload, toHex(unknown, 20));
});

test('a value shorter than its format says so and shows its bytes', () => {
  const message = encodeRequest({ type, flags: 0 }, attrs('T', {}, { id: attr(1, u16be) }), { id: 258 });
  assert.equal(decodeTree(message, [subsystem]).messages[0]!.attrs, [
    { attr: 'TREE_ID', type: 1, len: 6, fmt: 'be32', value: 'BADLEN:0102' },
  ]);
});

test("netlink's own messages need no subsystem", () => {
  const control = (number: number, length = 20) => {
    const message = new Uint8Array(length);
    encodeNlMsgHdr(
      { nlmsg_len: length, nlmsg_type: number, nlmsg_flags: 0, nlmsg_seq: 1, nlmsg_pid: 2 },
      message,
      0,
    );
    return decodeTree(message, []).messages[0]!;
  };
  assert.is(control(1).kind, 'NLMSG_NOOP');
  assert.is(control(4).kind, 'NLMSG_OVERRUN');
  assert.is(control(9).kind, 'message type 9');
  assert.equal([control(3).kind, control(3).error], ['NLMSG_DONE', 0]);
  assert.equal([control(2).kind, control(2).errno], ['NLMSG_ERROR', 'ACK']);
  assert.throws(() => control(2, 16), /16 bytes where an acknowledgement needs 20/);
  assert.is(control(0x0100, 16).kind, 'short');
});

test('an empty datagram is no messages; a nest that runs over is an error at its byte', () => {
  assert.equal(decodeTree(new Uint8Array(0), []), { messages: [] });
  const message = encodeRequest({ type, flags: 0 }, outer, { in: { port: 1 } });
  writeU16host(message, 24, 0xffff);
  assert.throws(
    () => decodeTree(message, [subsystem]),
    (error: unknown) => error instanceof DecodeError && error.offset === 24,
  );
});

test('an error names the nests that it lies in', () => {
  const message = encodeRequest({ type, flags: 0 }, outer, { in: { port: 1 } });
  writeU16host(message, 24, 0);
  assert.throws(
    () => decodeTree(message, [subsystem]),
    (error: unknown) => error instanceof DecodeError && error.path === 'TREE_IN' && error.offset === 24,
  );
});

test('any bytes give a tree or a DecodeError', () => {
  let trees = 0;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (payload) => {
      const message = Uint8Array.from([...encodeRequest({ type, flags: 0 }, outer, {}), ...payload]);
      encodeNlMsgHdr(
        { nlmsg_len: message.length, nlmsg_type: type, nlmsg_flags: 0, nlmsg_seq: 0, nlmsg_pid: 0 },
        message,
        0,
      );
      try {
        decodeTree(message, [subsystem]);
        trees++;
      } catch (error) {
        assert.instance(error, DecodeError);
      }
    }),
    { numRuns: 5000 },
  );
  assert.ok(trees > 0);
});

test.run();
