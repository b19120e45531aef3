import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ToldFlows } from '../../src/cli/conntrack/toldFlows.ts';
import { flowAttributes } from '../../src/ctnetlink/attributes.ts';
import { IPCTNL_MSG_CT } from '../../src/ctnetlink/constants.ts';
import type { FlowAttributes } from '../../src/ctnetlink/flow.ts';
import { FlowView } from '../../src/ctnetlink/flowView.ts';
import { invertTuple } from '../../src/ctnetlink/invertTuple.ts';
import type { CompleteTuple } from '../../src/ctnetlink/tuple.ts';
import { AF, NFNL_SUBSYS, NLM_F } from '../../src/nfnetlink/constants.ts';
import { encodeRequest, messageTypeOf } from '../../src/nfnetlink/message.ts';

const tuple = (source: string): CompleteTuple => ({
  ...{ source, destination: source.includes(':') ? '2001:db8::9' : '192.0.2.9', protocol: 6 },
  ...{ sourcePort: 1000, destinationPort: 443 },
});

/** An event, or an entry of a listing where it is neither new nor an end. */
function message(source: string, more: Partial<FlowAttributes> = {}, kind = ''): FlowView {
  const command = kind === 'destroy' ? IPCTNL_MSG_CT.DELETE : IPCTNL_MSG_CT.NEW;
  const flags = kind === 'new' ? NLM_F.CREATE | NLM_F.EXCL : 0;
  const family = source.includes(':') ? AF.INET6 : AF.INET;
  const type = messageTypeOf(NFNL_SUBSYS.CTNETLINK, command);
  const bytes = encodeRequest({ type, flags, family }, flowAttributes, {
    originalTuple: tuple(source),
    replyTuple: invertTuple(tuple(source)),
    ...{ id: 7, status: 14, protocolInfo: { tcp: { state: 3 } } },
    ...more,
  });
  return new FlowView().attach(bytes, 0, bytes.length);
}

const noEnd = () => assert.unreachable('no flow ended');

function ended(told: ToldFlows) {
  const flows: ReturnType<FlowView['toFlow']>[] = [];
  told.endRound((bytes) => {
    const view = new FlowView().attach(bytes, 0, bytes.length);
    assert.is(view.kind, 'destroy');
    flows.push(view.toFlow());
  });
  return flows;
}

test('a listing shows what is new, what changed, and what is as it was told', () => {
  const told = new ToldFlows();
  for (const source of ['10.0.0.1', '10.0.0.2', '10.0.0.3', '2001:db8::1']) {
    assert.is(told.take(message(source, {}, 'new')), true);
  }
  told.beginRound();
  assert.is(told.look(message('10.0.0.1'), noEnd), 'none');
  assert.is(told.look(message('2001:db8::1'), noEnd), 'none');
  assert.is(told.look(message('10.0.0.2', { mark: 5 }), noEnd), 'changed');
  assert.is(told.look(message('10.0.0.3', { protocolInfo: { tcp: { state: 8 } } }), noEnd), 'changed');
  assert.is(told.look(message('10.0.0.4'), noEnd), 'new');
  assert.equal(ended(told), []);
  told.beginRound();
  assert.is(told.look(message('10.0.0.2', { mark: 5 }), noEnd), 'none');
});

test('what an update leaves out has not changed', () => {
  const told = new ToldFlows();
  told.take(message('10.0.0.1', { labels: Uint8Array.of(1, 0, 0, 0) }, 'new'));
  told.take(message('10.0.0.1', { protocolInfo: undefined }));
  told.beginRound();
  const labels = Uint8Array.of(1, 0, 0, 0);
  assert.is(told.look(message('10.0.0.1', { labels }), noEnd), 'none');
  assert.is(told.look(message('10.0.0.1', { labels: Uint8Array.of(2, 0, 0, 0) }), noEnd), 'changed');
  assert.is(told.look(message('10.0.0.1'), noEnd), 'changed');
});

test('what the listing lacks has ended, with all that is known of it', () => {
  const told = new ToldFlows();
  told.take(message('10.0.0.1', { mark: 9, zone: 5 }, 'new'));
  told.take(message('10.0.0.1', {}, 'new'));
  told.take(message('10.0.0.2', {}, 'new'));
  told.take(message('10.0.0.2', {}, 'destroy'));
  told.beginRound();
  told.pass(message('10.0.0.1'));
  const [flow, ...others] = ended(told);
  assert.equal(others, []);
  assert.equal(flow!.originalTuple, { ...flow!.originalTuple, ...tuple('10.0.0.1') });
  assert.equal(
    { mark: flow!.mark, zone: flow!.zone, id: flow!.id, state: flow!.protocolInfo?.tcp?.state },
    { mark: 9, zone: 5, id: 7, state: 3 },
  );
  assert.is(told.size, 1);
});

test('another flow by the same name is the end of the one before', () => {
  const told = new ToldFlows();
  told.take(message('10.0.0.1', { id: 1 }, 'new'));
  told.beginRound();
  const ends: number[] = [];
  const onEnd = (bytes: Uint8Array) => ends.push(new FlowView().attach(bytes, 0, bytes.length).id);
  assert.is(told.look(message('10.0.0.1', { id: 2 }), onEnd), 'another');
  const replyTuple = { ...invertTuple(tuple('10.0.0.1')), destination: '198.51.100.1' };
  assert.is(told.look(message('10.0.0.1', { id: 2, replyTuple }), onEnd), 'another');
  assert.equal(ends, [1, 2]);
});

test('the event of what a listing has just told is not told again, a later one is', () => {
  const told = new ToldFlows();
  told.beginRound();
  told.look(message('10.0.0.1'), noEnd);
  assert.is(told.take(message('10.0.0.1', {}, 'new')), false);
  assert.is(told.take(message('10.0.0.1', {}, 'new')), true);
  told.look(message('10.0.0.2'), noEnd);
  ended(told);
  assert.is(told.take(message('10.0.0.2', {}, 'new')), true);
});

test('no more flows are remembered than the limit says, and room is used again', () => {
  const told = new ToldFlows(1500);
  const source = (n: number) => `10.0.${n >> 8}.${n & 255}`;
  for (let n = 0; n < 2000; n++) told.take(message(source(n), {}, 'new'));
  assert.is(told.size, 1500);
  assert.is(told.unremembered, 500);
  told.beginRound();
  for (let n = 0; n < 1000; n++) told.look(message(source(n)), noEnd);
  assert.is(told.unremembered, 0);
  assert.is(ended(told).length, 500);
  for (let n = 2000; n < 2500; n++) told.take(message(source(n), {}, 'new'));
  assert.is(told.unremembered, 0);
});

test('what was adopted and not told of since can be forgotten alone', () => {
  const told = new ToldFlows();
  told.take(message('10.0.0.1', {}, 'new'));
  for (const source of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) told.adopt(message(source));
  told.take(message('10.0.0.3', { mark: 1 }));
  told.forgetAdopted();
  assert.is(told.size, 2);
  told.beginRound();
  assert.is(told.look(message('10.0.0.2'), noEnd), 'new');
  const sources = ended(told).map(({ originalTuple }) => originalTuple?.source);
  assert.equal(sources.sort(), ['10.0.0.1', '10.0.0.3']);
});

test.run();
