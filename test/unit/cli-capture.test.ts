import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CaptureReader } from '../../src/capture/index.ts';
import { rotatedName } from '../../src/cli/capture/fileNames.ts';
import { CaptureOutput, type OutputOptions } from '../../src/cli/capture/output.ts';
import { Recording } from '../../src/cli/capture/recording.ts';
import { SetContents } from '../../src/cli/capture/setContents.ts';
import { size } from '../../src/cli/capture/size.ts';
import { WallClock } from '../../src/cli/capture/wallClock.ts';
import { setReply } from '../../src/ipset/attributes.ts';
import { systemClock } from '../../src/nfnetlink/clock.ts';
import { OverrunError } from '../../src/nfnetlink/errors.ts';
import { encodeRequest } from '../../src/nfnetlink/message.ts';
import { ManualClock } from '../../src/testing/index.ts';
import { runCli } from '../support/captureIo.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const folder = temporaryFolder();
const today = () => new Date(2026, 0, 2, 3, 4, 5);
let files = 0;

test('names of several files stand in the order of their age', () => {
  const name = (path: string, number: number) => rotatedName(path, number, today());
  assert.is(name('/tmp/flows.pcapng', 1), '/tmp/flows_00001_20260102030405.pcapng');
  assert.is(name('flows', 99_999), 'flows_99999_20260102030405');
  assert.is(name('a.b/c.d.e', 12), 'a.b/c.d_00012_20260102030405.e');
});

test('sizes', () => {
  const read = size('1K', '2G');
  assert.equal(['1024', '1K', '3m', '2G'].map(read), [1024, 1024, 3 << 20, 2 ** 31]);
  for (const wrong of ['', '1.5M', '-1K', '1KB', 'K', '1 K'])
    assert.throws(() => read(wrong), 'is not a size');
  for (const wrong of ['1023', '3G'])
    assert.throws(() => read(wrong), 'is out of range: a size from 1K to 2G');
});

test('the time of day goes on with a fraction, and follows a clock that is set', () => {
  let monotonic = 10.25;
  let wall = 1_000_010;
  const clock = new WallClock(
    () => monotonic,
    () => wall,
  );
  assert.is(clock.now(), 1_000_010);
  monotonic += 0.5;
  assert.is(clock.now(), 1_000_010.5);
  // whole milliseconds are no reason to go back
  clock.adjust();
  assert.is(clock.now(), 1_000_010.5);
  wall = 9_000_000;
  clock.adjust();
  assert.is(clock.now(), 9_000_000);
});

test('what a set holds: in any order, without times and counters', () => {
  type Elements = NonNullable<Parameters<typeof setReply.encode>[0]['elements']>['data'];
  const message = (elements: Elements) =>
    encodeRequest({ type: 0x0607, flags: 2 }, setReply, {
      protocol: 7,
      setName: 'a',
      typeName: 'hash:net',
      elements: { data: elements },
    });
  /** Of messages with these elements each. */
  const digest = (...messages: Elements[]) => {
    const contents = new SetContents();
    for (const bytes of messages.map(message)) contents.add(bytes, 0, bytes.length);
    return contents.digest;
  };
  const [a, b, c] = [1, 2, 3].map((last) => ({ ip: `192.0.2.${last}` }));
  assert.is(digest([a!, b!, c!]), digest([c!, a!, b!]));
  assert.is(digest([{ ...a, timeout: 5, packets: 1n }]), digest([{ ...a, timeout: 6, packets: 2n }]));
  const different = [
    [],
    [a!],
    [b!],
    [a!, b!],
    [a!, c!],
    [a!, a!],
    [{ ...a, cidr: 24 }],
    [{ ...a, flags: 4 }],
  ];
  assert.is(new Set(different.map((elements) => digest(elements))).size, different.length);
});

async function recording(
  more: { rotateSize?: number; lostEvents?: () => number | undefined; options?: Partial<OutputOptions> } = {},
) {
  const path = join(folder, `${++files}.pcapng`);
  const clock = new ManualClock();
  const output = await CaptureOutput.open({ path, clock: systemClock, today, ...more.options });
  const recording = new Recording({
    output,
    origin: { application: 'test', interfaceName: 'netfilter' },
    clock,
    time: new WallClock(
      () => clock.now(),
      () => 1_000 + clock.now(),
    ),
    ...(more.rotateSize !== undefined && { rotateSize: more.rotateSize }),
    lostEvents: more.lostEvents ?? (() => 0),
    onNewFile: () => recording.limitFile(),
  });
  recording.limitFile();
  const datagram = Uint8Array.from({ length: 40 }, (_, i) => i);
  /** Events in one batch, as a transport gives them. */
  const hear = (count: number) =>
    recording.events.onReceived?.({
      buffer: datagram,
      count,
      bounds: Uint32Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? 4 : 36)),
    });
  const overrun = () => recording.events.onOverrun?.(new OverrunError());
  return { path, clock, output, recording, hear, overrun };
}

function read(path: string) {
  const reader = new CaptureReader();
  const datagrams = [...reader.push(readFileSync(path))].map(({ time, lost, comments, bytes }) => ({
    time,
    lost,
    comments,
    length: bytes.length,
  }));
  reader.end();
  return { datagrams, totals: reader.totals };
}

test('a recording is written after a second, and at its end', async () => {
  const { path, clock, output, recording: made, hear } = await recording();
  hear(2);
  clock.advance(500);
  hear(1);
  await output.drained();
  assert.equal(read(path).datagrams, []);
  clock.advance(500);
  await output.drained();
  const { datagrams } = read(path);
  assert.equal(
    datagrams.map(({ time, length }) => [time, length]),
    [
      [1_000_000_000n, 32],
      [1_000_000_000n, 32],
      [1_500_000_000n, 32],
    ],
  );
  hear(1);
  made.end();
  await output.close();
  assert.is(read(path).datagrams.length, 4);
  assert.equal([made.counts.events, output.bytes], [4, readFileSync(path).length]);
});

test('losses are told by the next block, those that are seen later by a later one', async () => {
  let lost = 0;
  const { path, clock, output, recording: made, hear, overrun } = await recording({ lostEvents: () => lost });
  hear(1);
  lost = 5;
  overrun();
  hear(2);
  lost = 7;
  clock.advance(1000);
  hear(1);
  clock.advance(1000);
  hear(1);
  made.end();
  await output.close();
  const { datagrams, totals } = read(path);
  assert.equal(
    datagrams.map((each) => each.lost),
    [0, 5, 0, 2, 0],
  );
  const text = (number: number) => [
    `${number} datagrams are missing before this one: the receive buffer was full`,
  ];
  assert.equal(
    datagrams.map(({ comments }) => comments),
    [[], text(5), [], text(2), []],
  );
  assert.is(totals.lost, 7);
  assert.equal([made.counts.lost, made.counts.overruns], [7, 1]);
});

test('where nobody can tell how many were lost, it is at least one for each overrun', async () => {
  const {
    path,
    clock,
    output,
    recording: made,
    hear,
    overrun,
  } = await recording({ lostEvents: () => undefined });
  overrun();
  overrun();
  hear(1);
  clock.advance(3000);
  hear(1);
  made.end();
  await output.close();
  assert.equal(
    read(path).datagrams.map((each) => [each.lost, each.comments[0]?.slice(0, 29)]),
    [
      [2, 'at least 2 datagrams are miss'],
      [0, undefined],
    ],
  );
});

test('files are rotated by size, and the oldest go', async () => {
  const rotation = { keep: 2 };
  const {
    path,
    output,
    recording: made,
    hear,
  } = await recording({ rotateSize: 1000, options: { rotation } });
  for (let i = 0; i < 60; i++) hear(1);
  made.end();
  await output.close();
  const stem = path.replace(/^.*\/(\d+)\.pcapng$/, '$1_');
  const names = readdirSync(folder)
    .filter((name) => name.startsWith(stem))
    .sort();
  assert.equal([output.files, names.length], [5, 2]);
  assert.equal(
    names,
    ['00004', '00005'].map((number) => `${stem}${number}_20260102030405.pcapng`),
  );
  const [full] = names.map((name) => read(join(folder, name)).datagrams.length);
  // blocks of 80 bytes behind a header of 92: from 1092 bytes on the next file begins
  assert.is(full, 13);
});

test('the disk is told of once it fails, and what is written stays whole', async () => {
  const { output, recording: made, hear } = await recording({ options: { path: '/dev/full' } });
  const failures: string[] = [];
  output.listen({ onFull: () => {}, onFailed: ({ code }) => failures.push(code!) });
  hear(10);
  made.end();
  await output.close().then(
    () => assert.unreachable('closed'),
    ({ code }) => failures.push(code),
  );
  assert.equal([failures, output.bytes], [['ENOSPC', 'ENOSPC'], 0]);
});

test('wrong options are answered before anything is opened', async () => {
  const answers: [args: string, answer: string][] = [
    ['x --rotate-keep 3', '--rotate-keep: there is one file only: add --rotate-size'],
    ['- --rotate-size 1M', '--rotate-size: standard output cannot be rotated: name a file'],
    [`x --with-sets a ${'b'.repeat(32)}`, `--with-sets: "${'b'.repeat(32)}" has 32 bytes, at most 31 fit`],
    ['x --rotate-size 5', "--rotate-size: '5' is out of range: a size from 64K to 1024G"],
    [
      'x --duration 5',
      '--duration: \'5\' is not a duration: a whole number with ms, s, m or h, such as "500ms" or "5m"',
    ],
    ['x --rotate-size 1M --rotate-keep 0', "--rotate-keep: '0' is no number of files from 1 to 99999"],
  ];
  for (const [args, answer] of answers) {
    const { exitCode, err } = await runCli(['capture', ...args.split(' ')]);
    assert.equal([exitCode, err], [2, `resteer: capture: ${answer}\n`]);
  }
  const terminal = await runCli(['capture', '-'], { isTTY: true });
  assert.equal([terminal.exitCode, terminal.err.includes('standard output is a terminal')], [2, true]);
  assert.is((await runCli(['capture', 'x', '--events', 'old'])).exitCode, 2);
});

test.run();
