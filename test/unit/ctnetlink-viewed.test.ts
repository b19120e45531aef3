/** Requests made of the kernel's own bytes are byte for byte those that the builders make of a flow. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CTA, IPS } from '../../src/ctnetlink/constants.ts';
import { FlowView } from '../../src/ctnetlink/flowView.ts';
import { encodeUpdateFlow } from '../../src/ctnetlink/requests/change.ts';
import { encodeDeleteFlow } from '../../src/ctnetlink/requests/delete.ts';
import { encodeGetFlow } from '../../src/ctnetlink/requests/get.ts';
import {
  LONGEST_VIEWED_REQUEST,
  updateViewedLength,
  writeDeleteViewed,
  writeGetViewed,
  writeUpdateViewed,
} from '../../src/ctnetlink/requests/viewed.ts';
import { toHex } from '../../src/nfnetlink/bytes.ts';
import { NFNL_SUBSYS } from '../../src/nfnetlink/constants.ts';
import { DecodeError, EncodeError } from '../../src/nfnetlink/errors.ts';
import { messageType, subsystemOf, walkMessages } from '../../src/nfnetlink/message.ts';
import { loadFixtures } from '../support/fixtures.ts';

/** Every flow in the captured events and answers. */
function* views(): Generator<FlowView> {
  const view = new FlowView();
  for (const { bytes } of [...loadFixtures('event'), ...loadFixtures('rep')]) {
    const spans: [number, number][] = [];
    walkMessages(bytes, 0, bytes.length, (_, start, end) => spans.push([start, end]));
    for (const [start, end] of spans) {
      if (subsystemOf(messageType(bytes, start)) !== NFNL_SUBSYS.CTNETLINK) continue;
      try {
        view.attach(bytes, start, end);
      } catch (error) {
        assert.instance(error, DecodeError);
        continue;
      }
      yield view;
    }
  }
}

const target = new Uint8Array(512);
const written = (write: (offset: number) => number) => {
  target.fill(0xff);
  return toHex(target.subarray(8, write(8)));
};

test('a delete and a get name the flow by its original tuple and zone, a delete by its id too', () => {
  let zones = 0;
  let flows = 0;
  for (const view of views()) {
    const flow = view.toFlow();
    const isDelete = written((at) => writeDeleteViewed(target, at, view));
    assert.is(isDelete, toHex(encodeDeleteFlow(flow)));
    assert.ok(isDelete.length / 2 <= LONGEST_VIEWED_REQUEST);
    assert.is(
      written((at) => writeGetViewed(target, at, view)),
      toHex(encodeGetFlow(flow)),
    );
    if (view.has(CTA.ZONE)) zones++;
    flows++;
  }
  assert.ok(flows > 20, `${flows} flows`);
  assert.ok(zones > 0, 'one in a zone');
});

test('an update carries its changes behind', () => {
  const changes = { mark: 7, timeout: 5, status: IPS.CONFIRMED, protocolInfo: { tcp: { state: 3 } } };
  for (const view of views()) {
    const update = written((at) => writeUpdateViewed(target, at, view, changes));
    assert.ok(update.length / 2 <= updateViewedLength(changes));
    // the order of attributes is another: the changes go last
    const attributes = (hex: string) => hex.slice(40).match(/.{8}/g)!.sort();
    assert.equal(attributes(update), attributes(toHex(encodeUpdateFlow(view.toFlow(), changes))));
  }
});

test('a tuple that names no flow makes no message: a delete of it would empty the table', () => {
  for (const view of views()) {
    const copy = Uint8Array.from(view.buffer);
    // the number of the nest of addresses becomes one that nobody knows
    copy[view.payloadStart(CTA.TUPLE_ORIG) + 2] = 0x7f;
    const broken = new FlowView().attach(copy, 0, copy.length);
    const isRefused = (error: unknown) => error instanceof EncodeError;
    assert.throws(() => writeDeleteViewed(target, 0, broken), isRefused);
    return;
  }
});

test.run();
