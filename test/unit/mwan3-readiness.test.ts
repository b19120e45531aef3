/** Whether mwan3 is at rest, as a single look at its files, or a few, can tell. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mwan3Readiness } from '../../src/daemon/mwan3/readiness.ts';
import { ManualClock } from '../../src/testing/manualClock.ts';

const RUN = '/r/var/run/mwan3';
const LAST_LOG = `${RUN}/iptables_log/iptables-set_user_rules-ipv4.dump`;
const NOW = 1_700_000_000_000;

function open(paths: readonly string[], written?: number) {
  const files = {
    paths: new Set(paths.map((path) => `${RUN}${path}`)),
    written,
    identify: (path: string) => (files.paths.has(path) ? path : undefined),
    newest: () => files.written,
  };
  const clock = new ManualClock();
  let answer: string | undefined;
  const asked = mwan3Readiness({
    ...{ files, clock, root: '/r', settleMs: 2000 },
    wallNow: () => NOW + clock.now(),
  }).then((ready) => {
    answer = ready;
  });
  /** Moves time as the one who waits would notice. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0 && answer === undefined; left -= 500) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(500);
    }
    await new Promise((resolve) => setImmediate(resolve));
    return answer;
  };
  return { files, pass, asked };
}

test('at rest for long it is ready at once, in every version', async () => {
  assert.is(await open(['/iface_state'], NOW - 60_000).pass(0), 'ready');
  const log = ['/iface_state', '/iptables_log', '/iptables_log/iptables-set_user_rules-ipv4.dump'];
  assert.is(await open(log, NOW - 60_000).pass(0), 'ready');
  assert.is(await open(['/iface_state']).pass(0), 'ready');
});

test('stopped, or without states, it is not waited for', async () => {
  assert.is(await open([]).pass(0), 'stopped');
  assert.is(await open([''], NOW - 60_000).pass(0), 'stopped');
});

test('what was written a moment ago is waited for', async () => {
  const { pass } = open(['/iface_state'], NOW - 500);
  assert.is(await pass(1000), undefined);
  assert.is(await pass(1000), 'ready');
});

test('a clock that was set back is no reason to wait for it', async () => {
  assert.is(await open(['/iface_state'], NOW + 3_600_000).pass(3000), 'ready');
});

test('while it writes, or has not set its rules, it is waited for half a minute', async () => {
  const { files, pass } = open(['/iface_state', '/iptables_log'], NOW - 60_000);
  assert.is(await pass(10_000), undefined);
  files.paths.add(LAST_LOG);
  assert.is(await pass(1000), 'ready');
  assert.is(await open(['/iface_state', '/iptables_log'], NOW - 60_000).pass(31_000), 'busy');
});

test('a stop while it is waited for ends the wait', async () => {
  const { files, pass } = open(['/iface_state', '/iptables_log'], NOW);
  await pass(1000);
  files.paths.clear();
  assert.is(await pass(1000), 'stopped');
});

test.run();
