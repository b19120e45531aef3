// run: timeout=300
/** `run --mwan3` with real traffic through three uplinks, which a script keeps as mwan3 does, on the real kernel. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LoggedEvent, RouterDaemon } from '../../src/cli/demo/routerDaemon.ts';
import { askDaemon } from '../../src/daemon/controlClient.ts';
import type { Echo, TrafficFlow } from '../../src/lab/index.ts';
import { entryOf, requireLab, runInRouter } from '../support/daemonLab.ts';
import { Mwan3Lab } from '../support/mwan3Lab.ts';
import { sh } from '../support/namespace.ts';
import { until } from '../support/waiting.ts';

requireLab(import.meta.url);

/** Emulated machines are slower. */
const slowness = Number(process.env.RESTEER_SLOWNESS ?? 1);
const AGE_MS = 6000 * slowness;
const SETTLE_MS = 400;
const HOLD_DOWN_MS = 1000;
const [APP, WEB, KEEP, OTHER] = ['203.0.113.10', '203.0.113.11', '203.0.113.12', '203.0.113.13'] as const;

const uplink = (name: string) => `config interface '${name}'
	option enabled '1'
	list track_ip '192.0.2.53'
`;
const member = (name: string, metric: number) => `config member '${name}_m'
	option interface '${name}'
	option metric '${metric}'
`;
const policy = (name: string, ...members: string[]) =>
  [`config policy '${name}'`, ...members.map((each) => `\tlist use_member '${each}_m'`), ''].join('\n');
const rule = (name: string, options: Readonly<Record<string, string>>) =>
  [`config rule '${name}'`, ...Object.entries(options).map((each) => `\toption ${each.join(' ')}`), ''].join(
    '\n',
  );
const common = [
  ...['wan', 'wanb', 'wanc'].map(uplink),
  ...[member('wan', 1), member('wanb', 2), member('wanc', 1)],
  ...[policy('ranked', 'wan', 'wanb'), policy('only_c', 'wanc')],
];
const settings = `config resteer
	option settle '${SETTLE_MS}ms'
	option hold_down '${HOLD_DOWN_MS}ms'
	option failback_age '${AGE_MS}ms'
	list recheck '200ms'
	list recheck '1s'
	option resets_per_client_per_second 'unlimited'
	option cooldown '1s'
`;

const on = (wan: number) => (echo: Echo) => echo.wan === wan;
const path = ({ wan, resets, connections }: Echo) => ({ wan, resets, connections });
const deletedBy = ({ events }: RouterDaemon) =>
  events.filter(
    (event): event is LoggedEvent & { event: 'reset' } =>
      event.event === 'reset' && event.outcome === 'deleted',
  );

/** Everything in a laboratory with mwan3 and a daemon; both are gone when it ends. */
async function inLab(
  rules: readonly string[],
  sets: readonly string[],
  more: string,
  body: (site: Mwan3Lab, daemon: RouterDaemon) => Promise<void>,
): Promise<void> {
  const mwan3 = [...common, ...rules].join('\n');
  const site = await Mwan3Lab.open({ mwan3, resteer: `${settings}${more}` }, sets);
  try {
    const daemon = await site.startDaemon();
    await body(site, daemon);
    assert.is(daemon.errors, '');
    assert.is(await daemon.stop(), 0);
  } finally {
    await site.close();
  }
}

/** A flow whose path is known, to see later whether it is as it was. */
interface Watched {
  readonly name: string;
  readonly flow: TrafficFlow;
  readonly before: Echo;
}

/** Each goes on as it was: the same uplink, no reset, no new connection. */
async function assertUntouched(flows: readonly Watched[]): Promise<void> {
  for (const { name, flow, before } of flows) assert.equal(path(await flow.send()), path(before), name);
}

/** Has the table swept; whatever was misplaced until then has been found. */
const sweep = (daemon: RouterDaemon) => askDaemon(daemon.controlPath, { command: 'sweep' });

const rulesOfAll = [
  rule('app', { ipset: 'app', use_policy: 'only_c' }),
  rule('back', { ipset: 'web', proto: 'tcp', dest_port: '8443', use_policy: 'ranked' }),
  rule('web', { ipset: 'web', use_policy: 'ranked' }),
  rule('keep', { ipset: 'keep', use_policy: 'ranked' }),
  rule('rest', { use_policy: 'ranked' }),
];
const configuredFailback = rule('back', { failback: 'reset' }) + rule('keep', { failback: 'preserve' });

test('a flow moves when its set fills; its neighbours do not', async () => {
  await inLab(rulesOfAll, ['app', 'web', 'keep'], '', async ({ lab }, daemon) => {
    const start = async (name: string, flow: TrafficFlow): Promise<Watched> => ({
      name,
      flow,
      before: await flow.send(),
    });
    const [one, two] = [lab.client(1), lab.client(2)];
    const moving = [await one.tcp({ address: APP }), await two.udp({ address: APP })];
    for (const flow of moving) assert.is((await flow.send()).wan, 1);
    const others = [await start('another address', await one.tcp({ address: OTHER }))];
    await lab.addToSet('app', APP);
    for (const flow of moving) await flow.sendUntil(on(3));
    await daemon.event('moved', ({ flow }) => flow.protocol === 'tcp');
    await daemon.event('moved', ({ flow }) => flow.protocol === 'udp');
    others.push(await start('begun on the right uplink', await two.tcp({ address: APP })));
    assert.is(others.at(-1)!.before.wan, 3);
    await sweep(daemon);
    await assertUntouched(others);
    assert.is(deletedBy(daemon).length, 2);
  });
});

test('failover moves the flows of the dead uplink alone; failback those that are configured to', async () => {
  await inLab(rulesOfAll, ['app', 'web', 'keep'], configuredFailback, async (site, daemon) => {
    const { lab } = site;
    await lab.addToSet('app', APP);
    await lab.addToSet('web', WEB);
    await lab.addToSet('keep', KEEP);
    // an entry of one exchange is to outlive its youth
    await lab.setSysctl(lab.router, 'net.netfilter.nf_conntrack_udp_timeout', 600);
    await lab.client(2).listen('tcp', 8080, [lab.plan.lan.clients[1]!.ipv4]);
    const begin = async (name: string, opening: Promise<TrafficFlow>, wan: number): Promise<Watched> => {
      const flow = await opening;
      const before = await flow.send();
      assert.is(before.wan, wan, name);
      return { name, flow, before };
    };
    const [one, two] = [lab.client(1), lab.client(2)];

    // failover
    const dead = [
      await begin('plain tcp', one.tcp({ address: OTHER }), 1),
      await begin('plain udp', one.udp({ address: OTHER }), 1),
      await begin('tcp in a set', two.tcp({ address: WEB }), 1),
    ];
    const alive = [await begin('on another uplink', one.tcp({ address: APP }), 3)];
    const inbound = await lab.server.tcp({ address: lab.plan.wans[1]!.routerAddress.ipv4, port: 8080 });
    assert.is((await inbound.send('inbound')).text, 'inbound');
    assert.is(await two.ping(lab.plan.lan.router.ipv4), 1);
    const entries = new Map((await lab.conntrack('ipv4')).map((row) => [row.id, row.mark]));
    await site.lose(1);
    const lost = daemon.events.length;
    for (const { flow } of dead) await flow.sendUntil(on(2), { withinMs: 10_000 * slowness });
    await sweep(daemon);
    await assertUntouched(alive);
    assert.is((await inbound.send()).resets, 0);
    const gone = deletedBy(daemon);
    assert.equal(
      gone.map(({ from, expected }) => `${from} ${expected}`),
      dead.map(() => 'wan wanb'),
    );
    for (const { flow } of gone) assert.is(entries.get(flow.id), 0x100);
    assert.ok(lost > 0);

    // failback: what has been on the other uplink for long, and what has begun there only just now
    const old = [
      ...[dead[0]!, dead[2]!],
      await begin('old in the set that is kept', two.tcp({ address: KEEP }), 2),
      await begin('old in the set that goes back', two.tcp({ address: WEB, port: 8443 }), 2),
      await begin('old, and not kept up by the other end', two.udp({ address: OTHER }), 2),
    ];
    const oldest = performance.now() + AGE_MS + 500;
    await until('the flows are old', () => performance.now() > oldest, 60_000 * slowness);
    const young = [
      await begin('young plain tcp', one.tcp({ address: OTHER }), 2),
      await begin('young in a set', one.tcp({ address: WEB }), 2),
      await begin('young in the set that is kept', one.tcp({ address: KEEP }), 2),
    ];
    // whether both ends kept this one up is a matter of time
    await lab.router.exec('conntrack', ['-D', '-p', 'udp', '--sport', String(dead[1]!.flow.localPort)]);
    const before = deletedBy(daemon).length;
    const outage = daemon.events.length;
    await site.regain(1);
    const { time } = await daemon.event('interface', ({ name, online }) => name === 'wan' && online, {
      since: outage,
    });
    const goBack = [young[0]!, young[1]!, old[3]!, old[4]!];
    for (const { name, flow } of goBack) {
      const back = await flow.sendUntil(on(1), { withinMs: 10_000 * slowness });
      assert.is(back.wan, 1, name);
    }
    await sweep(daemon);
    for (const { name, flow } of [old[0]!, old[1]!, old[2]!, young[2]!])
      assert.is((await flow.send()).wan, 2, name);
    await assertUntouched(alive);
    const back = deletedBy(daemon).slice(before);
    assert.is(back.length, goBack.length);
    for (const each of back) {
      assert.is(`${each.from} ${each.expected}`, 'wanb wan');
      assert.ok(Date.parse(each.time) - Date.parse(time) >= HOLD_DOWN_MS, 'not within the hold-down');
    }
  });
});

test('in a total outage, and while mwan3 stops, starts or reloads, nothing is reset', async () => {
  await inLab(rulesOfAll, ['app', 'web', 'keep'], '', async (site, daemon) => {
    const { lab } = site;
    const flows: Watched[] = [];
    for (const [name, flow] of [
      ['tcp', await lab.client(1).tcp({ address: OTHER })],
      ['udp', await lab.client(2).udp({ address: WEB })],
    ] as const)
      flows.push({ name, flow, before: await flow.send() });
    const isQuiet = async () => {
      await sweep(daemon);
      assert.equal(deletedBy(daemon), []);
    };

    // in an order in which no flow has anywhere else to go
    for (const wan of [3, 2, 1]) await site.lose(wan, wan === 3 ? 'ifdown' : 'disconnected');
    for (const name of ['wan', 'wanb', 'wanc'])
      await daemon.event('interface', (event) => event.name === name && !event.online);
    const last = Date.parse(daemon.events.findLast(({ event }) => event === 'interface')!.time);
    await daemon.event(
      'sweep',
      ({ cause, time }) => cause === 'interface' && Date.parse(time) >= last + SETTLE_MS,
    );
    await isQuiet();
    for (const wan of [1, 2, 3]) await site.regain(wan, wan === 3 ? 'ifup' : 'connected');
    for (const name of ['wan', 'wanb', 'wanc'])
      await daemon.event('interface', (event) => event.name === name && event.online);
    await assertUntouched(flows);

    const stopped = () => daemon.event('mwan3', ({ running }) => !running, { since: mark });
    const started = () =>
      daemon.event('mwan3', ({ running }) => running, { since: mark, withinMs: 20_000 * slowness });
    let mark = daemon.events.length;
    await site.mwan3('stop');
    await stopped();
    // misplaced, were its rules in force
    await lab.addToSet('app', OTHER);
    await isQuiet();
    const from = ['--mwan3', '--root', site.root];
    const refused = await runInRouter(lab, ['sweep', ...from]);
    assert.equal([refused.exitCode, refused.out], [1, '']);
    assert.match(refused.err, /^resteer: mwan3: it is stopped: /);
    const held = await runInRouter(lab, ['explain', OTHER, ...from]);
    assert.match(held.out, 'But mwan3 is stopped: nothing is reset until it runs.');
    await lab.removeFromSet('app', OTHER);
    await site.mwan3('start');
    await started();
    const swept = await runInRouter(lab, ['sweep', '--dry-run', '--json', ...from]);
    assert.is(swept.exitCode, 0, swept.err);
    assert.is(JSON.parse(swept.out).misplaced, 0);
    await assertUntouched(flows);

    mark = daemon.events.length;
    await site.mwan3('reload', '', 0.7);
    await stopped();
    await started();
    await isQuiet();
    await assertUntouched(flows);
    // and it is at work again
    await lab.addToSet('app', OTHER);
    await flows[0]!.flow.sendUntil(on(3), { withinMs: 10_000 * slowness });
  });
});

/** Whether this kernel has the type of mwan3's sticky sets. */
function hasSticky(): boolean {
  try {
    sh('unshare', '-n', 'ipset', 'create', 'sticky', 'hash:ip,mark');
    return true;
  } catch {
    return false;
  }
}

if (!hasSticky()) console.log('not tested here: a sticky rule, since this kernel has no hash:ip,mark');
else {
  test('a sticky client is let go of a dead uplink, and does not come back to it', async () => {
    const sticky = rule('bank', { ipset: 'bank', sticky: '1', use_policy: 'ranked' });
    await inLab([sticky], ['bank'], '', async (site, daemon) => {
      const { lab } = site;
      await lab.addToSet('bank', OTHER);
      const elements = async () =>
        (await lab.router.exec('ipset', ['list', 'mwan3_rule_ipv4_bank'])).stdout.match(/^\S+,0x\S+/gm) ?? [];
      const client = lab.plan.lan.clients[0]!.ipv4;
      const flow = await lab.client(1).tcp({ address: OTHER });
      const udp = await lab.client(1).udp({ address: OTHER });
      for (const each of [flow, udp]) assert.is((await each.send()).wan, 1);
      assert.equal(await elements(), [`${client},0x00000100`]);

      // what happens without that: the rule puts the flow back on the dead uplink
      await askDaemon(daemon.controlPath, { command: 'pause' });
      await site.lose(1);
      await daemon.event('interface', ({ online }) => !online);
      const source = ['-f', 'ipv4', '-p', 'udp', '-s', client, '-d', OTHER];
      await lab.router.exec('conntrack', ['-D', ...source]);
      assert.is(
        await udp.send('lost', { timeoutMs: 500 }).then(
          ({ wan }) => wan,
          () => 'lost',
        ),
        'lost',
      );
      assert.is((await entryOf(lab, udp, OTHER)).mark, 0x100);

      await askDaemon(daemon.controlPath, { command: 'resume' });
      for (const each of [flow, udp]) await each.sendUntil(on(2), { withinMs: 20_000 * slowness });
      assert.equal(await elements(), [`${client},0x00000200`]);
      await daemon.event('moved', ({ flow: its }) => its.protocol === 'tcp');
      await sweep(daemon);
      assert.equal(
        daemon.events.filter(({ event }) => event === 'returned'),
        [],
      );
      assert.is(deletedBy(daemon).length, 2);
    });
  });
}

test.run();
