// run: timeout=300
/** More than the daemon can read: a burst, a table that is full, a reader that stands still. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openTransport } from '../../src/nfnetlink/transport/select.ts';
import { DaemonProcess, twoWanConfig } from '../support/daemonProcess.ts';
import { readTable, type TableRow } from '../support/flowTable.ts';
import { APP, createMarkedFlows, markedFlow, numbers } from '../support/markedFlows.ts';
import { insideNamespace, sh } from '../support/namespace.ts';

const generator = fileURLToPath(new URL('../support/markedFlows.ts', import.meta.url));
const HEAL_MS = 20_000;

async function generate(first: number, count: number): Promise<void> {
  const args = [...process.execArgv, generator, String(first), String(count)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = await once(child, 'exit');
  assert.is(code, 0);
}

const daemons: DaemonProcess[] = [];

async function start(config?: object): Promise<DaemonProcess> {
  const daemon = await DaemonProcess.start(config);
  daemons.push(daemon);
  return daemon;
}

const kindsOf = (rows: readonly TableRow[], kind: string) =>
  rows.filter(({ n }) => markedFlow(n).kind === kind).map(({ n }) => n);

/** Reads the table until no misplaced flow is left; returns how long it took from `since`, and the table. */
async function healed(daemon: DaemonProcess, since: number): Promise<{ ms: number; rows: TableRow[] }> {
  for (;;) {
    const rows = await readTable();
    const ms = performance.now() - since;
    const left = kindsOf(rows, 'misplaced').length;
    if (left === 0) return { ms, rows };
    assert.ok(daemon.isRunning, `the daemon is gone: ${daemon.errors}`);
    if (ms > HEAL_MS)
      throw new Error(`${left} misplaced flows are left; ${JSON.stringify(await daemon.status())}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

function emptyTable(): void {
  sh('conntrack', '-F');
}

await insideNamespace(import.meta.url, () => {
  sh('ipset', 'create', 'app', 'hash:ip', 'family', 'inet');
  sh('ipset', 'add', 'app', APP);

  test.after.each(() => {
    // a failure leaves a daemon and a table behind
    for (const daemon of daemons.splice(0)) daemon.child.kill('SIGKILL');
    emptyTable();
  });

  test('a burst of 400,000 flows: it lives, says that events were lost, and heals within 20 s', async () => {
    const daemon = await start();
    const before = daemon.memory;
    await Promise.all([generate(0, 200_000), generate(200_000, 200_000)]);
    const { ms, rows } = await healed(daemon, performance.now());
    assert.equal(kindsOf(rows, 'placed').length, 4000);
    const { overruns, sweeps, resets, events, shed, evicted, moved, returned } = await daemon.status();
    assert.equal([moved, returned], [0, 0]);
    assert.ok(resets.deleted >= 4000 && overruns === daemon.all('overrun').length);
    const lost = 400_000 - events;
    assert.is(lost > 0, overruns > 0, `${lost} events were lost, ${overruns} overruns told`);
    const { peak } = daemon.memory;
    console.log(
      JSON.stringify({ healMs: Math.round(ms), overruns, lost, sweeps, resets, shed, evicted, before, peak }),
    );
    // 45 MB for the flows that wait, and the buffers of a burst
    assert.ok(peak - before.now < 120, `${before.now} MiB before, ${peak} MiB at its highest`);
    await daemon.end();
  });

  test('a table that is full: the flows wait in little memory, and the misplaced are found', async () => {
    const daemon = await start({ ...twoWanConfig, recheck: ['500ms', '1s', '60s', '120s'] });
    const idle = daemon.memory.now;
    const transport = await openTransport();
    for (let first = 1_000_000; first < 1_270_000; first += 10_000) {
      createMarkedFlows(transport, numbers(first, 10_000));
    }
    // the table takes no more than its maximum, and resets make room: what is there now stays
    const before = (await readTable()).filter(({ n }) => markedFlow(n).kind !== 'misplaced');
    const { ms, rows } = await healed(daemon, performance.now());
    const left = new Set(rows.map(({ n }) => n));
    assert.equal(
      before.filter(({ n }) => !left.has(n)),
      [],
    );
    const { queues, memory } = await daemon.status();
    const { now } = daemon.memory;
    console.log(JSON.stringify({ size: rows.length, healMs: Math.round(ms), queues, memory, idle, now }));
    assert.ok(now - idle < 120, `${idle} MiB before, ${now} MiB now`);
    await transport.close();
    await daemon.end();
  });

  test('stopped for 5 s under load it reads what is left, sweeps, and heals', async () => {
    const daemon = await start();
    daemon.child.kill('SIGSTOP');
    const load = generate(2_000_000, 60_000);
    await new Promise((resolve) => setTimeout(resolve, 5000));
    await load;
    daemon.child.kill('SIGCONT');
    const { ms, rows } = await healed(daemon, performance.now());
    assert.is(kindsOf(rows, 'placed').length, 600);
    const { overruns, returned } = await daemon.status();
    console.log(JSON.stringify({ healMs: Math.round(ms), overruns }));
    assert.ok(overruns > 0);
    assert.is(returned, 0);
    await daemon.end();
  });

  test.run();
});
