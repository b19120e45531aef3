// run: timeout=400
/** `explain`, `sweep` and `status` beside a daemon and without one, on the real kernel. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Lab } from '../../src/lab/index.ts';
import {
  addresses,
  appSet,
  configWith,
  families,
  requireLab,
  withDaemon,
  withLab,
} from '../support/daemonLab.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

requireLab(import.meta.url);

const folder = temporaryFolder();
let files = 0;

function configFile(more: Readonly<Record<string, unknown>> = {}): string {
  const file = join(folder, `${++files}.json`);
  writeFileSync(file, JSON.stringify(configWith(more)));
  return file;
}

/** One flow on the wrong WAN of each family, one that is right, and one in no set. */
async function startFlows(lab: Lab) {
  const [misplaced, placed, unknown] = addresses.ipv4;
  await lab.addToSet(appSet.ipv4, placed);
  const flows = {
    misplaced: await lab.client(1).tcp({ address: misplaced }),
    ipv6: await lab.client(1).udp({ address: addresses.ipv6[0] }),
    placed: await lab.client(1).tcp({ address: placed }),
    unknown: await lab.client(2).tcp({ address: unknown }),
  };
  for (const flow of Object.values(flows)) await flow.send();
  for (const family of families) await lab.addToSet(appSet[family], addresses[family][0]);
  return flows;
}

test(
  'sweep: a dry run says what it would do, a real one does it, the next finds nothing',
  withLab({}, async ({ lab, resteer }) => {
    const flows = await startFlows(lab);
    const config = ['--config', configFile()];
    const wans = async () =>
      Promise.all(Object.values(flows).map(async (flow) => (await flow.send('x', { timeoutMs: 5000 })).wan));
    assert.equal(await wans(), [1, 1, 2, 1]);

    const dry = await resteer('sweep', '--dry-run', '--json', ...config);
    assert.is(dry.exitCode, 0, dry.err);
    const { flows: read, misplaced, verdicts, resets, actions } = JSON.parse(dry.out);
    assert.ok(read >= 3);
    assert.is(misplaced, 2);
    assert.equal([verdicts.misplaced, verdicts.unclassified], [2, 1]);
    assert.equal([resets['dry-run'], resets.deleted], [2, 0]);
    assert.equal(
      actions.map((each: { event: string; rule: string }) => `${each.event} ${each.rule}`).sort(),
      ['reset app1', 'reset app1v6'],
    );
    assert.equal(await wans(), [1, 1, 2, 1]);

    const real = await resteer('sweep', ...config);
    assert.is(real.exitCode, 0, real.err);
    assert.match(
      real.out,
      /^reset tcp 192\.168\.50\.2:\d+ -> 203\.0\.113\.10:443 \(rule app1, set app_1\.v4: on wan, expected wanb\): deleted$/m,
    );
    assert.match(real.out, /^\d+ flows read in \d+ ms: .*\b2 misplaced/m);
    assert.match(real.out, /^resets: 2 deleted$/m);
    await flows.misplaced.sendUntil(({ wan }) => wan === 2);
    assert.equal(await wans(), [2, 2, 2, 1]);

    const again = await resteer('sweep', ...config);
    assert.is(again.exitCode, 0);
    assert.not.match(again.out, /misplaced|^reset/m);
  }),
);

test(
  'sweep: what the budget holds back is reset a moment later, and counted once',
  withLab({}, async ({ lab, resteer }) => {
    const address = addresses.ipv4[0];
    const many = await Promise.all(Array.from({ length: 12 }, () => lab.client(1).udp({ address })));
    for (const flow of many) assert.is((await flow.send()).wan, 1);
    await lab.addToSet(appSet.ipv4, address);
    const config = configFile({ limits: { resetsPerSecond: 5, resetsPerClientPerSecond: 5 } });
    const { exitCode, out } = await resteer('sweep', '--json', '--config', config);
    assert.is(exitCode, 0);
    const { misplaced, verdicts, resets, actions } = JSON.parse(out);
    assert.equal([misplaced, verdicts.misplaced, resets.deleted, actions.length], [12, 12, 12, 12]);
    for (const flow of many) assert.is((await flow.send()).wan, 2);
  }),
);

test(
  'a missing set is said once, and is no failure',
  withLab({ sets: [], rules: [] }, async ({ resteer }) => {
    const { exitCode, out } = await resteer('sweep', '--config', configFile());
    assert.is(exitCode, 0);
    assert.match(out, /^rule app1: there is no set app_1\.v4: /m);
    assert.is(out.split('there is no set app_1.v4').length, 2);
  }),
);

test(
  'explain without a daemon: flows of the table, each step of theirs',
  withLab({}, async ({ lab, resteer }) => {
    await startFlows(lab);
    const config = configFile({ exempt: { destinations: [`${addresses.ipv4[1]}/32`] } });
    const explain = async (...args: string[]) => {
      const ran = await resteer('explain', ...args, '--config', config, '--json');
      assert.is(ran.exitCode, 0, ran.err);
      return JSON.parse(ran.out);
    };

    const misplaced = await explain(addresses.ipv4[0]);
    assert.is(misplaced.daemon, null);
    assert.is(misplaced.flows.length, 1);
    const [flow] = misplaced.flows;
    assert.equal(
      [flow.inTable, flow.interface, flow.verdict, flow.decidedBy, flow.expected, flow.action],
      [true, 'wan', 'misplaced', 'app1', ['wanb'], 'reset'],
    );
    assert.match(flow.effect, /^the client gets a TCP reset/);
    assert.equal(flow.obstacles, []);
    const [rule, otherFamily] = flow.rules;
    assert.equal(
      [rule.set, rule.setType, rule.asked, rule.answer, rule.matters, rule.decides],
      ['app_1.v4', 'hash:ip', addresses.ipv4[0], 'in', true, true],
    );
    assert.equal([otherFamily.unfit, otherFamily.asked], ['another address family', null]);

    const ipv6 = await explain(addresses.ipv6[0]);
    assert.equal([ipv6.flows.length, ipv6.flows[0].verdict], [1, 'misplaced']);
    const exempt = await explain(addresses.ipv4[1]);
    assert.equal(
      [exempt.flows[0].verdict, exempt.flows[0].reason, exempt.flows[0].network],
      ['ignored', 'exempt-destination', '203.0.113.11/32'],
    );
    const unknown = await explain(addresses.ipv4[2], '--source', '192.168.50.3', '--protocol', 'tcp');
    assert.equal([unknown.flows[0].verdict, unknown.flows[0].action], ['unclassified', 'recheck']);
    const connected = await explain('192.168.50.3', '-i', 'wan');
    assert.equal([connected.flows[0].reason, connected.flows[0].network], ['connected', '192.168.50.0/24']);
    const none = await explain(addresses.ipv4[0], '--dport', '80');
    assert.equal(
      none.flows.map((each: { inTable: boolean; verdict: string }) => [each.inTable, each.verdict]),
      [
        [false, 'misplaced'],
        [false, 'placed'],
      ],
    );
    assert.equal(none.assumed, ['source 0.0.0.0', 'protocol tcp', 'source port 50000']);
  }),
);

test(
  'explain lists ten flows at most, and says that there are more',
  withLab({}, async ({ lab, resteer }) => {
    const address = addresses.ipv4[0];
    const flows = await Promise.all(Array.from({ length: 12 }, () => lab.client(1).udp({ address })));
    for (const flow of flows) await flow.send();
    const { out } = await resteer('explain', address, '--json', '--config', configFile());
    const { flows: explained, hasMore } = JSON.parse(out);
    assert.equal([explained.length, hasMore], [10, true]);
    const one = await resteer(
      'explain',
      address,
      '--sport',
      String(flows[3]!.localPort),
      '--json',
      '-c',
      configFile(),
    );
    const { flows: only, hasMore: none } = JSON.parse(one.out);
    assert.equal([only.length, only[0].flow.sourcePort, none], [1, flows[3]!.localPort, false]);
  }),
);

test(
  'explain by the daemon tells what the daemon remembers; wrong queries are answered',
  withDaemon({}, async ({ lab, daemon, resteer }) => {
    const control = ['--control', daemon.controlPath];
    const address = addresses.ipv4[0];
    // the firewall sends everything to wan, whatever the sets say
    await lab.router.exec('iptables', ['-t', 'mangle', '-F', 'mwan3_rules']);
    await lab.router.exec('iptables', ['-t', 'mangle', '-A', 'mwan3_rules', '-j', 'mwan3_default']);
    const flow = await lab.client(1).udp({ address });
    await flow.send();
    await lab.addToSet(appSet.ipv4, address);
    await daemon.event('reset', ({ outcome }) => outcome === 'deleted');
    // a packet within milliseconds of the reset proves nothing yet: the client goes on
    const returned = daemon.event('returned');
    let isBack = false;
    returned.then(() => {
      isBack = true;
    });
    await flow.sendUntil(() => isBack, { withinMs: 15_000 });
    await returned;
    const { out } = await resteer('explain', address, ...control);
    assert.match(out, /^Asked the running daemon \(running\)\.$/m);
    assert.match(out, /^ {2}but +it came back after its last reset and rests for \d+ s$/m);
    const wrong: [string[], number, RegExp][] = [
      [['203.0.113'], 2, /destination: "203\.0\.113" is not an address/],
      [[address, '--source', '::1'], 2, /source: is of another address family/],
      [[address, '--dport', '99999'], 2, /destinationPort: 99999 is not a port/],
      [[address, '--protocol', 'tpc'], 2, /protocol: "tpc" is not a protocol: .*did you mean "tcp"/],
      [[address, '-i', 'wan', '-m', '0x100'], 2, /cannot be used with option '-i, --interface <name>'/],
      [[address, '-i', 'wam'], 1, /interface: "wam" is no interface .*did you mean "wan"/],
    ];
    for (const [args, exitCode, text] of wrong) {
      const ran = await resteer('explain', ...args, ...control);
      assert.is(ran.exitCode, exitCode, args.join(' '));
      assert.match(ran.err, text);
      assert.is(ran.out, '');
    }
  }),
);

test(
  'status: the same numbers in words and as JSON',
  withDaemon({}, async ({ lab, daemon, resteer }) => {
    const address = addresses.ipv4[0];
    const flow = await lab.client(1).tcp({ address });
    await flow.send();
    await lab.addToSet(appSet.ipv4, address);
    await daemon.event('reset');
    await flow.sendUntil(({ wan }) => wan === 2);
    await daemon.event('moved');
    const json = await resteer('status', '--json', '--control', daemon.controlPath);
    const status = JSON.parse(json.out);
    assert.equal([status.state, status.resets.deleted, status.moved, status.returned], ['running', 1, 1, 0]);
    assert.ok(['ffi', 'handle'].includes(status.transport));
    assert.equal(
      status.rules.map((rule: { name: string; setState: string }) => [rule.name, rule.setState]),
      [
        ['app1', 'usable'],
        ['app1v6', 'usable'],
      ],
    );
    const { out } = await resteer('status', '--control', daemon.controlPath);
    assert.match(out, /^state +running$/m);
    assert.match(out, /^ {2}came back +1 on the right interface, 0 on a wrong one$/m);
    assert.match(out, /^ {2}wanb +mark 0x200, online$/m);
    assert.match(out, /^ {2}app1 +set app_1\.v4: ipv4 on wanb$/m);
  }),
);

test(
  'without the privileges it is said which, exit code 3',
  withLab({}, async ({ lab }) => {
    const file = configFile();
    const node = [
      process.execPath,
      ...process.execArgv,
      new URL('../../src/cli/main.ts', import.meta.url).pathname,
    ];
    for (const command of [
      ['sweep'],
      ['explain', addresses.ipv4[0]],
      ['run', '--control', join(folder, 'c')],
    ]) {
      const args = ['--bounding-set', '-net_admin', '--', ...node, ...command, '--config', file];
      const ran = await lab.router.exec('sh', ['-c', '"$@"; echo "exit $?"', 'sh', 'setpriv', ...args]);
      assert.match(ran.stdout, /^exit 3$/m, command.join(' '));
      assert.match(ran.stderr, /^resteer: .*CAP_NET_ADMIN/m, command.join(' '));
    }
  }),
);

test.run();
