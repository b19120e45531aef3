/** What a recording tells becomes what the model holds, also of flows that went another way in the model. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CompleteTuple, encodeDeleteFlow, IPS, invertTuple } from '../../src/ctnetlink/index.ts';
import {
  type ConntrackEntry,
  encodeEntry,
  encodeEvent,
  ModelKernel,
  Playback,
  VirtualClock,
} from '../../src/model/index.ts';
import { NFNLGRP, writeMessageSeq } from '../../src/nfnetlink/index.ts';

const MASK = 0x3f00;
const originalTuple: CompleteTuple = {
  source: '192.168.50.2',
  destination: '203.0.113.10',
  protocol: 17,
  sourcePort: 4000,
  destinationPort: 443,
};

/** The flow as a recording tells it. */
function told(mark: number, status: number = IPS.CONFIRMED): ConntrackEntry {
  const replyTuple = invertTuple(originalTuple);
  const expiresAt = Number.POSITIVE_INFINITY;
  return { originalTuple, replyTuple, family: 2, zone: 0, id: 7, mark, status, expiresAt };
}

function open() {
  const clock = new VirtualClock();
  const kernel = new ModelKernel({ clock, wallNow: () => clock.now() });
  const playback = new Playback(kernel, MASK);
  const deleted: ConntrackEntry[] = [];
  playback.onDeleted = (entry) => void deleted.push(entry);
  const events: number[] = [];
  const listener = kernel.open({ groups: [NFNLGRP.CONNTRACK_NEW] });
  listener.onBatch(({ count }) => void events.push(count));
  const socket = kernel.open();
  socket.onBatch(() => {});
  const say = (kind: 'new' | 'update' | 'destroy', entry: ConntrackEntry) =>
    playback.take(encodeEvent(entry, kind, { now: 0, wallNs: 0n }));
  const entry = () => kernel.conntrack.find(originalTuple);
  /** As the daemon does. */
  const reset = () => socket.send(encodeDeleteFlow({ originalTuple, id: 7 }));
  return { clock, kernel, playback, deleted, events, say, entry, reset };
}

test('events begin, change and end a flow; a mark that is not told is as it was', () => {
  const { say, entry } = open();
  say('new', told(0x200));
  assert.equal([entry()?.mark, entry()?.id, entry()?.status], [0x200, 7, IPS.CONFIRMED]);
  say('update', told(0x1ff, IPS.CONFIRMED | IPS.ASSURED));
  assert.equal([entry()?.mark, entry()?.status], [0x1ff, IPS.CONFIRMED | IPS.ASSURED]);
  say('update', told(0, IPS.CONFIRMED | IPS.ASSURED));
  assert.is(entry()?.mark, 0x1ff);
  say('destroy', told(0x200));
  assert.is(entry(), undefined);
});

test('a flow that was there before is not told of as new', async () => {
  const { clock, say, entry, playback, events } = open();
  const listed = encodeEntry(told(0x200), 0);
  writeMessageSeq(listed, 0, 99);
  playback.take(listed);
  assert.is(entry()?.mark, 0x200);
  say('destroy', told(0x200));
  say('update', told(0x100));
  assert.is(entry()?.mark, 0x100);
  await clock.run(1);
  assert.equal(events, []);
  say('new', told(0x300));
  await clock.run(2);
  assert.equal([entry()?.mark, events], [0x300, [1]]);
});

test('a flow that was deleted and made again keeps its interface, whatever is told of its mark', () => {
  const { say, entry, reset, deleted, playback } = open();
  say('new', told(0x201));
  reset();
  assert.is(entry(), undefined);
  assert.is(deleted.length, 1);
  say('update', told(0x203, IPS.CONFIRMED | IPS.ASSURED));
  playback.remake(deleted[0]!, 0x101);
  assert.equal([entry()?.mark, entry()?.status], [0x101, IPS.CONFIRMED | IPS.ASSURED]);
  say('update', told(0x207));
  assert.is(entry()?.mark, 0x107);
  say('destroy', told(0x200));
  assert.is(entry(), undefined);
});

test('a flow whose end was recorded is not made again', () => {
  for (const last of ['destroy', 'new'] as const) {
    const { say, entry, reset, deleted, playback } = open();
    say('new', told(0x200));
    reset();
    say(last, told(0x300));
    playback.remake(deleted[0]!, 0x100);
    assert.is(entry()?.mark, last === 'new' ? 0x300 : undefined);
  }
});

test.run();
