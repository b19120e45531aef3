/** Whether an event may tell of what happened before a reset. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EventLag } from '../../src/daemon/eventLag.ts';

const read = (lag: EventLag, events: number, now: number) => {
  for (let i = 0; i < events; i++) lag.took(now);
};

test('right behind a reset an event may be older; a little later it is not', () => {
  const lag = new EventLag();
  lag.took(100);
  assert.ok(lag.mayPredate(100, 100));
  assert.ok(lag.mayPredate(100, 119));
  assert.not(lag.mayPredate(100, 120));
});

test('while the socket is not read empty, every event may be as old as the first of them', () => {
  const lag = new EventLag();
  read(lag, 32, 100);
  lag.turned();
  read(lag, 500, 200);
  lag.turned();
  lag.took(1000);
  assert.ok(lag.mayPredate(150, 1000));
  lag.turned();
  assert.not(lag.mayPredate(150, 1000));
});

test('a backlog that began well after the reset holds nothing older', () => {
  const lag = new EventLag();
  read(lag, 100, 500);
  lag.turned();
  lag.took(600);
  assert.not(lag.mayPredate(400, 600));
  assert.ok(lag.mayPredate(490, 600));
});

test('a turn that did not empty the socket is told once', () => {
  const lag = new EventLag();
  assert.not(lag.takeFullTurn());
  read(lag, 40, 1);
  lag.turned();
  read(lag, 1, 2);
  lag.turned();
  assert.ok(lag.takeFullTurn());
  assert.not(lag.takeFullTurn());
});

test.run();
