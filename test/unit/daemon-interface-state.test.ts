/** State files: what they say, and how they are followed through everything that befalls files. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InterfaceWatch, readInterfaceStates } from '../../src/daemon/interfaceState.ts';
import type { Settle } from '../../src/daemon/plan.ts';
import { type StateFiles, systemStateFiles } from '../../src/daemon/stateFiles.ts';
import { ManualClock } from '../../src/testing/manualClock.ts';
import { uplink } from '../support/plans.ts';
import { until } from '../support/waiting.ts';

const STATE = '/run/state';
const WORK = '/run/work';
const interfaces = [
  uplink('wan', { stateFile: `${STATE}/wan` }),
  uplink('wanb', { stateFile: `${STATE}/wanb` }),
  uplink('lte'),
];

const settle = { offlineMs: 2000, onlineMs: 30_000 };

/** A file system of one folder, in memory. */
class FakeFiles implements StateFiles {
  readonly files = new Map<string, string | Error>();
  folder: string | undefined = 'first';
  canWatch = true;
  written = 0;
  readonly watches: { folder: string; notice: () => void; isOn: boolean }[] = [];

  read(path: string): string | undefined {
    const content = this.folder === undefined ? undefined : this.files.get(path);
    if (content instanceof Error) throw content;
    return content;
  }
  identify(): string | undefined {
    return this.folder;
  }
  newest(folder: string): number | undefined {
    return folder === WORK ? this.written : undefined;
  }
  watch(folder: string, notice: () => void): (() => void) | undefined {
    if (!this.canWatch) return undefined;
    const entry = { folder, notice, isOn: true };
    this.watches.push(entry);
    return () => {
      entry.isOn = false;
    };
  }
  write(name: string, content: string | Error, isNoticed = true): void {
    this.files.set(`${STATE}/${name}`, content);
    if (isNoticed) for (const { isOn, notice } of this.watches) if (isOn) notice();
  }
}

function follow(files: FakeFiles, settle?: Settle) {
  const clock = new ManualClock();
  const told: string[] = [];
  const watch = new InterfaceWatch(interfaces, {
    files,
    clock,
    ...(settle && { settle }),
    onChange: ({ online, warnings }, changed) =>
      told.push(
        `${changed.map((index) => `${interfaces[index]!.name} ${online[index]}`)} ${warnings}`.trim(),
      ),
  });
  return { clock, told, watch };
}

function bothOnline(): FakeFiles {
  const files = new FakeFiles();
  files.write('wan', 'online\n');
  files.write('wanb', 'online');
  return files;
}

const contents: readonly [content: string | Error | undefined, online: boolean, warning?: string][] = [
  ['online', true],
  ['online\n', true],
  ['offline', false],
  ['offline\n', false],
  [undefined, false],
  ['', false],
  ['\n', false],
  ['Online', false, 'says "Online", neither "online" nor "offline": taken as offline'],
  ['1\u001b[2J', false, 'says "1\\u001b[2J", neither "online" nor "offline": taken as offline'],
  ['x'.repeat(100), false, `says "${'x'.repeat(40)}...", neither "online" nor "offline": taken as offline`],
  [
    new Error('EACCES: permission denied'),
    false,
    'cannot be read (EACCES: permission denied): taken as offline',
  ],
];

for (const [content, online, warning] of contents) {
  test(`a state file: ${String(content).slice(0, 20)}`, () => {
    const files = new FakeFiles();
    if (content !== undefined) files.write('wan', content);
    files.write('wanb', 'online');
    assert.equal(readInterfaceStates(interfaces, files), {
      online: [online, true, true],
      warnings: warning === undefined ? [] : [`interface wan: ${STATE}/wan: ${warning}`],
    });
  });
}

test('an empty file leaves the state as it was', () => {
  const files = bothOnline();
  files.write('wan', '');
  assert.equal(readInterfaceStates(interfaces, files, [true, true, true]).online, [true, true, true]);
  assert.equal(readInterfaceStates(interfaces, files, [false, true, true]).online, [false, true, true]);
});

test('a notice is followed by a reading, many notices by one', () => {
  const files = bothOnline();
  const { clock, told, watch } = follow(files);
  assert.equal(watch.states.online, [true, true, true]);
  files.write('wan', '');
  files.write('wan', 'offline\n');
  files.write('wanb', 'offline\n');
  clock.advance(49);
  assert.equal(told, []);
  clock.advance(1);
  assert.equal(told, ['wan false,wanb false']);
  assert.equal(watch.states.online, [false, false, true]);
  files.write('wan', 'offline\n');
  clock.advance(50);
  assert.is(told.length, 1, 'nothing changed');
});

test('what no notice tells is found within two seconds', () => {
  const files = bothOnline();
  files.canWatch = false;
  const { clock, told } = follow(files);
  files.write('wanb', 'offline');
  clock.advance(1999);
  assert.equal(told, []);
  clock.advance(1);
  assert.equal(told, ['wanb false']);
  files.write('wanb', 'online');
  clock.advance(2000);
  assert.equal(told, ['wanb false', 'wanb true']);
});

test('a folder that vanishes and returns is watched again', () => {
  const files = bothOnline();
  const { clock, told } = follow(files);
  assert.is(files.watches.length, 1);
  files.folder = undefined;
  clock.advance(2000);
  assert.equal(told, ['wan false,wanb false']);
  assert.equal(
    files.watches.map(({ isOn }) => isOn),
    [false],
  );
  files.folder = 'second';
  clock.advance(2000);
  assert.equal(told, ['wan false,wanb false', 'wan true,wanb true']);
  assert.equal(
    files.watches.map(({ isOn }) => isOn),
    [false, true],
  );
  files.write('wan', 'offline');
  clock.advance(50);
  assert.is(told.at(-1), 'wan false');
});

test('a folder that is replaced between two looks is watched anew', () => {
  const files = bothOnline();
  const { clock } = follow(files);
  files.folder = 'second';
  clock.advance(2000);
  assert.equal(
    files.watches.map(({ isOn }) => isOn),
    [false, true],
  );
});

test('a new warning is told once', () => {
  const files = bothOnline();
  const { clock, told } = follow(files);
  files.write('wan', 'broken');
  clock.advance(10_000);
  assert.is(told.length, 1);
  assert.match(told[0]!, 'wan false interface wan: /run/state/wan: says "broken"');
  files.write('wan', 'worse');
  clock.advance(10_000);
  assert.is(told.length, 2);
});

test('closed, nothing is left', () => {
  const files = bothOnline();
  const { clock, told, watch } = follow(files);
  assert.is(clock.refTimers, 0);
  files.write('wan', 'offline');
  watch.close();
  watch.close();
  assert.is(clock.timers, 0);
  assert.equal(
    files.watches.map(({ isOn }) => isOn),
    [false],
  );
  clock.advance(10_000);
  assert.equal(told, []);
});

test('closing from within the callback holds', () => {
  const files = bothOnline();
  const clock = new ManualClock();
  const watch: InterfaceWatch = new InterfaceWatch(interfaces, {
    files,
    clock,
    onChange: () => watch.close(),
  });
  files.write('wan', 'offline', false);
  clock.advance(2000);
  assert.is(clock.timers, 0);
});

test('an outage is known from the change to offline until the firewall follows the return', () => {
  const files = bothOnline();
  const { clock, watch } = follow(files, settle);
  assert.equal(watch.states.outages, [undefined, undefined, undefined]);
  clock.advance(1000);
  files.write('wan', 'offline');
  clock.advance(50);
  assert.equal(watch.states.outages[0], { from: 1050, to: Number.POSITIVE_INFINITY });
  clock.advance(9950);
  files.write('wan', 'online');
  clock.advance(50);
  assert.equal(watch.states.outages[0], { from: 1050, to: 13_050 });
  clock.advance(29_000);
  files.write('wan', 'offline');
  clock.advance(50);
  assert.is(watch.states.outages[0]!.from, 1050, 'back for less than the hold-down');
  files.write('wan', 'online');
  clock.advance(40_000);
  files.write('wan', 'offline');
  clock.advance(50);
  assert.is(watch.states.outages[0]!.from, clock.now());
  watch.close();
});

test('a change does not settle while the firewall is still at work, but for ever', () => {
  const files = bothOnline();
  const { clock, told, watch } = follow(files, { ...settle, workFolder: WORK });
  files.write('wan', 'offline');
  clock.advance(50);
  assert.equal(told, ['wan false']);
  for (let ms = 0; ms < 5000; ms += 250) {
    files.written++;
    clock.advance(250);
  }
  assert.is(told.length, 1);
  assert.equal(watch.states.before, [true, true, true]);
  clock.advance(1499);
  assert.is(told.length, 2, 'a second of rest, and the last look');
  assert.equal(watch.states.before, [false, true, true]);
  files.write('wan', 'online');
  clock.advance(50);
  files.write('wan', 'offline');
  clock.advance(50);
  for (let ms = 0; ms < 25_000; ms += 250) {
    files.written++;
    clock.advance(250);
  }
  assert.equal(watch.states.before, [false, true, true]);
  watch.close();
  assert.is(clock.timers, 0);
});

test('what is offline from the start has been so since then', () => {
  const files = bothOnline();
  files.write('wan', 'offline');
  const { clock, watch } = follow(files, settle);
  clock.advance(5000);
  files.write('wan', 'online');
  clock.advance(50);
  assert.equal(watch.states.outages, [{ from: 0, to: 7050 }, undefined, undefined]);
  watch.close();
});

test('the watch of another plan knows by name what the one before knew, and what changed between them', () => {
  const files = bothOnline();
  const { clock, watch } = follow(files, settle);
  files.write('wan', 'offline');
  clock.advance(50);
  clock.advance(1000);
  watch.close();
  files.write('wanb', 'offline');
  const told: string[] = [];
  const reordered = [uplink('new'), interfaces[1]!, interfaces[0]!];
  const next = new InterfaceWatch(reordered, {
    files,
    clock,
    settle,
    previous: watch,
    onChange: ({ online, before }, changed) => told.push(`${changed}: ${online} after ${before}`),
  });
  assert.equal(next.states.online, [true, true, false]);
  assert.equal(next.states.before, [true, true, true], 'wan has not settled');
  assert.equal(next.states.outages, [undefined, undefined, { from: 50, to: Number.POSITIVE_INFINITY }]);
  clock.advance(50);
  assert.equal(told, ['1: true,false,false after true,true,true']);
  clock.advance(950);
  assert.equal(told.slice(1), [': true,false,false after true,true,false']);
  clock.advance(1050);
  assert.equal(told.slice(2), [': true,false,false after true,false,false']);
  next.close();
  assert.is(clock.timers, 0);
});

test('without state files nothing is watched and everything is online', () => {
  const files = new FakeFiles();
  const clock = new ManualClock();
  const watch = new InterfaceWatch([uplink('a')], { files, clock, onChange: () => {} });
  assert.equal(watch.states, {
    online: [true],
    warnings: [],
    before: [true],
    inForce: [true],
    outages: [undefined],
  });
  assert.is(clock.timers, 0);
  assert.is(files.watches.length, 0);
});

test('on a real file system', async () => {
  const root = mkdtempSync(join(tmpdir(), 'resteer-state-'));
  const folder = join(root, 'iface_state');
  const file = join(folder, 'wan');
  const clock = new ManualClock();
  mkdirSync(folder);
  writeFileSync(file, 'online\n');
  const watch = new InterfaceWatch([uplink('wan', { stateFile: file })], {
    files: systemStateFiles,
    clock,
    onChange: () => {},
  });
  const online = () => watch.states.online[0];
  // one timer polls; the other is there once the file system has told of a change
  const noticed = (what: string) => until(what, () => clock.timers === 2);
  try {
    assert.is(online(), true);
    writeFileSync(file, 'offline\n');
    await noticed('a file is written');
    clock.advance(50);
    assert.is(online(), false);

    writeFileSync(join(folder, '.new'), 'online\n');
    renameSync(join(folder, '.new'), file);
    await noticed('a file is replaced');
    clock.advance(50);
    assert.is(online(), true);

    rmSync(folder, { recursive: true });
    clock.advance(2000);
    assert.is(online(), false);

    mkdirSync(folder);
    writeFileSync(file, 'online\n');
    clock.advance(2000);
    assert.is(online(), true);
    clock.advance(50);
    writeFileSync(file, 'offline\n');
    await noticed('a file is written in the new folder');
    clock.advance(50);
    assert.is(online(), false);
  } finally {
    watch.close();
    rmSync(root, { recursive: true });
  }
});

test('when the last of the files of a folder was written', () => {
  const root = mkdtempSync(join(tmpdir(), 'resteer-state-'));
  try {
    assert.is(systemStateFiles.newest(join(root, 'none')), undefined);
    assert.is(systemStateFiles.newest(root), undefined);
    for (const [name, seconds] of Object.entries({ first: 1_700_000_000, second: 1_700_000_500 })) {
      writeFileSync(join(root, name), '');
      utimesSync(join(root, name), seconds, seconds);
    }
    assert.is(systemStateFiles.newest(root), 1_700_000_500_000);
    assert.is(systemStateFiles.newest(join(root, 'first')), undefined, 'no folder');
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('files that are not what they should be', () => {
  const root = mkdtempSync(join(tmpdir(), 'resteer-state-'));
  try {
    assert.is(systemStateFiles.read(join(root, 'none', 'wan')), undefined);
    writeFileSync(join(root, 'file'), 'online');
    assert.is(systemStateFiles.read(join(root, 'file', 'wan')), undefined);
    assert.is(systemStateFiles.identify(join(root, 'file', 'wan')), undefined);
    const { online, warnings } = readInterfaceStates([uplink('wan', { stateFile: root })], systemStateFiles);
    assert.equal(online, [false]);
    assert.match(warnings[0]!, 'cannot be read (EISDIR');
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('without a settle time a change counts at once', () => {
  const files = bothOnline();
  const { clock, watch } = follow(files);
  files.write('wan', 'offline');
  clock.advance(50);
  assert.equal(watch.states.before, [false, true, true]);
});

test('what was before a change is known until it has settled, and then it is told', () => {
  const files = bothOnline();
  const { clock, told, watch } = follow(files, settle);
  assert.equal(watch.states.before, [true, true, true]);
  files.write('wan', 'offline');
  clock.advance(50);
  assert.equal(watch.states.online, [false, true, true]);
  assert.equal(watch.states.before, [true, true, true]);
  clock.advance(1999);
  assert.equal(told, ['wan false']);
  clock.advance(1);
  assert.equal(watch.states.before, [false, true, true]);
  assert.equal(told, ['wan false', '']);
  files.write('wan', 'online');
  clock.advance(50);
  assert.equal(watch.states.before, [false, true, true]);
  clock.advance(2000);
  assert.equal(told, ['wan false', '', 'wan true', ''], 'the firewall has followed');
  clock.advance(27_999);
  assert.equal(watch.states.before, [false, true, true]);
  clock.advance(1);
  assert.equal(watch.states.before, [true, true, true]);
  assert.equal(told, ['wan false', '', 'wan true', '', '']);
});

test('changes settle one by one, and a change back begins anew', () => {
  const files = bothOnline();
  const { clock, watch } = follow(files, settle);
  files.write('wan', 'offline');
  clock.advance(1000);
  files.write('wanb', 'offline');
  clock.advance(50);
  assert.equal(watch.states.before, [true, true, true]);
  clock.advance(1000);
  assert.equal(watch.states.before, [false, true, true]);
  files.write('wan', 'online');
  clock.advance(50);
  files.write('wan', 'offline');
  clock.advance(50);
  assert.equal(watch.states.online, [false, false, true]);
  assert.equal(watch.states.before, [true, true, true]);
  clock.advance(2000);
  assert.equal(watch.states.before, [false, false, true]);
});

test('what is read first is in force; what comes online later, when the firewall has followed', () => {
  const files = new FakeFiles();
  files.write('wanb', 'offline');
  const { clock, told, watch } = follow(files, settle);
  assert.equal(watch.states.inForce, [false, false, true]);
  files.write('wan', 'online');
  clock.advance(50);
  assert.equal(watch.states.online, [true, false, true]);
  assert.equal(watch.states.inForce, [false, false, true]);
  clock.advance(1999);
  assert.equal(told, ['wan true']);
  clock.advance(1);
  assert.equal(told, ['wan true', '']);
  assert.equal(watch.states.inForce, [true, false, true]);
  assert.equal(watch.states.before, [false, false, true], 'it has not proved itself');
  clock.advance(28_000);
  assert.equal(watch.states.before, [true, false, true]);
  watch.close();
  assert.is(clock.timers, 0);
});

test('one that flaps is not in force before it has been online for the settle time', () => {
  const files = bothOnline();
  const { clock, watch } = follow(files, settle);
  for (let i = 0; i < 5; i++) {
    files.write('wan', 'offline');
    clock.advance(1000);
    assert.is(watch.states.inForce[0], false);
    files.write('wan', 'online');
    clock.advance(1000);
    assert.is(watch.states.inForce[0], false);
  }
  clock.advance(1050);
  assert.is(watch.states.inForce[0], true);
  assert.is(watch.states.before[0], false);
  watch.close();
});

test('what comes online is not in force while the firewall is at work', () => {
  const files = bothOnline();
  files.write('wan', 'offline');
  const { clock, watch } = follow(files, { ...settle, workFolder: WORK });
  files.write('wan', 'online');
  clock.advance(50);
  for (let ms = 0; ms < 5000; ms += 250) {
    files.written++;
    clock.advance(250);
  }
  assert.is(watch.states.inForce[0], false);
  clock.advance(1500);
  assert.is(watch.states.inForce[0], true);
  watch.close();
});

test('a hold-down shorter than the settle time is as long', () => {
  const files = bothOnline();
  files.write('wan', 'offline');
  const { clock, told, watch } = follow(files, { offlineMs: 2000, onlineMs: 500 });
  files.write('wan', 'online');
  clock.advance(2049);
  assert.is(watch.states.before[0], false);
  clock.advance(1);
  assert.equal([watch.states.before[0], watch.states.inForce[0]], [true, true]);
  assert.equal(told, ['wan true', '']);
});

test('after close no change settles', () => {
  const files = bothOnline();
  const { clock, told, watch } = follow(files, settle);
  files.write('wan', 'offline');
  clock.advance(50);
  watch.close();
  clock.advance(60_000);
  assert.equal(told, ['wan false']);
  assert.is(clock.timers, 0);
});

test.run();
