// run: timeout=400
/** The daemon as a process: its log, its signals, its control socket and its end. */
import { existsSync, statSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  addresses,
  appRules,
  appSet,
  configWith,
  requireLab,
  startDaemon,
  withDaemon,
} from '../support/daemonLab.ts';

requireLab(import.meta.url);

const [address, other] = addresses.ipv4;

/** An object with each value replaced by its type, nested ones too; lists by that of their elements. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (value === null) return null;
  if (typeof value !== 'object') return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shapeOf(each)]));
}

test(
  'the log is one JSON object a line, of the documented shape',
  withDaemon({}, async ({ lab, daemon }) => {
    const flow = await lab.client(1).tcp({ address });
    await flow.send();
    await lab.addToSet(appSet.ipv4, address);
    const reset = await daemon.event('reset');
    await flow.sendUntil(({ wan }) => wan === 2);
    const moved = await daemon.event('moved');
    assert.is(await daemon.stop(), 0);

    for (const { time, level } of daemon.events) {
      assert.is(new Date(time).toISOString(), time);
      assert.ok(['info', 'warn', 'error', 'debug'].includes(level));
    }
    const head = { level: 'string', time: 'string', event: 'string' };
    const flowShape = {
      family: 'string',
      protocol: 'string',
      source: 'string',
      destination: 'string',
      sourcePort: 'number',
      destinationPort: 'number',
      mark: 'number',
      id: 'number',
    };
    const why = { flow: flowShape, rule: 'string', set: 'string', from: 'string', expected: ['string'] };
    const { sinceNewMs, ...rest } = reset;
    assert.equal(shapeOf(rest), { ...head, outcome: 'string', ...why });
    assert.ok(sinceNewMs === null || typeof sinceNewMs === 'number');
    assert.equal(shapeOf(moved), { ...head, ...why, to: 'string', afterMs: 'number' });
    const { id: _, sourcePort, ...known } = reset.flow;
    assert.equal(known, {
      family: 'ipv4',
      protocol: 'tcp',
      source: '192.168.50.2',
      destination: address,
      destinationPort: 443,
      mark: 256,
    });
    assert.is(sourcePort, flow.localPort);
    const ready = await daemon.event('ready');
    assert.equal(shapeOf(ready), { ...head, flows: 'number', misplaced: 'number', ms: 'number' });
    const sweep = await daemon.event('sweep');
    assert.equal(shapeOf(sweep), {
      ...head,
      cause: 'string',
      flows: 'number',
      misplaced: 'number',
      ms: 'number',
    });
    assert.is(sweep.cause, 'start');
    const stopped = daemon.events.at(-1) as unknown as Record<string, Record<string, number>>;
    assert.is(stopped.event, 'stopped');
    assert.is(stopped.moved, 1);
    assert.is(stopped.resets!.deleted, 1);
  }),
);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(
    `${signal} ends it: the totals are the last line, the exit code is 0, the control socket is gone`,
    withDaemon({}, async ({ daemon }) => {
      assert.is(statSync(daemon.controlPath).mode & 0o777, 0o600);
      const ended = daemon.ended;
      daemon.signal(signal);
      assert.is(await ended, 0);
      assert.is(daemon.events.at(-1)!.event, 'stopped');
      assert.is(existsSync(daemon.controlPath), false);
    }),
  );
}

test(
  'a SIGHUP behind the SIGTERM does not keep it alive',
  withDaemon({}, async ({ daemon }) => {
    const { ended } = daemon;
    daemon.signal('SIGTERM');
    daemon.signal('SIGHUP');
    assert.is(await ended, 0);
    assert.is(daemon.events.at(-1)!.event, 'stopped');
  }),
);

test(
  'a dry run says what it would reset, and deletes nothing',
  withDaemon({ args: ['--dry-run'] }, async ({ lab, daemon, resteer }) => {
    const flow = await lab.client(1).tcp({ address });
    await flow.send();
    await lab.addToSet(appSet.ipv4, address);
    assert.is((await daemon.event('reset')).outcome, 'dry-run');
    const { wan, resets, connections } = await flow.send();
    assert.equal([wan, resets, connections], [1, 0, 1]);
    const { out } = await resteer('status', '--control', daemon.controlPath);
    assert.match(out, /^state +running \(dry run: it resets nothing\)$/m);
    assert.match(out, /^ {2}by outcome +\d+ dry-run$/m);
    // a reload keeps what the command line said
    daemon.signal('SIGHUP');
    await daemon.event('reload', ({ ok }) => ok);
    const since = daemon.events.length;
    await resteer('control', 'sweep', '--control', daemon.controlPath);
    assert.is((await daemon.event('reset', () => true, { since })).outcome, 'dry-run');
    assert.is((await flow.send()).wan, 1);
  }),
);

test(
  'SIGHUP puts a good configuration in force, and refuses a bad one with its problems',
  withDaemon({ config: configWith({ rules: appRules.slice(1) }) }, async ({ lab, daemon, resteer }) => {
    const flow = await lab.client(1).tcp({ address });
    await flow.send();
    await lab.addToSet(appSet.ipv4, address);
    const control = ['--control', daemon.controlPath];
    const rulesNow = async () =>
      JSON.parse((await resteer('status', '--json', ...control)).out).rules.length as number;
    assert.is(await rulesNow(), 1);

    daemon.writeConfig(configWith({ markMsk: 1 }));
    daemon.signal('SIGHUP');
    const refused = await daemon.event('reload', ({ ok }) => !ok);
    assert.is(refused.level, 'error');
    assert.ok(refused.problems!.some((problem) => /markMsk/.test(problem)));
    assert.is(await rulesNow(), 1);
    const ordered = await resteer('control', 'reload', ...control);
    assert.is(ordered.exitCode, 2);
    assert.match(ordered.err, /^resteer: reload: the old configuration stays in force\n {2}.*markMsk/);

    daemon.writeConfig(configWith());
    // in a row: one after the other
    for (let i = 0; i < 3; i++) daemon.signal('SIGHUP');
    await daemon.event('reload', ({ ok }) => ok);
    assert.is((await daemon.event('reset')).outcome, 'deleted');
    assert.is((await flow.sendUntil(({ wan }) => wan === 2)).wan, 2);
    assert.is(await rulesNow(), 2);
    daemon.signal('SIGHUP');
    assert.is(await daemon.stop(), 0);
  }),
);

test(
  'paused, it watches and resets nothing; resumed, it finds what it left',
  withDaemon({}, async ({ lab, daemon, resteer }) => {
    const control = ['--control', daemon.controlPath];
    const flow = await lab.client(1).tcp({ address });
    await flow.send();
    const paused = await resteer('control', 'pause', ...control);
    assert.equal(paused, {
      exitCode: 0,
      out: 'paused: nothing is reset until resteer control resume\n',
      err: '',
    });
    await lab.addToSet(appSet.ipv4, address);
    assert.is((await daemon.event('suppressed')).reason, 'paused');
    assert.is((await flow.send()).wan, 1);
    assert.match((await resteer('status', ...control)).out, /^state +paused: /);
    const explained = await resteer('explain', address, ...control);
    assert.match(explained.out, /^Asked the running daemon \(paused\)\.$/m);
    assert.match(explained.out, /^ {2}verdict +MISPLACED: rule app1 wants it on wanb, and it is on wan$/m);
    assert.match(explained.out, /^ {2}but +resets are paused: resteer control resume$/m);
    assert.not(daemon.events.some(({ event }) => event === 'reset'));
    assert.is((await resteer('control', 'resume', ...control)).exitCode, 0);
    assert.is((await daemon.event('reset')).outcome, 'deleted');
    assert.is((await flow.sendUntil(({ wan }) => wan === 2)).wan, 2);
  }),
);

test(
  'a second instance is refused, and the first goes on',
  withDaemon({}, async ({ daemon, resteer }) => {
    const second = await resteer('run', '--config', daemon.configFile, '--control', daemon.controlPath);
    assert.is(second.exitCode, 1);
    assert.match(second.err, /^resteer: control socket: another resteer listens on .*: stop it first/);
    assert.is((await resteer('status', '--control', daemon.controlPath)).exitCode, 0);
  }),
);

test(
  'after kill -9 the network is as it was, and the next one finishes what was begun',
  withDaemon({}, async ({ lab, daemon }) => {
    const flow = await lab.client(1).tcp({ address: other });
    await flow.send();
    daemon.signal('SIGKILL');
    assert.is(await daemon.ended, null);
    await lab.addToSet(appSet.ipv4, other);
    const { wan, resets } = await flow.send();
    assert.equal([wan, resets], [1, 0]);

    const next = await startDaemon(lab);
    assert.is((await next.event('ready')).misplaced, 1);
    assert.is((await next.event('reset')).outcome, 'deleted');
    assert.is((await flow.sendUntil((echo) => echo.wan === 2)).wan, 2);
    await next.event('moved');
  }),
);

test.run();
