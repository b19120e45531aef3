// run: timeout=180
/** What keeps resets from doing harm, on the real kernel: here the firewall sends flows back to the wrong WAN. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LoggedEvent } from '../../src/cli/demo/routerDaemon.ts';
import type { Lab } from '../../src/lab/index.ts';
import {
  addresses,
  appSet,
  configWith,
  type DaemonLab,
  requireLab,
  withDaemon,
} from '../support/daemonLab.ts';

requireLab(import.meta.url);

const [address, second, third] = addresses.ipv4;
const unlimited = { resetsPerSecond: 'unlimited', resetsPerClientPerSecond: 'unlimited' } as const;
/** Two lines that are written one behind the other may be told to have come this much closer together. */
const ROUNDING_MS = 50;
/** Between the grant of a reset and its line lies a conversation with the kernel, of a busy machine. */
const STALL_MS = 500;

const timeOf = ({ time }: LoggedEvent) => Date.parse(time);
const deletionsOf = (events: readonly LoggedEvent[]) =>
  events.flatMap((event) => (event.event === 'reset' && event.outcome === 'deleted' ? [event] : []));
const warningsOf = (events: readonly LoggedEvent[], what: string) =>
  events.flatMap((event) => (event.event === 'warning' && event.what === what ? [event] : []));

/** Sends a datagram to so many ports every tenth of a second until the laboratory ends, and waits for the entries. */
async function sendToPorts(lab: Lab, to: string, count: number, client: 1 | 2 = 1): Promise<void> {
  const source = lab.plan.lan.clients[client - 1]!.ipv4;
  const script = `
    const socket = require('node:dgram').createSocket('udp4');
    socket.on('error', () => {});
    socket.bind(0, () => setInterval(() => {
      for (let i = 0; i < ${count}; i++) socket.send('x', 20000 + i, '${to}', () => {});
    }, 100));`;
  lab.client(client).spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
  const limit = Date.now() + 15_000;
  for (;;) {
    const rows = await lab.conntrack('ipv4');
    if (rows.filter((row) => row.source === source && row.destination === to).length >= count) return;
    assert.ok(Date.now() < limit, `${count} flows begin`);
  }
}

async function statusOf({ daemon, resteer }: DaemonLab) {
  const { out } = await resteer('status', '--json', '--control', daemon.controlPath);
  return JSON.parse(out);
}

test(
  'a flow that returns is told of, warned of once, and rests twice as long each time',
  withDaemon(
    { rules: [], config: configWith({ recheck: [], sweep: '1s', limits: { cooldown: '3s', ...unlimited } }) },
    async ({ lab, daemon }) => {
      await sendToPorts(lab, address, 1);
      await lab.addToSet(appSet.ipv4, address);
      let since = 0;
      for (const restMs of [3000, 6000]) {
        const returned = await daemon.event('returned', undefined, { since });
        assert.equal([returned.from, returned.to, returned.expected], ['wan', 'wan', ['wanb']]);
        since = daemon.events.indexOf(returned) + 1;
        const resting = await daemon.event('suppressed', undefined, { since });
        assert.is(resting.reason, 'cooldown');
        assert.ok(resting.forMs! > restMs / 2 && resting.forMs! <= restMs, `${resting.forMs} of ${restMs}`);

        // the sweeps find it as soon as it has rested
        const again = await daemon.event('reset', ({ outcome }) => outcome === 'deleted', { since });
        assert.ok(timeOf(again) - timeOf(returned) >= restMs - ROUNDING_MS, `${again.time} ${returned.time}`);
      }
      assert.is(warningsOf(daemon.events, 'rule app1').length, 1);
      assert.match(warningsOf(daemon.events, 'rule app1')[0]!.why, /came back on wan instead of wanb/);
    },
  ),
);

test(
  'the circuit breaker opens when over half of fifty resets returned, until it is closed by hand',
  withDaemon({ rules: [], config: configWith({ recheck: [], limits: unlimited }) }, async (context) => {
    const { lab, daemon, resteer } = context;
    await sendToPorts(lab, address, 80);
    await lab.addToSet(appSet.ipv4, address);
    const opened = await daemon.event('warning', ({ what }) => what === 'circuit breaker');
    assert.match(opened.why, /^50 of the last 50 resets came back/);
    assert.is((await statusOf(context)).state, 'breaker-open');

    // flows that do not rest: nothing but the breaker spares them
    await sendToPorts(lab, second, 10);
    await sendToPorts(lab, third, 10, 2);
    const since = daemon.events.length;
    // the totals count all of them; of the lines, ten a second may have been used up before
    const before = (await statusOf(context)).suppressed.breaker;
    await lab.addToSet(appSet.ipv4, second);
    await lab.addToSet(appSet.ipv4, third);
    await resteer('control', 'sweep', '--control', daemon.controlPath);
    const { breaker } = (await statusOf(context)).suppressed;
    assert.ok(breaker >= before + 20, `${breaker} suppressed by the breaker, ${before} of them before`);
    assert.equal(deletionsOf(daemon.events.slice(since)), []);

    const closed = daemon.events.length;
    await resteer('control', 'resume', '--control', daemon.controlPath);
    await daemon.event('reset', ({ flow }) => flow.destination === second, { since: closed });
    await daemon.event('reset', ({ flow }) => flow.destination === third, { since: closed });
    await daemon.event('returned', ({ flow }) => flow.destination === third, { since: closed });
    assert.is((await statusOf(context)).state, 'running');
    assert.is(warningsOf(daemon.events, 'circuit breaker').length, 1);
  }),
);

/** No stretch of lines holds more than the full bucket at its start and what flowed in since. */
function assertWithin(resets: readonly LoggedEvent[], perSecond: number): void {
  const times = resets.map(timeOf);
  for (let from = 0; from < times.length; from++) {
    for (let to = from; to < times.length; to++) {
      const seconds = (times[to]! - times[from]! + STALL_MS) / 1000;
      assert.ok(to - from + 1 <= perSecond * (1 + seconds) + 1, `${to - from + 1} in ${seconds} s`);
    }
  }
}

const budgets = [
  { limits: { ...unlimited, resetsPerSecond: 8 }, reason: 'budget', whole: 8, client: Infinity },
  {
    limits: { ...unlimited, resetsPerClientPerSecond: 5 },
    reason: 'client-budget',
    whole: Infinity,
    client: 5,
  },
] as const;

for (const { limits, reason, whole, client } of budgets) {
  test(
    `the ${reason} holds, and all flows move in the end`,
    withDaemon({ config: configWith({ recheck: [], limits }) }, async ({ lab, daemon }) => {
      const flows = 24;
      for (const number of [1, 2] as const) await sendToPorts(lab, address, flows, number);
      await lab.addToSet(appSet.ipv4, address);
      await daemon.event('suppressed', (event) => event.reason === reason);
      const movedOf = () => {
        const events = daemon.events.flatMap((event) => (event.event === 'moved' ? [event.flow] : []));
        return new Set(events.map(({ source, destinationPort }) => `${source} ${destinationPort}`));
      };
      const limit = Date.now() + 30_000;
      while (movedOf().size < 2 * flows) {
        assert.ok(Date.now() < limit, `${movedOf().size} moved`);
        await daemon.event('moved', undefined, { since: daemon.events.length }).catch(() => {});
      }
      const resets = deletionsOf(daemon.events);
      assertWithin(resets, whole);
      for (const { ipv4 } of lab.plan.lan.clients) {
        const its = resets.filter(({ flow }) => flow.source === ipv4);
        assertWithin(its, client);
        assert.ok(its.length >= flows);
      }
      const marks = (await lab.conntrack('ipv4')).filter((row) => row.destination === address);
      assert.equal([...new Set(marks.map(({ mark }) => mark))], [0x200]);
      assert.not(daemon.events.some(({ event }) => event === 'returned'));
    }),
  );
}

test.run();
