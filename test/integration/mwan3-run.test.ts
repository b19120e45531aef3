// run: timeout=120
/** `run --mwan3` on the real kernel: sets, stops, failover and return, with entries that bear mwan3's marks. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { IPS, openConntrack } from '../../src/ctnetlink/index.ts';
import { askDaemon } from '../../src/daemon/controlClient.ts';
import { openIpset } from '../../src/ipset/index.ts';
import { insideNamespace } from '../support/namespace.ts';
import { until } from '../support/waiting.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const uplink = (name: string) => `config interface ${name}\n option enabled 1\n list track_ip 192.0.2.53\n\n`;
const member = (name: string, metric: number) =>
  `config member ${name}_m\n option interface ${name}\n option metric ${metric}\n\n`;

/** Three uplinks; what is in `app` belongs on lte, all else on wan and, without it, on wanb. */
const config = `${['wan', 'wanb', 'lte'].map(uplink).join('')}
${member('wan', 1)}${member('wanb', 2)}${member('lte', 1)}
config policy ranked
 list use_member wan_m
 list use_member wanb_m
config policy lte_only
 list use_member lte_m

config rule mail
 option proto udp
 option dest_port 25
 option use_policy ranked
config rule app
 option ipset app
 option use_policy lte_only
config rule web
 option ipset web
 option use_policy ranked
config rule rest
 option use_policy ranked
`;
const SETTLE_MS = 300;
const settings = `config resteer main
 option settle ${SETTLE_MS}ms
 option hold_down 600ms
 list recheck 100ms
 list recheck 1s
 option resets_per_client_per_second unlimited
 option cooldown 1s
`;

const [WAN, WANB, LTE, DEFAULT] = [0x100, 0x200, 0x300, 0x3f00];
const [APP, WEB, OTHER, CONNECTED] = ['203.0.113.10', '203.0.113.20', '203.0.113.30', '203.0.113.40'];

await insideNamespace(import.meta.url, async () => {
  const conntrack = await openConntrack();
  const ipset = await openIpset();
  const root = mkdtempSync(join(tmpdir(), 'resteer-mwan3-'));
  const run = join(root, 'var/run/mwan3');
  const control = join(root, 'control.sock');
  const lines: Record<string, unknown>[] = [];
  let daemon: ChildProcess;

  const state = (name: string, text: string) => writeFileSync(join(run, 'iface_state', name), `${text}\n`);
  const states = (wan: string, wanb: string, lte: string) => {
    mkdirSync(join(run, 'iface_state'), { recursive: true });
    state('wan', wan);
    state('wanb', wanb);
    state('lte', lte);
  };
  const said = (event: string) => lines.filter((line) => line.event === event).length;
  const deleted = () => lines.filter((line) => line.event === 'reset' && line.outcome === 'deleted').length;
  const hears = (event: string, times: number) =>
    until(`${times} times ${event}; ${JSON.stringify(lines.slice(-4))}`, () => said(event) >= times);
  /** Waits for the sweep that follows when the last change of an uplink has settled. */
  const hasSettled = () => {
    const since = Date.parse(String(lines.filter(({ event }) => event === 'interface').at(-1)!.time));
    const isAfter = ({ event, cause, time }: Record<string, unknown>) =>
      event === 'sweep' && cause === 'interface' && Date.parse(String(time)) >= since + SETTLE_MS;
    return until('the change has settled', () => lines.some(isAfter));
  };
  /** Has the table swept; all that the daemon said until then is heard. */
  const sweep = async () => {
    const times = said('sweep');
    await askDaemon(control, { command: 'sweep' });
    await until('the sweep is told', () =>
      lines
        .filter(({ event }) => event === 'sweep')
        .slice(times)
        .some(({ cause }) => cause === 'request'),
    );
  };
  /** How many flows were seen to go. */
  let gone = 0;

  // each flow is another client's: a flow like one that was reset would count as its successor
  let client = 1;
  const flow = async (mark: number, destination: string, destinationPort = 443) => {
    const source = `192.168.50.${client++}`;
    const originalTuple = { source, destination, protocol: 17, sourcePort: 40_000, destinationPort };
    await conntrack.create({ originalTuple, mark, timeout: 600, status: IPS.SEEN_REPLY | IPS.ASSURED });
    return originalTuple;
  };
  type Tuple = Awaited<ReturnType<typeof flow>>;
  const isThere = async (originalTuple: Tuple) => (await conntrack.get({ originalTuple })) !== undefined;
  const goes = async (tuple: Tuple) => {
    const limit = Date.now() + 20_000;
    while (await isThere(tuple)) {
      assert.ok(Date.now() < limit, `${JSON.stringify(tuple)} stays; ${JSON.stringify(lines.slice(-6))}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    gone++;
    await until('its reset is told', () => deleted() >= gone);
  };

  test.before(async () => {
    mkdirSync(join(root, 'etc/config'), { recursive: true });
    writeFileSync(join(root, 'etc/config/mwan3'), config);
    writeFileSync(join(root, 'etc/config/resteer'), settings);
    states('online', 'online', 'online');
    for (const name of ['app', 'web', 'mwan3_connected_ipv4']) await ipset.create(name, 'hash:net');
    await ipset.add('web', { ip: WEB, cidr: 32 });
    await ipset.add('mwan3_connected_ipv4', { ip: CONNECTED, cidr: 32 });
    const args = [main, 'run', '--mwan3', '--root', root, '--control', control, '--log-format', 'json'];
    daemon = spawn(process.execPath, [...process.execArgv, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface({ input: daemon.stdout! }).on('line', (line) => lines.push(JSON.parse(line)));
    await hears('ready', 1);
  });

  test.after(async () => {
    const exit = once(daemon, 'exit');
    daemon.kill();
    const [code] = await exit;
    rmSync(root, { recursive: true, force: true });
    await Promise.all([conntrack.close(), ipset.close()]);
    assert.is(code, 0);
  });

  test('a flow moves when its set fills; plain rules, exempt sets and foreign marks keep theirs', async () => {
    const app = await flow(WAN, APP);
    const kept = [
      await flow(WAN, APP, 25),
      await flow(WAN, CONNECTED),
      await flow(DEFAULT, APP),
      await flow(0x400, APP),
      await flow(LTE, APP),
      await flow(WAN, OTHER),
      await flow(WANB, OTHER),
    ];
    await ipset.add('app', { ip: CONNECTED, cidr: 32 });
    await ipset.add('app', { ip: APP, cidr: 32 });
    await goes(app);
    await sweep();
    for (const tuple of kept) assert.ok(await isThere(tuple), JSON.stringify(tuple));
    assert.is(deleted(), gone);
    await conntrack.flushTable();
  });

  test('when an uplink dies its flows move, and no others; some return when it is back', async () => {
    const dead = [await flow(WAN, OTHER), await flow(WAN, WEB), await flow(WAN, APP, 25)];
    const alive = [
      await flow(WANB, OTHER),
      await flow(WANB, WEB, 25),
      await flow(LTE, APP),
      await flow(DEFAULT, OTHER),
    ];
    state('wan', 'offline');
    for (const tuple of dead) await goes(tuple);
    await sweep();
    for (const tuple of alive) assert.ok(await isThere(tuple), JSON.stringify(tuple));
    assert.is(deleted(), gone);
    const web = await flow(WANB, WEB);
    await sweep();
    assert.ok(await isThere(web));
    state('wan', 'online');
    await goes(web);
    await sweep();
    for (const tuple of alive) assert.ok(await isThere(tuple), JSON.stringify(tuple));
    await conntrack.flushTable();
  });

  test('in a total outage nothing is reset', async () => {
    const flows = [await flow(WAN, OTHER)];
    await goes(await flow(WAN, APP));
    const changes = said('interface');
    states('offline', 'offline', 'offline');
    await hears('interface', changes + 3);
    await hasSettled();
    flows.push(await flow(WAN, APP), await flow(WANB, WEB));
    await sweep();
    assert.is(deleted(), gone);
    for (const tuple of flows) assert.ok(await isThere(tuple));
    await conntrack.flushTable();
    states('online', 'online', 'online');
    await hears('interface', changes + 6);
  });

  test('a stopped mwan3 pauses resets and takes no uplink offline; its return resumes them', async () => {
    const changes = said('interface');
    rmSync(run, { recursive: true });
    await hears('mwan3', 1);
    const dead = await flow(WAN, OTHER);
    const app = await flow(WAN, APP);
    const suppressed = said('suppressed');
    await sweep();
    await hears('suppressed', suppressed + 1);
    assert.ok(await isThere(app));
    states('online', 'online', 'online');
    await hears('mwan3', 2);
    await goes(app);
    await sweep();
    assert.ok(await isThere(dead));
    assert.is(deleted(), gone);
    assert.is(said('interface'), changes);
  });

  test('a wrong configuration leaves the plan in force, and says where it is wrong', async () => {
    writeFileSync(join(root, 'etc/config/mwan3'), `${config}\nconfig rule 'x\n`);
    const reloads = said('reload');
    daemon.kill('SIGHUP');
    await hears('reload', reloads + 1);
    const told = lines.filter((line) => line.event === 'reload').at(-1)!;
    assert.is(told.ok, false);
    assert.match(String(told.problems), /\/etc\/config\/mwan3: line \d+: this ' is not closed/);
    await goes(await flow(WAN, APP));
  });

  test.run();
});
