/** `resteer check`: the plan in words and as JSON, and every problem of a wrong configuration. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runCli } from '../support/captureIo.ts';

const folder = mkdtempSync(join(tmpdir(), 'resteer-check-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

function fileOf(name: string, content: unknown): string {
  const file = join(folder, name);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

const stateFile = fileOf('wanb.state', 'offline\n');
const config = {
  markMask: '0x3f00',
  interfaces: {
    wan: { mark: '0x100', family: 'ipv4' },
    wanb: { mark: '0x200', stateFile },
    lte: { mark: '0x300' },
  },
  rules: [
    { name: 'app1', set: 'app_1.v4', interfaces: ['wan'], family: 'ipv4' },
    {
      name: 'voip',
      set: 'voip',
      match: ['dst', 'dport'],
      protocol: 'udp',
      interfaces: ['wanb', { name: 'wan', metric: 2 }, { name: 'lte', metric: 2 }],
      sources: ['192.168.1.0/24'],
      destinationPorts: ['5000-5010', 5060],
    },
    { name: 'esp', set: 'peers', protocol: 50, interfaces: ['wanb'], family: 'ipv6' },
  ],
  exempt: { destinations: ['198.51.100.0/24'], sources: ['192.168.9.0/24'], ports: ['udp/53', 123] },
  limits: { resetsPerSecond: 'unlimited' },
  dryRun: true,
};

test('as JSON', async () => {
  const { exitCode, out, err } = await runCli(['check', '--json', '--config', fileOf('good.json', config)]);
  assert.is(exitCode, 0, err);
  assert.is(out.split('\n').length, 2, 'one line');
  assert.equal(JSON.parse(out), {
    markMask: 16128,
    interfaces: [
      { name: 'wan', id: null, mark: 256, family: 'ipv4', online: true },
      { name: 'wanb', id: null, mark: 512, family: 'any', online: false },
      { name: 'lte', id: null, mark: 768, family: 'any', online: true },
    ],
    rules: [
      {
        name: 'app1',
        set: 'app_1.v4',
        families: ['ipv4'],
        match: ['dst'],
        protocol: null,
        policy: null,
        interfaces: ['wan'],
        expected: { ipv4: ['wan'], ipv6: [] },
        sticky: false,
      },
      {
        name: 'voip',
        set: 'voip',
        families: ['ipv4', 'ipv6'],
        match: ['dst', 'dport'],
        protocol: 'udp',
        policy: null,
        interfaces: ['wanb', 'wan', 'lte'],
        expected: { ipv4: ['wan', 'lte'], ipv6: ['lte'] },
        sticky: false,
      },
      {
        name: 'esp',
        set: 'peers',
        families: ['ipv6'],
        match: ['dst'],
        protocol: 50,
        policy: null,
        interfaces: ['wanb'],
        expected: { ipv4: [], ipv6: [] },
        sticky: false,
      },
    ],
    warnings: [],
  });
});

test('in words', async () => {
  const { exitCode, out, err } = await runCli(['check', '-c', fileOf('good.json', config)]);
  assert.is(exitCode, 0, err);
  const expected = `Interfaces, told by the mark's bits 0x3f00:
  wan   0x100       online   ipv4
  wanb  0x200       offline  both families  (${stateFile})
  lte   0x300       online   both families

Rules; the first whose set holds a flow decides:
  1. app1: ipv4 flows with dst in set app_1.v4
     belong on wan; now wan
  2. voip: udp flows from 192.168.1.0/24 to port 5000-5010, 5060 with dst,dport in set voip
     belong on wanb (metric 1) or wan (metric 2) or lte (metric 2); now ipv4: wan or lte; ipv6: lte
  3. esp: ipv6 protocol 50 flows with dst in set peers
     belong on wanb; now none is online, so they stay where they are

Left alone, beside flows to networks on a link of this machine:
  to 198.51.100.0/24
  from 192.168.9.0/24
  to port udp/53, 123

Flows in no set are asked about again 500ms, 1s, 2s, 5s, 10s, 30s after they began; at most 262144 wait.
The whole table is looked through every 5m.
Resets: any number a second, at most 20 of them for one client; a flow that returns rests for 1m, doubling up to 1h.
Dry run: misplaced flows are reported and left alone.
`;
  assert.is(out, expected);
});

test('what is allowed and hardly meant is warned of', async () => {
  const broken = fileOf('broken.state', 'maybe');
  const odd = {
    markMask: 0xff00,
    interfaces: { wan: { mark: 0x100, family: 'ipv4' }, wanb: { mark: 0x200, stateFile: broken } },
    rules: [
      { name: 'a', set: 'a', interfaces: ['wan'], family: 'ipv6' },
      { name: 'a', set: 'b', interfaces: ['wanb'], family: 'ipv6', sources: ['192.168.1.0/24'] },
      { name: 'c', set: 'c', interfaces: ['wanb'], match: ['dst', 'dport'], protocol: 'gre' },
      { name: 'd', set: 'd', interfaces: ['wanb'], match: ['dst', 'dport'], protocol: 'icmp' },
      { name: 'e', set: 'e', interfaces: ['wanb'], match: ['src', 'sport'], protocol: 'dccp' },
    ],
    recheck: [],
  };
  const file = fileOf('odd.json', odd);
  const { exitCode, out } = await runCli(['check', '--json', '--config', file]);
  assert.is(exitCode, 0);
  const { warnings, interfaces } = JSON.parse(out);
  assert.equal(warnings, [
    'rule a: none of its interfaces carries ipv6: it can never apply',
    'rule a: another rule has the same name: logs cannot tell them apart',
    'rule a: none of its sources is ipv6: it can never apply',
    'rule c: sets hold no ports of protocol gre: it can never apply',
    'rule e: sets hold no ports of protocol dccp: it can never apply',
    `interface wanb: ${broken}: says "maybe", neither "online" nor "offline": taken as offline`,
  ]);
  assert.is(interfaces[1].online, false);
  const words = await runCli(['check', '--config', file]);
  for (const warning of warnings) assert.ok(words.out.includes(`\nWarning: ${warning}\n`), warning);
  assert.match(words.out, 'Flows in no set are asked about once.');
});

test('every problem is a line of its own, and the exit code says configuration', async () => {
  const file = fileOf('bad.json', {
    ...config,
    rules: [{ name: 'x', set: 'x', interfaces: ['wam'] }],
    swep: '5m',
  });
  const { exitCode, out, err } = await runCli(['check', '--config', file]);
  assert.is(exitCode, 2);
  assert.is(out, '');
  assert.equal(err.trimEnd().split('\n'), [
    `resteer: ${file}: swep: unknown key: one of "markMask", "interfaces", "rules", "exempt", "recheck", ` +
      '"sweep", "limits", "dryRun"; did you mean "sweep"?',
    `resteer: ${file}: rules[0].interfaces[0]: "wam" is not an interface: one of "wan", "wanb", "lte"; ` +
      'did you mean "wan"?',
  ]);
});

test('a file that is missing or no JSON', async () => {
  const missing = join(folder, 'none.json');
  const none = await runCli(['check', '--config', missing]);
  assert.is(none.exitCode, 2);
  assert.is(none.err, `resteer: ${missing}: no such file: write one, or name another with --config\n`);
  const broken = fileOf('syntax.json', '{\n  "markMask": 0x3f00\n}');
  const syntax = await runCli(['check', '--json', '--config', broken]);
  assert.is(syntax.exitCode, 2);
  assert.is(
    syntax.err,
    `resteer: ${broken}: line 2, column 15: JSON has no hexadecimal numbers: put it into double quotes\n`,
  );
});

test('help has examples', async () => {
  const { exitCode, out } = await runCli(['check', '--help']);
  assert.is(exitCode, 0);
  assert.match(out, 'resteer check --json');
});

test.run();
