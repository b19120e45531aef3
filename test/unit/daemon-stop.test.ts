/** The end of a daemon: its totals hold everything that was told, and nothing is left open. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Daemon } from '../../src/daemon/daemon.ts';
import type { DaemonEvent } from '../../src/daemon/tell.ts';
import { findSetType } from '../../src/ipset/index.ts';
import { ModelFiles, ModelKernel, ModelSet, ModelSockets, VirtualClock } from '../../src/model/index.ts';
import { EPOCH_MS, flowEntry, twoWans, WANB } from '../support/engineBench.ts';

test('a sweep that is under way comes to its end and is in the totals', async () => {
  const clock = new VirtualClock();
  const wallNow = () => EPOCH_MS + clock.now();
  const kernel = new ModelKernel({ clock, wallNow, readingDelay: () => 20 });
  kernel.sets.set('set', new ModelSet(findSetType('hash:ip')!, 2, 6, {}, () => clock.now()));
  kernel.conntrack.put(flowEntry(WANB));
  const files = new ModelFiles((callback) => clock.nextTurn(callback), wallNow);
  const told: DaemonEvent[] = [];
  const tell = (event: DaemonEvent) => void told.push(event);
  const options = { plan: twoWans(), sockets: new ModelSockets(kernel), clock, wallNow, files, tell };
  const daemon = await clock.settle(Daemon.start(options), 10_000);
  void daemon.sweep();
  // the table has been read, and what it holds is being asked about
  await clock.run(clock.now() + 30);
  assert.ok(daemon.status().sweeps.running);
  await clock.settle(daemon.stop(), 10_000);
  const stopped = told.at(-1) as unknown as { event: string; sweeps: object };
  assert.is(stopped.event, 'stopped');
  assert.equal(stopped.sweeps, { done: 2, flows: 2, running: false });
  assert.is(told.filter(({ event }) => event === 'sweep').length, 2);
  assert.is(kernel.sockets.size, 0);
  assert.is(daemon.engine.store.size, 0);
});

test.run();
