/** `resteer simulate`: a capture of the kernel's, and what the daemon would have made of it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { changed } from '../../src/cli/simulate/changes.ts';
import { runCli } from '../support/captureIo.ts';

const folder = mkdtempSync(join(tmpdir(), 'resteer-simulate-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const capture = fileURLToPath(new URL('../fixtures/captures/late.pcapng', import.meta.url));
const events = fileURLToPath(new URL('../fixtures/captures/text2pcap.pcapng', import.meta.url));

const config = {
  markMask: '0x3f00',
  interfaces: { wan: { mark: '0x100' }, wanb: { mark: '0x200' } },
  rules: [{ set: 'app_1.v4', interfaces: ['wan'] }],
};
const configFile = fileOf('resteer.json', JSON.stringify(config));

function fileOf(name: string, content: string | Uint8Array): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}

const simulate = (...args: string[]) =>
  runCli(['simulate', '--capture', capture, '--config', configFile, ...args]);

interface Line {
  readonly event: string;
  readonly [field: string]: unknown;
}

async function eventsOf(...args: string[]): Promise<Line[]> {
  const { exitCode, out, err } = await simulate('--json', ...args);
  assert.is(exitCode, 0, err);
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** What is said of resets: when, and of which destination. */
const resetsOf = (events: readonly Line[]) =>
  events
    .filter(({ event }) => event === 'reset')
    .map(({ time, outcome, flow }) => `${time} ${outcome} ${(flow as { destination: string }).destination}`);

test('what is recognised late is reset at the time of the next recheck or listing, and moves', async () => {
  const { exitCode, out, err } = await simulate();
  assert.is(exitCode, 0);
  assert.is(err, '');
  const lines = out.split('\n');
  const story = lines.filter((line) => /reset|moved|ready/.test(line) && line.includes('info'));
  assert.equal(
    story.slice(0, 4).map((line) => line.replace(/^(\S+) info {2}/, '$1 ')),
    [
      '2026-11-25T16:53:45.154Z ready: 1 flows seen, 0 misplaced, in 0 ms',
      '2026-11-25T16:53:48.471Z reset udp 192.168.50.3:1001 -> 203.0.113.11:443 (rule app_1.v4, set app_1.v4: on wanb, expected wan): deleted, 2000 ms after it began',
      '2026-11-25T16:53:48.481Z moved udp 192.168.50.3:1001 -> 203.0.113.11:443 from wanb to wan after 10 ms',
      '2026-11-25T16:53:48.654Z reset tcp 192.168.50.2:1000 -> 203.0.113.10:443 (rule app_1.v4, set app_1.v4: on wanb, expected wan): deleted',
    ],
  );
  assert.match(out, /\nresets deleted +2\n/);
  assert.match(out, /\nmoved +2\n/);
});

test('the same run twice says the same', async () => {
  assert.is((await simulate('--json')).out, (await simulate('--json')).out);
});

test('elements come when they are said to, into the sets of the capture and into others', async () => {
  const early = await eventsOf('--fill', 'app_1.v4=203.0.113.10@1s');
  assert.is(resetsOf(early)[0], '2026-11-25T16:53:46.154Z deleted 203.0.113.10');
  const other = fileOf(
    'other.json',
    JSON.stringify({ ...config, rules: [{ set: 'new', interfaces: ['wan'] }] }),
  );
  const made = await eventsOf('--config', other, '--fill', 'new=203.0.113.0/24@3s');
  const [warning] = made.filter(({ event }) => event === 'warning');
  assert.is(warning?.why, 'there is no set new');
  assert.equal(
    resetsOf(made)
      .map((text) => text.slice(25))
      .slice(0, 2)
      .sort(),
    ['deleted 203.0.113.10', 'deleted 203.0.113.11'],
  );
});

test('nothing is reset while no interface of the rule is online', async () => {
  const events = await eventsOf('--interface', 'wan=offline@2500ms', '--interface', 'wan=online@5500ms');
  const states = events.flatMap(({ event, time, online }) =>
    event === 'interface' ? [{ time, online }] : [],
  );
  assert.equal(states, [
    { time: '2026-11-25T16:53:47.702Z', online: false },
    { time: '2026-11-25T16:53:50.702Z', online: true },
  ]);
  assert.ok(resetsOf(events).length >= 2);
  for (const reset of resetsOf(events)) assert.ok(reset > '2026-11-25T16:53:50.702Z', reset);
});

test('flows to networks on the links are left alone', async () => {
  assert.equal(resetsOf(await eventsOf('--connected', '203.0.113.0/24')), []);
});

test('two configurations are compared by the flows about which they decide otherwise', async () => {
  const change = 'rules.app_1.v4.interfaces=["wanb"]';
  const { exitCode, out } = await simulate('--change', change, '--fill', 'app_1.v4=203.0.113.12@1s');
  assert.is(exitCode, 0);
  const blocks = out.split('\n').filter((line) => /^\S.*->|^ {2}[-+]/.test(line));
  assert.equal(
    blocks.map((line) => line.replace(/ \d\S+Z reset .*: on/, ' reset: on')),
    [
      'udp 192.168.50.3:1001 -> 203.0.113.11:443',
      '  - reset: on wanb, expected wan): deleted, 2000 ms after it began',
      '  + left where it is',
      'tcp 192.168.50.2:1000 -> 203.0.113.10:443',
      '  - reset: on wanb, expected wan): deleted',
      '  + left where it is',
      'udp 192.168.50.3:1002 -> 203.0.113.12:443',
      '  - left where it is',
      '  + reset: on wan, expected wanb): deleted, 0 ms after it began',
    ],
  );
  assert.match(out, /\n3 flows are decided otherwise\n/);
  assert.match(out, /\nresets deleted +2 +1\n/);
  const lines = await eventsOf('--change', change);
  assert.equal(
    lines.map(({ event }) => event),
    ['difference', 'difference', 'totals'],
  );
  const same = await eventsOf('--change', 'sweep=10m');
  assert.equal(
    same.map(({ event, differences }) => [event, differences]),
    [['totals', 0]],
  );
});

test("the plan may be mwan3's, whose interfaces count as online whatever their state files say", async () => {
  const root = fileURLToPath(new URL('../fixtures/mwan3/sample', import.meta.url));
  const { exitCode, out } = await runCli([
    'simulate',
    '--capture',
    capture,
    '--mwan3',
    '--root',
    root,
    '--json',
  ]);
  assert.is(exitCode, 0);
  const events: Line[] = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal([events.at(-1)?.event, events.some(({ event }) => event === 'ready')], ['totals', true]);
});

test('a change is made to a copy, at the place that it names', () => {
  const of = (change: string) => changed(config, change) as typeof config & Record<string, unknown>;
  assert.equal(of('rules.app_1.v4.interfaces=["wanb"]').rules, [{ set: 'app_1.v4', interfaces: ['wanb'] }]);
  assert.equal(of('rules.app_1.v4=null').rules, []);
  assert.equal(of('interfaces.wanb.mark=0x300').interfaces.wanb, { mark: '0x300' });
  assert.equal(of('interfaces.lte={"mark":"0x300"}').interfaces, {
    ...config.interfaces,
    lte: { mark: '0x300' },
  });
  assert.is(of('dryRun=true').dryRun, true);
  assert.equal(config.rules, [{ set: 'app_1.v4', interfaces: ['wan'] }]);
  for (const wrong of ['rules', '=1', 'rules.none.family=ipv4', 'limits.cooldown.x=1', 'markMask.x=1'])
    assert.throws(
      () => of(wrong),
      (error: { exitCode?: number }) => error.exitCode === 2,
      wrong,
    );
});

test('a capture that lacks something says so, and one that ends early is played up to there', async () => {
  const cut = fileOf('cut.pcapng', readFileSync(capture).subarray(0, -200));
  const { exitCode, err } = await runCli(['simulate', '--capture', cut, '--config', configFile]);
  assert.is(exitCode, 0);
  assert.match(
    err,
    /cut\.pcapng: the file ends within a block, of which \d+ bytes are there .*what comes before/,
  );
  const undumped = await runCli(['simulate', '--capture', events, '--config', configFile]);
  assert.is(undumped.exitCode, 0);
  assert.match(undumped.err, 'holds no listing of the table (--with-dump)');
});

const mistakes: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['no capture', ['--config', configFile], /--capture/],
  ['a file that is not there', ['--capture', '/none'], /^resteer: \/none: no such file/],
  ['a file that is no capture', ['--capture', configFile], /neither pcap nor pcapng/],
  ['an element without a time', ['--fill', 'app_1.v4=203.0.113.10'], /is not SET=ELEMENT@TIME/],
  ['a time without a unit', ['--fill', 'app_1.v4=203.0.113.10@3'], /'3' is not a duration/],
  ['an element of another kind', ['--fill', 'app_1.v4=x@1s'], /set app_1\.v4: .*"x"/],
  ['a set that nobody has', ['--fill', 'none=203.0.113.10@1s'], /no rule has the set 'none'/],
  [
    'an interface that is not there',
    ['--interface', 'lte=offline@1s'],
    /no interface 'lte': there are wan, wanb/,
  ],
  ['another state', ['--interface', 'wan=down@1s'], /is not NAME=offline@TIME/],
  ['no network', ['--connected', 'lan'], /'lan' is not a network/],
  [
    'a change that leads nowhere',
    ['--change', 'rules.x.family=ipv4'],
    /there is no 'x.family'; there are app_1\.v4/,
  ],
  ['a change to something wrong', ['--change', 'markMask=0'], /with markMask=0: markMask/],
  ['a change of mwan3', ['--mwan3', '--change', 'dryRun=true'], /mwan3 has its own/],
];

for (const [what, args, message] of mistakes) {
  test(`${what} is told in one line`, async () => {
    const named =
      args.includes('--capture') || what === 'no capture' ? args : ['--capture', capture, ...args];
    const whole =
      args.includes('--mwan3') || named.includes('--config') ? named : [...named, '--config', configFile];
    const { exitCode, out, err } = await runCli(['simulate', ...whole]);
    assert.is(exitCode, what.startsWith('a file') ? 1 : 2, err);
    assert.is(out, '');
    assert.match(err, message);
  });
}

test.run();
