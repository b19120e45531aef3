// run: timeout=300
/** What may go wrong around the daemon on a real kernel: kills, sets that change under way, a second one. */
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openTransport } from '../../src/nfnetlink/transport/select.ts';
import type { Transport } from '../../src/nfnetlink/transport.ts';
import { DaemonProcess, twoWanConfig } from '../support/daemonProcess.ts';
import { readTable } from '../support/flowTable.ts';
import { APP, createMarkedFlows, markedFlow, numbers } from '../support/markedFlows.ts';
import { insideNamespace, sh } from '../support/namespace.ts';

const daemons: DaemonProcess[] = [];
let transport: Transport;

async function start(config?: object): Promise<DaemonProcess> {
  const daemon = await DaemonProcess.start(config);
  daemons.push(daemon);
  return daemon;
}

/** The numbers of the flows that are there, by kind. */
async function table(): Promise<Record<'misplaced' | 'placed' | 'other', number[]>> {
  const kinds = { misplaced: [] as number[], placed: [] as number[], other: [] as number[] };
  for (const { n } of await readTable()) kinds[markedFlow(n).kind].push(n);
  for (const list of Object.values(kinds)) list.sort((a, b) => a - b);
  return kinds;
}

async function untilTable(what: string, holds: (kinds: Awaited<ReturnType<typeof table>>) => boolean) {
  const limit = performance.now() + 30_000;
  for (;;) {
    const kinds = await table();
    if (holds(kinds)) return kinds;
    if (performance.now() > limit) throw new Error(`not within 30 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const isClean = ({ misplaced }: { misplaced: number[] }) => misplaced.length === 0;

/** A set as it is at the start of each test. */
function freshSet(name = 'app'): void {
  sh('ipset', 'create', name, 'hash:ip', 'family', 'inet');
  sh('ipset', 'add', name, APP);
}

/** Numbers that follow from the seed alone. */
function* random(seed: number): Generator<number> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

await insideNamespace(import.meta.url, () => {
  test.before.each(async () => {
    freshSet();
    transport = await openTransport();
  });

  test.after.each(async () => {
    for (const daemon of daemons.splice(0)) daemon.child.kill('SIGKILL');
    await transport.close();
    sh('conntrack', '-F');
    sh('ipset', 'destroy');
  });

  test('killed at 20 moments it leaves the network as it was, and the next one goes on', async () => {
    const next = random(4711);
    let first = 0;
    let atWork = 0;
    for (let round = 0; round < 20; round++) {
      createMarkedFlows(transport, numbers(first, 10_000));
      first += 10_000;
      const before = await table();
      const daemon = DaemonProcess.spawn();
      daemons.push(daemon);
      // the other moments are those of its work, which begins when it has started
      if (round % 4 !== 0) await daemon.until('its first words', () => daemon.lines.length > 0);
      await new Promise((resolve) => setTimeout(resolve, next.next().value! * 60));
      await daemon.end('SIGKILL');
      const after = await table();
      assert.equal([after.placed, after.other], [before.placed, before.other]);
      const left = new Set(after.misplaced);
      if (left.size > 0 && left.size < before.misplaced.length) atWork++;
      assert.ok(after.misplaced.every((n) => before.misplaced.includes(n)));
    }
    const last = await start();
    const { placed, other } = await untilTable('everything moved', isClean);
    assert.equal([placed.length, other.length], [2000, first - 4000]);
    console.log(JSON.stringify({ killedInTheMiddle: atWork }));
    await last.end();
  });

  test('a second instance says that there is one already, and changes nothing', async () => {
    const daemon = await start();
    const second = DaemonProcess.spawn(twoWanConfig, daemon.control);
    daemons.push(second);
    if (second.isRunning) await once(second.child, 'exit');
    assert.is(second.child.exitCode, 1);
    assert.match(second.errors, /another resteer listens on/);
    assert.is((await daemon.status()).state, 'running');
    createMarkedFlows(transport, numbers(0, 100));
    await untilTable('the misplaced one moved', isClean);
  });

  test('a reader of the log that leaves ends it cleanly, as a failure, so that its watcher starts it anew', async () => {
    const daemon = await start();
    const gone = once(daemon.child, 'exit');
    daemon.child.stdout!.destroy();
    await daemon.ask('sweep');
    await gone;
    assert.is(daemon.child.exitCode, 1);
    assert.match(daemon.errors, /^resteer: log: nothing more can be written to standard output: .*EPIPE\n$/);
    assert.is(existsSync(daemon.control), false);
  });

  test('a set that is destroyed and made again: a warning, no reset meanwhile, then as before', async () => {
    const daemon = await start();
    sh('ipset', 'destroy', 'app');
    const { why } = await daemon.said('warning');
    assert.is(why, 'there is no set app');
    createMarkedFlows(transport, numbers(0, 1000));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const before = await table();
    assert.is(before.misplaced.length, 10);
    freshSet();
    const { placed, other } = await untilTable('moved after the set came back', isClean);
    assert.equal([placed, other], [before.placed, before.other]);
    assert.is(daemon.all('warning').length, 1);
  });

  test('made again with another type, the set is asked in its new form, or said not to fit', async () => {
    const daemon = await start();
    sh('ipset', 'destroy', 'app');
    sh('ipset', 'create', 'app', 'hash:net', 'family', 'inet');
    sh('ipset', 'add', 'app', `${APP}/31`);
    createMarkedFlows(transport, numbers(0, 1000));
    await untilTable('moved by a set of networks', isClean);
    sh('ipset', 'destroy', 'app');
    sh('ipset', 'create', 'app', 'hash:ip,port', 'family', 'inet');
    await daemon.until('it says that the set does not fit', () =>
      daemon.all('warning').some(({ why }) => /dimensions/.test(String(why))),
    );
    createMarkedFlows(transport, numbers(1000, 1000));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.is((await table()).misplaced.length, 10);
    assert.ok(daemon.isRunning);
  });

  test('swapped or emptied, the set decides by what it holds now', async () => {
    const daemon = await start({ ...twoWanConfig, sweep: '1s' });
    sh('ipset', 'create', 'spare', 'hash:ip', 'family', 'inet');
    sh('ipset', 'swap', 'app', 'spare');
    createMarkedFlows(transport, numbers(0, 1000));
    await daemon.said('sweep', daemon.all('sweep').length + 2);
    assert.is((await table()).misplaced.length, 10);
    sh('ipset', 'swap', 'app', 'spare');
    await untilTable('moved when it was swapped back', isClean);
    sh('ipset', 'flush', 'app');
    createMarkedFlows(transport, numbers(1000, 1000));
    await daemon.said('sweep', daemon.all('sweep').length + 2);
    assert.is((await table()).misplaced.length, 10);
    assert.is((await table()).placed.length, 20);
  });

  test('without events it says so, and sweeps find what is misplaced', async () => {
    const events = '/proc/sys/net/netfilter/nf_conntrack_events';
    writeFileSync(events, '0');
    try {
      const daemon = await start({ ...twoWanConfig, sweep: '1s' });
      const { why, todo } = await daemon.said('warning');
      assert.match(String(why), /tells of no new flow/);
      assert.is(todo, 'sysctl -w net.netfilter.nf_conntrack_events=1');
      createMarkedFlows(transport, numbers(0, 1000));
      const { placed } = await untilTable('moved by a sweep', isClean);
      assert.is(placed.length, 10);
      assert.is((await daemon.status()).events, 0);
    } finally {
      writeFileSync(events, '1');
    }
  });

  test.run();
});
