import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ctnetlink } from '../../src/ctnetlink/subsystem.ts';
import {
  ackAttributes,
  ackErrno,
  attributePath,
  decodeRefusal,
  echoLength,
  tlvStart,
} from '../../src/nfnetlink/ack.ts';
import { fromHex, writeU16host, writeU32host } from '../../src/nfnetlink/bytes.ts';
import { attr, attrs, encodePayload } from '../../src/nfnetlink/codec.ts';
import { NLM_F, NLMSG } from '../../src/nfnetlink/constants.ts';
import { DecodeError } from '../../src/nfnetlink/errors.ts';
import { encodeRequest } from '../../src/nfnetlink/message.ts';
import { u8, u16be } from '../../src/nfnetlink/scalar.ts';
import { decodeNlMsgErr } from '../../src/nfnetlink/structs.ts';
import { fixture, loadFixtures } from '../support/fixtures.ts';

fc.configureGlobal({ seed: 4711 });

const CT_NEW = 0x0100;

/** Every NLMSG_ERROR that was captured from the kernel. */
const acks = loadFixtures('rep').filter(({ decoded }) => decoded.messages[0]!.kind === 'NLMSG_ERROR');

test('every captured acknowledgement tells its errno and how much of the request it echoes', () => {
  assert.ok(acks.length > 5);
  for (const { bytes, decoded } of acks) {
    const { error, capped, orig_payload_len: payload = 0, tlvs } = decoded.messages[0]!;
    assert.is(ackErrno(bytes, 0, bytes.length), Math.abs(error!));
    assert.is(decodeNlMsgErr(bytes, 16), error);
    assert.is(echoLength(bytes, 0, bytes.length), 16 + (capped ? 0 : payload));
    assert.is(tlvStart(bytes, 0, bytes.length) < bytes.length, tlvs !== undefined);
  }
});

test('a refusal says the command, the errno, what the kernel said and of which attribute', () => {
  const { bytes } = fixture('rep', 'rep-extack-short-timeout');
  const error = decodeRefusal(bytes, 0, bytes.length, CT_NEW, ctnetlink);
  assert.is(error.kind, 'kernel');
  assert.is(error.errno, 34);
  assert.is(error.code, 'ERANGE');
  assert.is(error.command, 'IPCTNL_MSG_CT_NEW');
  assert.is(error.extack?.message, 'Attribute failed policy validation');
  assert.is(error.extack?.attribute, 'CTA_TIMEOUT');
  assert.match(error.message, 'CTA_TIMEOUT');
});

test('a capped refusal has no attribute to name, but still its offset', () => {
  // from a socket with NETLINK_CAP_ACK and NETLINK_EXT_ACK, which got CTA_TIMESTAMP_EVENT in a request
  const bytes = fromHex(
    '5400000002000003e903000012f867e4 eaffffff 5400000000010505e903000000000000' +
      '27000100417474726962757465206661696c656420706f6c6963792076616c69646174696f6e0000 0800020048000000',
  )!;
  const error = decodeRefusal(bytes, 0, bytes.length, CT_NEW, ctnetlink);
  assert.is(error.code, 'EINVAL');
  assert.is(error.extack?.offset, 72);
  assert.is(error.extack?.attribute, undefined);
  assert.is(error.seq, 1001);
});

test('without a subsystem numbers stand in the place of names', () => {
  const { bytes } = fixture('rep', 'rep-del-wrong-id-enoent');
  const error = decodeRefusal(bytes, 0, bytes.length, 0x0102);
  assert.is(error.command, 'message type 258');
  assert.is(error.code, 'ENOENT');
  assert.is(error.extack, undefined);
});

/** NLMSG_ERROR as the kernel lays it out: header, error, echo of the request, extended acknowledgement. */
function nlmsgError(errno: number, request: Uint8Array, tlvs: Uint8Array, isCapped: boolean): Uint8Array {
  const echo = isCapped ? request.subarray(0, 16) : request;
  const message = new Uint8Array(20 + echo.length + tlvs.length);
  writeU32host(message, 0, message.length);
  writeU16host(message, 4, NLMSG.ERROR);
  writeU16host(message, 6, (isCapped ? NLM_F.CAPPED : 0) | (tlvs.length > 0 ? NLM_F.ACK_TLVS : 0));
  writeU32host(message, 16, -errno >>> 0);
  message.set(echo, 20);
  message.set(tlvs, 20 + echo.length);
  return message;
}

const small = attrs(
  'T',
  { A: 1, B: 2, N: 3 },
  {
    a: attr(1, u8),
    b: attr(2, u16be),
    n: attr(3, attrs('T_N', { X: 1 }, { x: attr(1, u8) })),
  },
);

test('extended acknowledgements are found behind any echo', () => {
  const said = fc.record(
    {
      message: fc.option(fc.stringMatching(/^[ -~]{1,40}$/), { nil: undefined }),
      offset: fc.option(fc.nat(200), { nil: undefined }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4200 }),
      said,
      fc.boolean(),
      (errno, { message, offset }, isCapped) => {
        const request = encodeRequest({ type: 0x4201, flags: 5 }, small, { a: 1, b: 2, n: { x: 3 } });
        const tlvs = encodePayload(ackAttributes, { message, offset });
        const whole = nlmsgError(errno, request, tlvs, isCapped);
        const error = decodeRefusal(whole, 0, whole.length, 0x4201);
        assert.is(error.errno, errno);
        assert.is(error.extack?.message, message);
        assert.is(error.extack?.offset, offset);
      },
    ),
  );
});

test('the path of an attribute is that of the table', () => {
  const payload = encodePayload(small, { a: 1, b: 2, n: { x: 3 } });
  const paths = Array.from({ length: payload.length }, (_, at) =>
    attributePath(small, payload, 0, payload.length, at),
  );
  const named = paths.flatMap((path, at) => (path ? [[at, path]] : []));
  assert.equal(named, [
    [0, 'T_A'],
    [8, 'T_B'],
    [16, 'T_N'],
    [20, 'T_N.T_N_X'],
  ]);
});

test('truncated acknowledgements are an error or a poorer one, never another throw', () => {
  for (const { bytes } of acks) {
    for (let end = 0; end < bytes.length; end++) {
      // whoever walks a datagram has a whole header before it asks for more
      if (end < 16) continue;
      const part = bytes.slice(0, end);
      try {
        decodeRefusal(part, 0, end, CT_NEW, ctnetlink);
      } catch (error) {
        assert.instance(error, DecodeError);
      }
    }
  }
});

test.run();
