/** The model's time: in order, step by step, with what promises do in between. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { VirtualClock } from '../../src/model/index.ts';
import { Random } from '../fuzz/random.ts';
import { rejection } from '../support/requests.ts';

test('steps come by time, and those of one moment in the order in which they were asked for', async () => {
  const clock = new VirtualClock();
  const random = new Random(7);
  const asked: { readonly at: number; readonly order: number }[] = [];
  const made: { readonly at: number; readonly order: number }[] = [];
  for (let order = 0; order < 500; order++) {
    const step = { at: random.below(60), order };
    asked.push(step);
    clock.after(step.at, () => {
      assert.is(clock.now(), step.at);
      made.push(step);
    });
  }
  await clock.run(100);
  asked.sort((a, b) => a.at - b.at || a.order - b.order);
  assert.equal(made, asked);
  assert.is(clock.now(), 100);
  assert.is(clock.steps, 500);
});

test('what a promise does comes before the next step, however long its chain is', async () => {
  const clock = new VirtualClock();
  const made: string[] = [];
  clock.after(1, () => {
    made.push('first');
    void (async () => {
      for (let i = 0; i < 50; i++) await undefined;
      made.push('its promise');
      clock.nextTurn(() => made.push('the next turn'));
    })();
  });
  clock.after(1, () => made.push('second'));
  await clock.run(1);
  assert.equal(made, ['first', 'its promise', 'second', 'the next turn']);
});

test('a cancelled step is not made, and time does not stop for it', async () => {
  const clock = new VirtualClock(5);
  const timer = clock.after(10, () => assert.unreachable());
  timer.unref();
  assert.is(clock.waiting, 1);
  timer.cancel();
  assert.is(clock.waiting, 0);
  await clock.run(50);
  assert.is(clock.steps, 0);
});

test('a throw and a loop without end are told', async () => {
  const clock = new VirtualClock(0, 1000);
  clock.after(1, () => {
    throw new Error('broken');
  });
  assert.is((await rejection(clock.run(10))).message, 'broken');
  const again = () => clock.nextTurn(again);
  again();
  assert.match((await rejection(clock.run(10))).message, 'no end after 1000 steps');
});

test('a promise is waited for no longer than it is allowed', async () => {
  const clock = new VirtualClock();
  const slow = new Promise<string>((resolve) => clock.after(70, () => resolve('done')));
  assert.match((await rejection(clock.settle(slow, 50))).message, 'within 50 ms');
  assert.is(await clock.settle(slow, 50), 'done');
  assert.is(clock.now(), 70);
});

test.run();
