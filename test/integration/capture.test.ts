// run: timeout=240
/** `resteer capture` on the real kernel, beside conntrack(8), ipset(8) and Wireshark's tshark, editcap and mergecap. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ConntrackClient, IPPROTO, type NewFlow, openConntrack } from '../../src/ctnetlink/index.ts';
import { openTransport } from '../../src/nfnetlink/transport/select.ts';
import type { Transport } from '../../src/nfnetlink/transport.ts';
import { runCli } from '../support/captureIo.ts';
import { CaptureProcess, recorded } from '../support/captureProcess.ts';
import { createFlows, deleteFlows } from '../support/flowSource.ts';
import { hasCommand, insideNamespace, sh, skipFile } from '../support/namespace.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/waiting.ts';

await insideNamespace(import.meta.url, async () => {
  for (const command of ['conntrack', 'ipset', 'tshark'])
    if (!hasCommand(command)) skipFile(import.meta.url, `no ${command} command`);
  const client = await openConntrack();
  const transport = await openTransport();
  defineTests(client, transport);
  test.after(async () => {
    await client.close();
    await transport.close();
  });
  test.run();
});

const folder = temporaryFolder();
let files = 0;
const newPath = () => join(folder, `${++files}.pcapng`);

const udp = (port: number): NewFlow => ({
  originalTuple: {
    ...{ source: '192.0.2.1', destination: '198.51.100.1', protocol: IPPROTO.UDP },
    ...{ sourcePort: 5000, destinationPort: port },
  },
  timeout: 100,
});

/** What tshark makes of a file, a row a datagram; it finds nothing wrong with it, and has nothing to say but our comments. */
function tshark(path: string, ...fields: string[]): string[][] {
  const args = ['_ws.expert.message', 'frame.comment', ...fields].flatMap((field) => ['-e', field]);
  const lines = sh('tshark', '-r', path, '-T', 'fields', ...args)
    .split('\n')
    .slice(0, -1);
  return lines.map((line) => {
    const [said, comment, ...values] = line.split('\t');
    assert.is(said, comment);
    return [...values, ...(comment ? [comment] : [])];
  });
}

function defineTests(client: ConntrackClient, transport: Transport): void {
  test.before.each(() => client.flushTable());

  test('events: those that conntrack -E shows, as tshark reads them', async () => {
    const path = newPath();
    const capture = await CaptureProcess.start([path]);
    const program = spawn('conntrack', ['-E', '-o', 'id'], { stdio: ['ignore', 'pipe', 'ignore'] });
    let printed = '';
    program.stdout.on('data', (chunk) => {
      printed += chunk;
    });
    // the program says nothing when it is ready
    for (let port = 1000; !printed.includes('[NEW]'); port++) {
      await client.create(udp(port));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const before = Date.now();
    for (let port = 1; port <= 20; port++) {
      await client.create(udp(port));
      await client.update(udp(port), { mark: port });
      await client.delete(udp(port));
    }
    await until('conntrack -E shows the last', () => /\[DESTROY\].* dport=20 /.test(printed));
    program.kill();
    assert.is(await capture.stop(), 0);
    assert.match(capture.errors, new RegExp(`\\d+ events in ${path} \\([\\d,]+ bytes\\), none lost\n$`));

    const shown = [...printed.matchAll(/\[(NEW|UPDATE|DESTROY)\].*? dport=(\d+) .* id=(\d+)/g)]
      .filter(([, , port]) => Number(port) <= 20)
      .map(([, kind, port, id]) => `${kind!.toLowerCase()} ${port} ${id}`);
    assert.is(shown.length, 60);
    const { flows, isCut, lost } = recorded(path);
    const own = flows.filter(({ flow }) => flow.originalTuple!.destinationPort! <= 20);
    assert.equal(
      own.map(({ kind, flow }) => `${kind} ${flow.originalTuple!.destinationPort} ${flow.id}`),
      shown,
    );
    assert.equal([isCut, lost], [false, 0]);
    const times = own.map(({ time }) => Number(time / 1_000_000n));
    assert.ok(times.every((time) => time >= before - 10 && time <= Date.now()));
    assert.equal(
      times,
      [...times].sort((a, b) => a - b),
    );

    const read = tshark(path, 'netlink.family', 'netlink-netfilter.ct_attr.id');
    assert.equal(
      read.map((row) => row.map(Number)),
      flows.map(({ flow }) => [12, flow.id]),
    );
    assert.is(statSync(path).mode & 0o777, 0o600);
  });

  test('--with-dump: the table, then events; nothing is missing in between', async () => {
    createFlows(transport, 0, 500);
    const path = newPath();
    const capture = await CaptureProcess.start([
      path,
      '--with-dump',
      '--events',
      'new',
      '--duration',
      '1500ms',
    ]);
    // while it lists, and behind that
    for (let first = 500; capture.isRunning && first < 3000; first += 20) {
      createFlows(transport, first, 20);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.is(await capture.ended(), 0);
    const { flows, lost } = recorded(path);
    assert.is(lost, 0);
    const ids = (kind: string) => flows.filter((each) => each.kind === kind).map(({ flow }) => flow.id);
    assert.ok(ids('listed').length >= 500);
    assert.ok(flows.every(({ kind }) => kind === 'listed' || kind === 'new'));
    // the table as conntrack(8) shows it: each is in the file, but what came when it was over
    const known = new Set([...ids('listed'), ...ids('new')]);
    const last = flows.at(-1)!.flow.id;
    const table = sh('conntrack', '-L', '-o', 'id')
      .split('\n')
      .flatMap((line) => /id=(\d+)/.exec(line)?.[1] ?? [])
      .map(Number);
    assert.ok(table.includes(last!));
    const before = sh('conntrack', '-L', '-o', 'id', '-s', '10.0.0.0/23').matchAll(/id=(\d+)/g);
    const missing = [...before].map(([, id]) => Number(id)).filter((id) => !known.has(id));
    assert.equal(missing, []);
    tshark(path);
  });

  test('--with-sets: what they hold, and again when that has changed', async () => {
    const path = newPath();
    sh('ipset', 'create', 'one', 'hash:ip', 'timeout', '1000', 'counters');
    sh('ipset', 'add', 'one', '192.0.2.1');
    const args = [path, '--with-sets', 'one', 'two', '--sets-interval', '100ms'];
    const capture = await CaptureProcess.start(args);
    const listings = () => recorded(path).sets.map(({ name, addresses }) => `${name}: ${addresses}`);
    await until('the first listing', () => listings().length === 1);
    assert.match(capture.errors, 'there is no set two');
    sh('ipset', 'add', 'one', '192.0.2.2');
    await until('the second', () => listings().length === 2);
    // neither what is left of the time nor a counter makes another listing
    sh('ipset', 'add', 'one', '192.0.2.2', 'timeout', '2000', 'packets', '5', '-exist');
    sh('ipset', 'create', 'two', 'hash:net');
    await until('the set that was missing', () => listings().length === 3);
    sh('ipset', 'del', 'one', '192.0.2.1');
    await until('one less', () => listings().length === 4);
    sh('ipset', 'destroy', 'two');
    await until('its end is in the file', () => recorded(path).datagrams >= 16);
    assert.is(await capture.stop('SIGINT'), 0);
    assert.equal(listings(), ['one: 192.0.2.1', 'one: 192.0.2.1,192.0.2.2', 'two: ', 'one: 192.0.2.2']);
    tshark(path);
    sh('ipset', 'destroy', 'one');
  });

  test('an overrun: what is missing is counted, and said where it is missing', async () => {
    const path = newPath();
    const capture = await CaptureProcess.start([path, '--events', 'new', '--buffer', '64K']);
    createFlows(transport, 0, 10);
    capture.child.kill('SIGSTOP');
    createFlows(transport, 10, 2000);
    capture.child.kill('SIGCONT');
    await until('what was there is read', () => recorded(path).flows.length > 10);
    createFlows(transport, 2010, 10);
    await until('what came later is read', () => recorded(path).lost > 0);
    assert.is(await capture.stop(), 0);
    const { flows, lost, comments } = recorded(path);
    assert.is(flows.length + lost, 2020);
    assert.ok(lost > 0 && flows.length >= 20);
    assert.match(comments[0]!, /^\d+ datagrams are missing before this one: the receive buffer was full$/);
    assert.match(capture.errors, new RegExp(`${lost.toLocaleString('en')} LOST in \\d+ overruns`));
    assert.equal(tshark(path).flat(), comments);
    const statistics = sh('capinfos', path);
    assert.match(statistics, /Number of packets = \d+/);
  });

  test('SIGKILL leaves a file that can be read', async () => {
    const path = newPath();
    const capture = await CaptureProcess.start([path]);
    for (let first = 0; recorded(path).flows.length < 500; first += 50) {
      createFlows(transport, first % 10_000, 50);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    capture.child.kill('SIGKILL');
    await capture.ended();
    const { isCut, flows } = recorded(path);
    assert.ok(flows.length >= 500);
    const { exitCode, out } = await runCli(['decode', '--json', path]);
    // the kernel gives up a write that it was in the middle of
    assert.equal([exitCode, out.trimEnd().split('\n').length], [isCut ? 1 : 0, flows.length]);
    if (!isCut) tshark(path);
  });

  test('a full disk ends it, and what was recorded is whole', async () => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    sh('mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk);
    try {
      const path = join(disk, 'full.pcapng');
      const capture = await CaptureProcess.start([path]);
      for (let first = 0; capture.isRunning && first < 100_000; first += 500) {
        createFlows(transport, first, 500);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      assert.is(await capture.ended(), 1);
      assert.match(
        capture.errors,
        /full\.pcapng: write: ENOSPC: the disk is full: what was recorded until then is whole\n/,
      );
      const { isCut, flows } = recorded(path);
      assert.is(isCut, false);
      assert.ok(flows.length > 500, `${flows.length}`);
      assert.ok(statSync(path).size > 200_000);
      tshark(path);
    } finally {
      sh('umount', disk);
    }
  });

  test('a disk that turns out to be full when the rest is written is no success', async () => {
    const capture = await CaptureProcess.start(['/dev/full']);
    assert.is(await capture.stop(), 1);
    assert.match(capture.errors, /\/dev\/full \(0 bytes\)/);
    assert.match(capture.errors, /resteer: capture: \/dev\/full: write: ENOSPC: the disk is full/);
  });

  test('standard output: a reader gets whole blocks, and ends it by going away', async () => {
    const capture = await CaptureProcess.start(['-'], 'pipe');
    const pieces: Buffer[] = [];
    capture.child.stdout!.on('data', (piece) => pieces.push(piece));
    createFlows(transport, 0, 100);
    await until('it arrives', () => Buffer.concat(pieces).length > 100 * 150);
    const path = newPath();
    writeFileSync(path, Buffer.concat(pieces));
    assert.is(recorded(path).flows.length, 100);
    capture.child.stdout!.destroy();
    for (let first = 100; capture.isRunning && first < 50_000; first += 100) {
      createFlows(transport, first, 100);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.is(await capture.ended(), 0);
    assert.match(capture.errors, /events in standard output/);
  });

  test('a reader that is slower than the kernel: nothing grows, and what is lost is counted', async () => {
    const capture = await CaptureProcess.start(['-', '--events', 'new', '--buffer', '64K'], 'pipe');
    const memory = () =>
      Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${capture.child.pid}/status`, 'utf8'))![1]);
    createFlows(transport, 0, 1000);
    await once(capture.child.stdout!, 'readable');
    const before = memory();
    // 7 MB, where a pipe takes 64 KB and 1 MB may wait
    const count = 30_000;
    for (let first = 1000; first < count; first += 500) {
      createFlows(transport, first, 500);
      deleteFlows(transport, first, 500);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const after = memory();
    const pieces: Buffer[] = [];
    const path = newPath();
    capture.child.stdout!.on('data', (piece) => pieces.push(piece));
    assert.is(await capture.stop(), 0);
    writeFileSync(path, Buffer.concat(pieces));
    const { flows, isCut } = recorded(path);
    const lost = Number(/([\d,]+) LOST/.exec(capture.errors)![1]!.replaceAll(',', ''));
    assert.is(isCut, false);
    assert.is(flows.length + lost, count);
    assert.ok(after - before < 15_000, `${after - before} kB more`);
  });

  test('rotation: names that sort, each file whole, none lost between two', async () => {
    const stem = join(folder, 'all');
    const capture = await CaptureProcess.start([`${stem}.pcapng`, '--rotate-size', '64K']);
    for (let first = 0; first < 3000; first += 100) {
      createFlows(transport, first, 100);
      deleteFlows(transport, first, 100);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.is(await capture.stop(), 0);
    const names = readdirSync(folder)
      .filter((name) => name.startsWith('all_'))
      .sort();
    assert.ok(names.length > 5, `${names}`);
    for (const [i, name] of names.entries())
      assert.match(name, new RegExp(`^all_${String(i + 1).padStart(5, '0')}_\\d{14}\\.pcapng$`));
    const parts = names.map((name) => recorded(join(folder, name)));
    assert.is(
      parts.reduce((sum, { flows }) => sum + flows.length, 0),
      6000,
    );
    assert.ok(parts.every(({ isCut, lost }) => !isCut && lost === 0));
    const sizes = names.map((name) => statSync(join(folder, name)).size);
    assert.ok(
      sizes.slice(0, -1).every((size) => size >= 65_536 && size < 66_500),
      `${sizes}`,
    );
    assert.match(capture.errors, new RegExp(`6,000 events in ${names.length} files, the last .*none lost`));
    assert.is(tshark(join(folder, names[1]!)).length, parts[1]!.datagrams);
  });

  test('rotation with --rotate-keep and listings: each file that is left has a table of its own', async () => {
    const stem = join(folder, 'ring');
    createFlows(transport, 0, 1000);
    const args = [`${stem}.pcapng`, '--with-dump', '--rotate-size', '64K', '--rotate-keep', '2'];
    const capture = await CaptureProcess.start(args);
    const names = () =>
      readdirSync(folder)
        .filter((name) => name.startsWith('ring_'))
        .sort();
    const number = (name: string) => Number(name.split('_')[1]);
    for (let first = 1000; first < 60_000 && number(names()[0]!) < 3; first += 50) {
      createFlows(transport, first, 50);
      deleteFlows(transport, first, 50);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.is(await capture.stop(), 0);
    const left = names();
    assert.is(left.length, 2);
    const { flows } = recorded(join(folder, left[0]!));
    assert.ok(flows.filter(({ kind }) => kind === 'listed').length >= 1000);
    assert.ok(flows.filter(({ kind }) => kind === 'new').length > 100);
  });

  test('editcap and mergecap: what they make of it is decoded as the same', async () => {
    const path = newPath();
    const capture = await CaptureProcess.start([path, '--with-dump']);
    createFlows(transport, 0, 20);
    await until('it is recorded', () => recorded(path).flows.length >= 20);
    assert.is(await capture.stop(), 0);
    const decoded = async (file: string) => {
      const { exitCode, out } = await runCli(['decode', '--json', file]);
      assert.is(exitCode, 0);
      return out;
    };
    const original = await decoded(path);
    for (const format of ['pcapng', 'nsecpcap', 'pcap']) {
      const converted = newPath();
      sh('editcap', '-F', format, path, converted);
      const cutTimes = format === 'pcap' ? original.replace(/(\.\d{6})\d{3}Z"/g, '$1000Z"') : original;
      assert.is(await decoded(converted), cutTimes, format);
    }
    const merged = newPath();
    sh('mergecap', '-w', merged, path, path);
    const lines = (text: string) => text.trimEnd().split('\n').sort();
    assert.equal(lines(await decoded(merged)), lines(original + original));
  });

  test('a file that cannot be made, and one that is there', async () => {
    const path = join(folder, 'no', 'such');
    const { exitCode, err } = await runCli(['capture', path]);
    assert.equal([exitCode, err], [1, `resteer: ${path}: no such file or folder: check the name\n`]);
    const old = newPath();
    writeFileSync(old, 'x'.repeat(100_000));
    const capture = await CaptureProcess.start([old]);
    assert.is(await capture.stop(), 0);
    assert.equal([recorded(old).isCut, recorded(old).datagrams], [false, 0]);
  });
}
