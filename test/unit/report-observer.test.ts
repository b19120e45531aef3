/** How a report gets its flows: what is counted, what is done where events are lost, and when it is over. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Ending } from '../../src/cli/report/ending.ts';
import { Observer } from '../../src/cli/report/observer.ts';
import { ConntrackClient } from '../../src/ctnetlink/client.ts';
import { ConntrackEvents, EventReader } from '../../src/ctnetlink/events.ts';
import type { FlowFilter } from '../../src/ctnetlink/filter.ts';
import { EventSubscription } from '../../src/nfnetlink/subscription.ts';
import { dump, ManualClock, ScriptedTransport } from '../../src/testing/index.ts';
import { fixture } from '../support/fixtures.ts';
import { emptyTable } from '../support/reportFlows.ts';
import { connect, rejection, settled } from '../support/requests.ts';

const NEW_TCP = fixture('event', 'event-new-tcp4-syn-sent').bytes;
const ESTABLISHED_TCP = fixture('event', 'event-update-tcp4-state3').bytes;
const NEW_ICMP = fixture('event', 'event-new-icmp').bytes;
const NEW_TCP6 = fixture('event', 'event-new-tcp6').bytes;

/** Entries of dumps are no new flows: the flags of their header say so. */
function listed(event: Uint8Array): Uint8Array {
  const bytes = event.slice();
  bytes[6] = 0;
  bytes[7] = 0;
  return bytes;
}

/** An observer of a kernel whose table has what `listings` say, one list after the other. */
function observe(listings: Uint8Array[][], filter: FlowFilter = {}) {
  const requests = new ScriptedTransport({ isManual: true }).program((_, index) => [dump(listings[index]!)]);
  const events = new ScriptedTransport({ isManual: true });
  const { connection } = connect(requests);
  const clock = new ManualClock();
  const table = emptyTable();
  const told: unknown[] = [];
  const observer = new Observer({
    ...{ client: new ConntrackClient(connection), filter, table, clock },
    openEvents: async (options) => {
      const reader = new EventReader(options);
      const { groups } = reader;
      const parts = { ...options, groups, onMessage: reader.read, clock, moderation: false as const };
      return new ConntrackEvents(new EventSubscription(events, parts), reader);
    },
    onLoss: () => told.push('loss'),
    onFailure: (error) => told.push(error),
  });
  const hear = (...messages: Uint8Array[]) => {
    events.emit(...messages);
    events.deliver();
  };
  const answer = async () => {
    await settled();
    requests.deliver();
    await settled();
  };
  const flows = () =>
    Array.from({ length: table.size }, (_, flow) => [table.flows(flow), table.isConfirmed(flow)]);
  return { observer, events, requests, clock, table, told, hear, answer, flows };
}

async function started(...args: Parameters<typeof observe>) {
  const all = observe(...args);
  const starting = all.observer.start();
  await all.answer();
  await starting;
  return all;
}

test('it hears what begins and what changes before it lists, and counts no flow twice', async () => {
  const { observer, events, requests, hear, answer, flows } = observe([[listed(NEW_TCP), listed(NEW_ICMP)]]);
  const starting = observer.start();
  await settled();
  assert.equal(events.groups, [1, 2]);
  assert.is(requests.requests.length, 1);
  hear(NEW_TCP);
  await answer();
  await starting;
  assert.equal(flows(), [
    [1, false],
    [1, false],
  ]);
});

test('each flow that begins counts, an update confirms', async () => {
  const { observer, hear, flows } = await started([[]]);
  hear(NEW_TCP, NEW_TCP, ESTABLISHED_TCP, ESTABLISHED_TCP, NEW_TCP6);
  assert.equal(flows(), [
    [2, true],
    [1, false],
  ]);
  assert.equal([observer.hasSeen(2), observer.hasSeen(10)], [true, true]);
  await observer.close();
});

test('a flow that is heard of for the first time when it changes is one, too', async () => {
  const { hear, flows } = await started([[]]);
  hear(ESTABLISHED_TCP, ESTABLISHED_TCP);
  assert.equal(flows(), [[1, true]]);
});

test('what the filter leaves out is left out of lists and events', async () => {
  const { hear, table } = await started([[listed(NEW_ICMP)]], { protocol: 6 });
  hear(NEW_ICMP, NEW_TCP);
  assert.equal([table.size, table.protocol(0)], [1, 6]);
});

test('events that were lost are made up for by lists, one at a time, once what came has been read', async () => {
  const lists = [[], [listed(ESTABLISHED_TCP)], [listed(NEW_ICMP)], []];
  const { events, requests, clock, told, hear, answer, flows, observer } = await started(lists);
  hear(NEW_TCP);
  const lose = () => {
    events.overrun();
    events.deliver();
  };
  lose();
  lose();
  assert.equal(told, ['loss', 'loss'], 'at once');
  // the kernel goes on dropping as long as many are read at a time
  for (let i = 0; i < 10; i++) {
    hear(...Array.from({ length: 40 }, () => NEW_TCP));
    clock.turn();
    clock.advance(10);
  }
  assert.is(requests.requests.length, 1);
  clock.advance(30);
  await settled();
  assert.is(requests.requests.length, 2);
  // while it lists
  lose();
  clock.advance(5000);
  await settled();
  assert.is(requests.requests.length, 2);
  await answer();
  clock.advance(30);
  await answer();
  assert.equal([told.length, requests.requests.length], [3, 3]);
  // a list counts no flow that was counted before
  assert.equal(flows(), [
    [401, true],
    [1, false],
  ]);
  clock.advance(60_000);
  await settled();
  assert.is(requests.requests.length, 3);
  await observer.close();
  assert.is(clock.timers, 0);
});

test('it ends after its time', async () => {
  const clock = new ManualClock();
  const ending = new Ending(clock);
  let isOver = false;
  void ending.over.then(() => {
    isOver = true;
  });
  ending.endAfter(1000);
  clock.advance(999);
  await settled();
  assert.not(isOver);
  clock.advance(1);
  await settled();
  assert.ok(isOver);
  ending.close();
});

test('it ends when nothing new has come for so long', async () => {
  const clock = new ManualClock();
  const ending = new Ending(clock);
  let lastNew = 0;
  let isOver = false;
  void ending.over.then(() => {
    isOver = true;
  });
  ending.endAtRest(1000, () => lastNew);
  for (let i = 0; i < 5; i++) {
    clock.advance(900);
    lastNew = clock.now();
  }
  clock.advance(999);
  await settled();
  assert.not(isOver);
  clock.advance(1);
  await settled();
  assert.ok(isOver);
  assert.is(clock.timers, 0);
});

test('work that is cut short by the end may fail unheard; work that fails ends it', async () => {
  const ending = new Ending(new ManualClock());
  let fail: (error: Error) => void = () => {};
  const work = new Promise<void>((_, reject) => {
    fail = reject;
  });
  const waiting = ending.orOver(work);
  ending.end();
  await waiting;
  fail(new Error('closed'));
  await settled();

  const other = new Ending(new ManualClock());
  const failing = other.orOver(new Promise(() => {}));
  other.fail(new Error('the socket'));
  assert.is((await rejection(failing)).message, 'the socket');
});

test('what is done again and again waits for itself, and ends with it', async () => {
  const clock = new ManualClock();
  const ending = new Ending(clock);
  let finish = () => {};
  let begun = 0;
  ending.every(100, () => {
    begun += 1;
    return new Promise((resolve) => {
      finish = resolve;
    });
  });
  clock.advance(350);
  assert.is(begun, 1);
  finish();
  await settled();
  clock.advance(100);
  assert.is(begun, 2);
  ending.close();
  finish();
  await settled();
  clock.advance(1000);
  assert.equal([begun, clock.timers], [2, 0]);

  const failing = new Ending(clock);
  failing.every(100, () => Promise.reject(new Error('no listing')));
  clock.advance(100);
  const error = await rejection(failing.over);
  assert.is(error.message, 'no listing');
});

test.run();
