/** mwan3's sample configurations, each with the plan that `resteer check --mwan3 --json` makes of it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runCli } from '../support/captureIo.ts';

const folder = fileURLToPath(new URL('../fixtures/mwan3', import.meta.url));
const names = readdirSync(folder);

test('there are samples from the simplest to one of forty rules', () => {
  assert.ok(names.length >= 10);
  const forty = JSON.parse(readFileSync(join(folder, 'forty-rules', 'check.json'), 'utf8'));
  assert.is(forty.rules.length, 40);
});

for (const name of names) {
  const root = join(folder, name);
  test(`${name} as JSON`, async () => {
    const { exitCode, out, err } = await runCli(['check', '--mwan3', '--root', root, '--json']);
    assert.is(exitCode, 0, err);
    // the file names places below the root
    const expected = JSON.parse(readFileSync(join(root, 'check.json'), 'utf8'));
    assert.equal(JSON.parse(out.replaceAll(root, '')), expected);
  });

  test(`${name} in words`, async () => {
    const { exitCode, out, err } = await runCli(['check', '--mwan3', '--root', root]);
    assert.is(exitCode, 0, err);
    assert.match(out, 'Interfaces, told by the mark');
    assert.not.match(out, /undefined|null|NaN|\[object/);
  });
}

test('in words: rules without a set, without members, sticky, and exempt sets', async () => {
  const sticky = await runCli(['check', '--mwan3', '--root', join(folder, 'sticky-and-special')]);
  assert.match(
    sticky.out,
    `  1. bank: tcp flows to port 443 with dst in set bank
     belong on wanb (policy wanb_only); now ipv4: wanb; ipv6: none is online, so they stay where they are; sticky
  2. local_dns: udp flows to port 53
     stay where they are (policy default)
  3. blocked: flows with dst in set blocked
     stay where they are (policy blackhole)
  4. closed: ipv4 flows to 198.51.100.7/32
     stay where they are (policy unreachable)
`,
  );
  assert.match(
    sticky.out,
    '  to what is in set mwan3_connected_ipv4, mwan3_custom_ipv4, mwan3_dynamic_ipv4, ',
  );
  const settings = await runCli(['check', '--mwan3', '--root', join(folder, 'with-settings')]);
  assert.match(settings.out, 'mwan3_dynamic_v6, partners\n  to port udp/53\n');
  assert.match(settings.out, 'asked about again 1s, 10s after they began; at most 4096 wait.\n');
  assert.match(settings.out, 'Resets: any number a second, at most 5 of them for one client;');
  assert.match(settings.out, 'Dry run:');
});

test('mwan3 mode and a configuration file exclude each other', async () => {
  const both = await runCli(['check', '--mwan3', '--config', '/x.json']);
  assert.is(both.exitCode, 2);
  assert.match(both.err, "option '--mwan3' cannot be used with option '-c, --config <file>'");
  const rootAlone = await runCli(['check', '--root', folder]);
  assert.is(rootAlone.exitCode, 2);
  assert.match(rootAlone.err, /^resteer: --root: is for mwan3 mode only: add --mwan3\n$/);
});

test('a sweep is refused while mwan3 is stopped, before anything is asked of the kernel', async () => {
  const { exitCode, out, err } = await runCli(['sweep', '--mwan3', '--root', join(folder, 'stopped')]);
  assert.equal([exitCode, out], [1, '']);
  assert.is(err, 'resteer: mwan3: it is stopped: mwan3 start, or wait until it has started\n');
});

for (const command of [['sweep'], ['explain', '203.0.113.10']]) {
  test(`${command[0]}: a source that is wrong`, async () => {
    const both = await runCli([...command, '--mwan3', '--config', '/x.json']);
    assert.is(both.exitCode, 2);
    assert.match(both.err, "option '--mwan3' cannot be used with option '-c, --config <file>'");
    const without = await runCli([...command, '--mwan3', '--root', folder]);
    assert.is(without.exitCode, 2);
    assert.match(without.err, `resteer: ${folder}/etc/config/mwan3: no such file: install mwan3`);
  });
}

test('without mwan3 it says so', async () => {
  const { exitCode, err } = await runCli(['check', '--mwan3', '--root', folder]);
  assert.is(exitCode, 2);
  assert.match(err, `resteer: ${folder}/etc/config/mwan3: no such file: install mwan3`);
});

test.run();
