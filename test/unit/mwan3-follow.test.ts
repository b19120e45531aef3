/** mwan3's stops, restarts and reloads, as its run-time files show them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InterfaceWatch } from '../../src/daemon/interfaceState.ts';
import { Mwan3Follower } from '../../src/daemon/mwan3/follow.ts';
import type { StateFiles } from '../../src/daemon/stateFiles.ts';
import { ManualClock } from '../../src/testing/manualClock.ts';
import { uplink } from '../support/plans.ts';

const RUN = '/r/var/run/mwan3';
const LOG = `${RUN}/iptables_log`;
const LAST_LOG = `${LOG}/iptables-set_user_rules-ipv4.dump`;
const WAN = `${RUN}/iface_state/wan`;
const WANB = `${RUN}/iface_state/wanb`;

/** The files of one mwan3, in memory; nothing notices changes. */
class FakeMwan3 implements StateFiles {
  readonly files = new Map<string, string>();
  run: string | undefined = 'first';
  /** From 22.03 on. */
  hasLog = false;
  written: number | undefined;

  read(path: string): string | undefined {
    return this.files.get(path);
  }
  identify(path: string): string | undefined {
    if (path === RUN) return this.run;
    return path === LOG && this.hasLog ? 'log' : this.files.get(path);
  }
  newest(folder: string): number | undefined {
    return folder === LOG ? this.written : undefined;
  }
  watch(): undefined {}
  /** As `rm -r` does: the files first. */
  stop(): void {
    this.files.clear();
    this.run = undefined;
  }
  begin(run: string, wan = 'online', wanb = 'online'): void {
    this.run = run;
    this.files.set(WAN, wan);
    this.files.set(WANB, wanb);
  }
}

function follow(files: FakeMwan3) {
  const clock = new ManualClock();
  const told: string[] = [];
  const follower = new Mwan3Follower({
    files,
    clock,
    root: '/r',
    settleMs: 2000,
    onStopped: () => told.push('stopped'),
    onStarted: () => told.push('started'),
  });
  follower.start();
  const states = () => [follower.read(WAN), follower.read(WANB)];
  return { clock, told, follower, states };
}

function running(): FakeMwan3 {
  const files = new FakeMwan3();
  files.begin('first');
  return files;
}

test('while mwan3 runs its files are what they are', () => {
  const files = running();
  const { states, told, clock, follower } = follow(files);
  assert.equal(states(), ['online', 'online']);
  files.files.set(WAN, 'offline');
  assert.equal(states(), ['offline', 'online']);
  clock.advance(60_000);
  assert.equal(told, []);
  assert.is(follower.isStopped, false);
});

test('when mwan3 stops its interfaces stay as they were, and it is told once', () => {
  const files = running();
  const { states, told, clock, follower } = follow(files);
  states();
  files.stop();
  assert.equal(states(), ['online', 'online'], 'before it is noticed');
  clock.advance(1000);
  assert.equal(told, ['stopped']);
  clock.advance(600_000);
  assert.equal(states(), ['online', 'online']);
  assert.equal(told, ['stopped']);
  assert.is(follower.isStopped, true);
});

test('what remains of a stopped mwan3 is not read', () => {
  const files = running();
  const { states } = follow(files);
  states();
  files.run = undefined;
  files.files.set(WAN, 'offline');
  assert.equal(states(), ['online', 'online']);
});

test('a mwan3 that is back is believed after the settle time', () => {
  const files = running();
  const { states, told, clock } = follow(files);
  states();
  files.stop();
  clock.advance(1000);
  files.begin('second', 'offline');
  clock.advance(2000);
  assert.equal(told, ['stopped']);
  assert.equal(states(), ['online', 'online']);
  clock.advance(1000);
  assert.equal(told, ['stopped', 'started']);
  assert.equal(states(), ['offline', 'online']);
});

test('a reload between two looks is a restart too', () => {
  const files = running();
  const { told, clock } = follow(files);
  files.stop();
  files.begin('second');
  clock.advance(1000);
  assert.equal(told, ['stopped']);
  clock.advance(2000);
  assert.equal(told, ['stopped', 'started']);
});

test('one that stops again before it has settled never started', () => {
  const files = running();
  const { told, clock } = follow(files);
  files.stop();
  clock.advance(1000);
  files.begin('second');
  clock.advance(1000);
  files.stop();
  clock.advance(1000);
  files.begin('third');
  clock.advance(2000);
  assert.equal(told, ['stopped']);
  clock.advance(1000);
  assert.equal(told, ['stopped', 'started']);
});

test('a mwan3 that is still setting its rules has not started', () => {
  const files = running();
  const { told, clock, states } = follow(files);
  states();
  files.stop();
  clock.advance(1000);
  files.hasLog = true;
  files.begin('second', 'offline');
  for (files.written = 1; files.written < 10; files.written++) clock.advance(1000);
  files.files.set(LAST_LOG, 'rules');
  clock.advance(1000);
  assert.equal(told, ['stopped'], 'written a second ago');
  clock.advance(1000);
  assert.equal(told, ['stopped', 'started']);
  assert.equal(states(), ['offline', 'online']);
});

test('one that never says that its rules are set is believed after a minute', () => {
  const files = running();
  files.hasLog = true;
  const { told, clock, follower } = follow(files);
  assert.equal(told, ['stopped']);
  assert.ok(follower.isStopped, 'nothing is reset by states that are half written');
  clock.advance(60_000);
  assert.equal(told, ['stopped']);
  clock.advance(1000);
  assert.equal(told, ['stopped', 'started']);
});

test('mwan3 that is not there at the start is told of at once', () => {
  const files = new FakeMwan3();
  files.stop();
  const { told, states, clock } = follow(files);
  assert.equal(told, ['stopped']);
  assert.equal(states(), [undefined, undefined]);
  files.begin('first');
  clock.advance(3000);
  assert.equal(told, ['stopped', 'started']);
  assert.equal(states(), ['online', 'online']);
});

test('a state file that is gone while mwan3 runs is believed after the settle time', () => {
  const files = running();
  const { states, clock } = follow(files);
  states();
  files.files.delete(WAN);
  assert.equal(states(), ['online', 'online']);
  clock.advance(1999);
  assert.equal(states(), ['online', 'online']);
  clock.advance(1);
  assert.equal(states(), [undefined, 'online']);
  files.files.set(WAN, 'online');
  assert.equal(states(), ['online', 'online']);
});

test('a reload changes no interface', () => {
  const files = running();
  const { clock, follower } = follow(files);
  const changes: (readonly number[])[] = [];
  const interfaces = [uplink('wan', { stateFile: WAN }), uplink('wanb', { stateFile: WANB })];
  const watch = new InterfaceWatch(interfaces, {
    files: follower,
    clock,
    onChange: (_, changed) => changes.push(changed),
  });
  files.files.delete(WAN);
  clock.advance(1000);
  files.stop();
  clock.advance(5000);
  files.begin('second');
  clock.advance(10_000);
  assert.equal(changes, []);
  files.files.set(WAN, 'offline');
  clock.advance(2000);
  assert.equal(changes, [[0]]);
  watch.close();
});

test('other files are passed through', () => {
  const files = running();
  const { follower } = follow(files);
  files.files.set('/r/etc/config/mwan3', 'x');
  files.run = undefined;
  assert.is(follower.read('/r/etc/config/mwan3'), 'x');
  assert.is(follower.identify(RUN), undefined);
});

test('after close nothing is told', () => {
  const files = running();
  const { follower, told, clock } = follow(files);
  follower.close();
  files.stop();
  clock.advance(60_000);
  assert.equal(told, []);
});

test.run();
