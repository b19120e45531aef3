import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { attr, attrs } from '../../src/nfnetlink/codec.ts';
import { DecodeError } from '../../src/nfnetlink/errors.ts';
import {
  ATTRIBUTES_AT,
  commandOf,
  encodeRequest,
  messageEnd,
  messageFamily,
  messageFlags,
  messageLength,
  messagePortId,
  messageResourceId,
  messageSeq,
  messageType,
  messageTypeOf,
  requestLength,
  subsystemOf,
  walkMessages,
  writeMessageSeq,
  writeRequest,
} from '../../src/nfnetlink/message.ts';
import { bytes } from '../../src/nfnetlink/scalar.ts';
import {
  decodeNfGenMsg,
  decodeNlMsgErr,
  decodeNlMsgHdr,
  encodeNfGenMsg,
  encodeNlMsgHdr,
} from '../../src/nfnetlink/structs.ts';

fc.configureGlobal({ seed: 4711 });

const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);
const plain = { noNullPrototype: true };
const header = fc.record(
  { nlmsg_len: u32, nlmsg_type: u16, nlmsg_flags: u16, nlmsg_seq: u32, nlmsg_pid: u32 },
  plain,
);
const generic = fc.record({ family: fc.nat(255), version: fc.nat(255), res_id: u16 }, plain);
const codec = attrs('T', { DATA: 1 }, { data: attr(1, bytes()) });

test('the hand-written readers agree with the declared structures', () => {
  fc.assert(
    fc.property(header, generic, fc.nat(5), (nlmsghdr, nfgenmsg, offset) => {
      const source = new Uint8Array(30).fill(0xee);
      encodeNlMsgHdr(nlmsghdr, source, offset);
      encodeNfGenMsg(nfgenmsg, source, offset + 16);
      assert.is(messageLength(source, offset), nlmsghdr.nlmsg_len);
      assert.is(messageType(source, offset), nlmsghdr.nlmsg_type);
      assert.is(messageFlags(source, offset), nlmsghdr.nlmsg_flags);
      assert.is(messageSeq(source, offset), nlmsghdr.nlmsg_seq);
      assert.is(messagePortId(source, offset), nlmsghdr.nlmsg_pid);
      assert.is(messageFamily(source, offset), nfgenmsg.family);
      assert.is(messageResourceId(source, offset), nfgenmsg.res_id);
      assert.equal(decodeNlMsgHdr(source, offset), nlmsghdr);
      assert.equal(decodeNfGenMsg(source, offset + 16), nfgenmsg);
    }),
  );
});

test('the hand-written writer agrees with the declared structures', () => {
  const request = fc.record({
    type: u16,
    flags: u16,
    family: fc.nat(255),
    version: fc.nat(255),
    resourceId: u16,
  });
  fc.assert(
    fc.property(request, fc.uint8Array({ maxLength: 50 }), (wanted, data) => {
      const message = encodeRequest(wanted, codec, { data });
      assert.is(message.length % 4, 0);
      assert.is(message.length, requestLength(codec, { data }));
      assert.equal(decodeNlMsgHdr(message, 0), {
        nlmsg_len: message.length,
        nlmsg_type: wanted.type,
        nlmsg_flags: wanted.flags,
        nlmsg_seq: 0,
        nlmsg_pid: 0,
      });
      assert.equal(decodeNfGenMsg(message, 16), {
        family: wanted.family,
        version: wanted.version,
        res_id: wanted.resourceId,
      });
      const value = codec.decode(message, ATTRIBUTES_AT, message.length);
      assert.equal(value, data.length > 0 ? { data } : {});
    }),
  );
});

test('a request may be written between others, over what was there', () => {
  const target = new Uint8Array(60).fill(0xa5);
  const end = writeRequest(target, 4, { type: 1, flags: 2 }, codec, { data: Uint8Array.of(1) });
  assert.is(end, 32);
  assert.equal(
    target.subarray(4, end),
    encodeRequest({ type: 1, flags: 2 }, codec, { data: Uint8Array.of(1) }),
  );
  assert.equal(target.subarray(0, 4), new Uint8Array(4).fill(0xa5));
  assert.equal(target.subarray(end), new Uint8Array(60 - end).fill(0xa5));
});

test('the sequence number is written in place', () => {
  fc.assert(
    fc.property(header, u32, (nlmsghdr, seq) => {
      const source = new Uint8Array(16);
      encodeNlMsgHdr(nlmsghdr, source, 0);
      writeMessageSeq(source, 0, seq);
      assert.equal(decodeNlMsgHdr(source, 0), { ...nlmsghdr, nlmsg_seq: seq });
    }),
  );
});

test('an errno is signed', () => {
  assert.is(decodeNlMsgErr(Uint8Array.of(0, 0, 0, 0), 0), 0);
  assert.is(decodeNlMsgErr(Uint8Array.of(0xff, 0xff, 0xff, 0xff), 0), -1);
});

test('subsystem and command are the halves of the type', () => {
  fc.assert(
    fc.property(fc.nat(255), fc.nat(255), (subsystem, command) => {
      const type = messageTypeOf(subsystem, command);
      assert.is(subsystemOf(type), subsystem);
      assert.is(commandOf(type), command);
    }),
  );
});

/** Messages of these payload lengths, each padded but the last. */
function datagram(lengths: readonly number[], paddedEnd: boolean): Uint8Array {
  const parts = lengths.map((length, i) => {
    const isLast = i === lengths.length - 1;
    const part = new Uint8Array(isLast && !paddedEnd ? 16 + length : (16 + length + 3) & ~3).fill(0xcc);
    encodeNlMsgHdr(
      { nlmsg_len: 16 + length, nlmsg_type: i, nlmsg_flags: 0, nlmsg_seq: 0, nlmsg_pid: 0 },
      part,
      0,
    );
    return part;
  });
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

test('every message of a datagram is visited, padding apart', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(40), { maxLength: 6 }), fc.boolean(), fc.nat(9), (lengths, padded, shift) => {
      const whole = datagram(lengths, padded);
      const moved = new Uint8Array(shift + whole.length + 4);
      moved.set(whole, shift);
      const seen: number[] = [];
      walkMessages(moved, shift, shift + whole.length, (source, start, end) => {
        assert.is(messageType(source, start), seen.length);
        seen.push(end - start - 16);
      });
      assert.equal(seen, lengths);
    }),
  );
});

test('a malformed length ends the walk where it stands, after the messages before it', () => {
  const two = datagram([4, 4], true);
  const faults: [number, RegExp][] = [
    [15, /message length 15 is below 16/],
    [0, /message length 0 is below 16/],
    [21, /runs over the 20 bytes left/],
    [0xffffffff, /runs over the 20 bytes left/],
  ];
  for (const [length, reason] of faults) {
    encodeNlMsgHdr({ nlmsg_len: length, nlmsg_type: 1, nlmsg_flags: 0, nlmsg_seq: 0, nlmsg_pid: 0 }, two, 20);
    let visits = 0;
    const walk = () => walkMessages(two, 0, two.length, () => visits++);
    assert.throws(
      walk,
      (error: unknown) => error instanceof DecodeError && error.offset === 20 && reason.test(error.message),
    );
    assert.is(visits, 1);
  }
  assert.throws(() => messageEnd(two, 0, 15), /15 bytes are left where a message header needs 16/);
});

test.run();
