/** `status`, `control` and `explain` against a control socket with answers that a test makes up, and without one. */
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ControlHandler, ControlServer } from '../../src/daemon/controlServer.ts';
import type { DaemonStatus } from '../../src/daemon/status.ts';
import { statusText } from '../../src/daemon/statusText.ts';
import { runCli } from '../support/captureIo.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const folder = temporaryFolder();
let sockets = 0;

const zeros = (...names: string[]) => Object.fromEntries(names.map((name) => [name, 0]));
const idle = {
  uptimeMs: 93_784_000,
  state: 'running',
  dryRun: false,
  transport: 'ffi',
  events: 1000,
  malformed: 0,
  judged: 900,
  tested: 600,
  questions: 500,
  verdicts: { ...zeros('no-target'), ignored: 100, unclassified: 500, placed: 290, misplaced: 10 },
  ignored: { ...zeros('multicast'), connected: 60, unmarked: 40 },
  resets: { ...zeros('gone', 'changed', 'offloaded', 'refused', 'dry-run'), deleted: 9 },
  suppressed: { ...zeros('budget', 'client-budget', 'breaker', 'paused'), cooldown: 1 },
  moved: 8,
  returned: 1,
  overruns: 0,
  shed: 0,
  evicted: 0,
  sweeps: { done: 3, flows: 1200, running: false },
  queues: { stored: 5, pending: 4, judging: 1, deferred: 0, resetting: 0, watched: 2, resting: 1 },
  latencyMs: { p50: 1.234, p90: 2.5, p99: 9.96, max: 510.2 },
  receiveBuffer: 8 << 20,
  memory: { rss: 60 << 20, flowStore: 1 << 19 },
  connectedNetworks: 11,
  interfaces: [
    { name: 'wan', mark: 256, online: true },
    { name: 'wanb', mark: 512, online: false },
  ],
  rules: [
    { name: 'app1', set: 'app_1', setState: 'usable', expected: { ipv4: ['wan'], ipv6: ['wan', 'lte'] } },
    { name: 'gone', set: 'gone', setState: 'missing', expected: { ipv4: [] } },
    { name: 'rest', set: null, setState: 'unknown', expected: { ipv4: ['wan'] } },
  ],
} as unknown as DaemonStatus;

/** Runs a command against a daemon of these handlers. */
async function ask(handlers: Record<string, ControlHandler>, ...args: string[]) {
  const path = join(folder, `socket${++sockets}`);
  const server = await ControlServer.open(path, handlers);
  try {
    return await runCli([...args, '--control', path]);
  } finally {
    await server.close();
  }
}

test('status in words: aligned, grouped, only what is not zero', () => {
  assert.is(
    statusText(idle),
    `state               running
uptime              1 d 2 h
transport           ffi
memory              60.0 MB in all, 0.5 MB for flows
connected networks  11

Flows
  new flows heard of  1000
  judged              900, of which 600 by asking sets (500 questions)
  verdicts            500 unclassified, 290 placed, 100 ignored, 10 misplaced
  ignored as          60 connected, 40 unmarked

Resets
  by outcome          9 deleted
  came back           8 on the right interface, 1 on a wrong one
  left alone for      1 cooldown
  from NEW to DELETE  half within 1.2 ms, 90% 2.5 ms, 99% 10.0 ms, all 510 ms

Work
  overruns            0, receive buffer 8.0 MB
  left out when full  0 to the next sweep, 0 forgotten before their last recheck
  sweeps              3, 1200 flows read
  flows under way     4 wait for a recheck, 1 for a verdict, 0 for the budget, 0 for their reset
  after resets        2 successors awaited, 1 flows rest

Interfaces
  wan   mark 0x100, online
  wanb  mark 0x200, offline

Rules
  app1  set app_1: ipv4 on wan, ipv6 on wan or lte
  gone  set gone (there is no such set): ipv4 on none that is online
  rest  every flow that it fits: ipv4 on wan
`,
  );
});

test('status in words: what is out of the ordinary', () => {
  const text = statusText({
    ...idle,
    uptimeMs: 400,
    state: 'breaker-open',
    dryRun: true,
    malformed: 2,
    latencyMs: null,
    sweeps: { done: 0, flows: 0, running: true },
    rules: [],
  });
  assert.match(
    text,
    /^state +its circuit breaker is open: .* until resteer control resume \(dry run: it resets nothing\)$/m,
  );
  assert.match(text, /^uptime +0 s$/m);
  assert.match(text, /heard of +1000, 2 malformed messages$/m);
  assert.match(text, /to DELETE +none yet$/m);
  assert.match(text, /^ {2}sweeps +0, 0 flows read; one is running$/m);
  assert.match(text, /^Rules\n {2}none\n$/m);
  assert.match(statusText({ ...idle, state: 'paused' }), /^state +paused: /);
});

test('status as JSON is what the daemon said', async () => {
  const { exitCode, out, err } = await ask({ status: () => idle }, 'status', '--json');
  assert.equal([exitCode, err], [0, '']);
  assert.equal(JSON.parse(out), JSON.parse(JSON.stringify(idle)));
  const words = await ask({ status: () => idle }, 'status');
  assert.is(words.out, statusText(idle));
});

test('orders say what came of them', async () => {
  const done: [string, unknown, string][] = [
    ['pause', undefined, 'paused: nothing is reset until resteer control resume\n'],
    ['resume', undefined, 'running; the table is looked through now\n'],
    ['reload', { ok: true }, 'the new configuration is in force\n'],
    ['sweep', { flows: 7, misplaced: 2, ms: 3 }, '7 flows read, 2 misplaced, in 3 ms\n'],
  ];
  for (const [order, result, out] of done) {
    assert.equal(await ask({ [order]: () => result }, 'control', order), { exitCode: 0, out, err: '' });
  }
  const refused = await ask(
    { reload: () => ({ ok: false, problems: ['a: b', 'c: d'] }) },
    'control',
    'reload',
  );
  assert.equal(refused, {
    exitCode: 2,
    out: '',
    err: 'resteer: reload: the old configuration stays in force\n  a: b\n  c: d\n',
  });
  const failed = await ask({ sweep: () => ({ failed: true }) }, 'control', 'sweep');
  assert.equal(
    [failed.exitCode, failed.err],
    [1, 'resteer: sweep: it failed: the log of the daemon says why\n'],
  );
});

test('where no daemon runs it is said what to do, exit code 1', async () => {
  const control = ['--control', join(folder, 'nobody')];
  for (const command of [['status'], ['control', 'pause'], ['explain', '203.0.113.10']]) {
    const { exitCode, out, err } = await runCli([...command, ...control]);
    assert.equal([exitCode, out], [1, '']);
    assert.match(
      err,
      /^resteer: control socket: .*\/nobody: no resteer is running there: start it with resteer run/,
    );
    assert.is(err.split('\n').length, 2);
  }
});

test('what the daemon refuses is told in its words', async () => {
  const starting = () => {
    throw new Error('the daemon is starting: ask again in a moment');
  };
  assert.equal(await ask({ status: starting }, 'status'), {
    exitCode: 1,
    out: '',
    err: 'resteer: control socket: the daemon is starting: ask again in a moment\n',
  });
});

test('explain hands the query on, numbers as numbers', async () => {
  let asked: unknown;
  const explain: ControlHandler = (request) => {
    asked = request;
    return { flows: [] };
  };
  const args = [
    '203.0.113.10',
    '-s',
    '192.0.2.1',
    '-p',
    '17',
    '--dport',
    '53',
    '--sport',
    '1024',
    '-m',
    '0x100',
  ];
  assert.equal(await ask({ explain }, 'explain', ...args, '--json'), {
    exitCode: 0,
    out: '{"flows":[]}\n',
    err: '',
  });
  assert.equal(asked, {
    command: 'explain',
    destination: '203.0.113.10',
    source: '192.0.2.1',
    protocol: 17,
    destinationPort: 53,
    sourcePort: 1024,
    mark: '0x100',
  });
});

test('wrong usage is told before anybody is asked', async () => {
  const wrong: [string[], RegExp][] = [
    [['control'], /missing required argument 'order'/],
    [['control', 'stop'], /'stop' is invalid .*pause, resume, reload, sweep/],
    [['explain'], /missing required argument 'destination'/],
    [['explain', 'example.org'], /destination: "example\.org" is not an address/],
    [['explain', '203.0.113.10', '--dport', 'https'], /destinationPort: "https" is not a port/],
    [['explain', '203.0.113.10', '-i', 'wan', '-m', '1'], /cannot be used with option/],
    [['sweep', '--config', join(folder, 'none.json')], /none\.json: no such file/],
    [['explain', '203.0.113.10', '--config', join(folder, 'none.json')], /none\.json: no such file/],
  ];
  for (const [args, text] of wrong) {
    const { exitCode, out, err } = await runCli(args);
    assert.equal([exitCode, out], [2, ''], args.join(' '));
    assert.match(err, text);
  }
});

test.run();
