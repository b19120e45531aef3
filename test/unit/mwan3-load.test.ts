/** What mwan3's files mean, value by value, and every reason for which they are refused. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ConfigError } from '../../src/daemon/config/configError.ts';
import { networkText } from '../../src/daemon/config/networks.ts';
import { readNetwork, readPorts, readProtocol } from '../../src/daemon/mwan3/fits.ts';
import { loadMwan3 } from '../../src/daemon/mwan3/load.ts';
import { DEFAULT_SETTINGS } from '../../src/daemon/mwan3/settings.ts';

const CONFIG = '/etc/config/mwan3';
const SETTINGS = '/etc/config/resteer';
const MASK = '/var/run/mwan3/mmx_mask';

const minimal = `
config interface wan
  option enabled 1
  list track_ip 192.0.2.53
config member m
  option interface wan
config policy p
  list use_member m
config rule app
  option ipset app
  option use_policy p
`;

/** Loads from files in memory; one that is an Error cannot be read. */
function load(files: Readonly<Record<string, string | Error>>, isRunning = true) {
  return loadMwan3('/', {
    read: (path) => {
      const content = files[path];
      if (content instanceof Error) throw content;
      return content;
    },
    identify: () => (isRunning ? 'first' : undefined),
  });
}

function problemsOf(files: Readonly<Record<string, string | Error>>): string[] {
  try {
    load(files);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
}

/** The minimal configuration with these options in its rule. */
const withRule = (...lines: readonly string[]) => `${minimal}${lines.map((line) => `  ${line}\n`).join('')}`;
const ruleOf = (...lines: readonly string[]) => load({ [CONFIG]: withRule(...lines) }).plan.rules.at(-1)!;

test('without settings the defaults hold, and nothing is doubtful', () => {
  const { plan, settings, warnings } = load({ [CONFIG]: minimal });
  assert.equal(warnings, []);
  assert.equal(settings, DEFAULT_SETTINGS);
  assert.is(plan.markMask, 0x3f00);
  assert.equal(plan.interfaces, [
    { name: 'wan', id: 1, mark: 256, family: 'ipv4', stateFile: '/var/run/mwan3/iface_state/wan' },
  ]);
  assert.equal(plan.settle, {
    offlineMs: 2000,
    onlineMs: 30_000,
    workFolder: '/var/run/mwan3/iptables_log',
  });
  assert.is(plan.dryRun, false);
});

test('the exempt sets come first and are looked up by destination', () => {
  const { rules } = load({ [CONFIG]: minimal, [SETTINGS]: 'config resteer\n list exempt_set mine' }).plan;
  const exempt = rules.slice(0, -1);
  assert.equal(
    exempt.map(({ set, family }) => [set, family]),
    [
      ['mwan3_connected_ipv4', 'ipv4'],
      ['mwan3_custom_ipv4', 'ipv4'],
      ['mwan3_dynamic_ipv4', 'ipv4'],
      ['mwan3_connected_ipv6', 'ipv6'],
      ['mwan3_custom_ipv6', 'ipv6'],
      ['mwan3_dynamic_ipv6', 'ipv6'],
      ['mwan3_connected_v4', 'ipv4'],
      ['mwan3_custom_v4', 'ipv4'],
      ['mwan3_dynamic_v4', 'ipv4'],
      ['mwan3_connected_v6', 'ipv6'],
      ['mwan3_custom_v6', 'ipv6'],
      ['mwan3_dynamic_v6', 'ipv6'],
      ['mine', undefined],
    ],
  );
  for (const rule of exempt) {
    assert.is(rule.exempt, rule.set === 'mine' ? 'required' : 'optional');
    assert.equal(rule.match, ['dst']);
    assert.is(rule.watch, false);
  }
});

test("a rule's addresses, protocol and ports", () => {
  const rule = ruleOf(
    'option proto tcp',
    'list src_ip 192.168.1.77/24',
    "option dest_ip '203.0.113.0/255.255.255.0,198.51.100.7'",
    "option src_port '1024:65535'",
    "option dest_port '80,443,8000:8100'",
  );
  assert.is(rule.family, 'ipv4');
  assert.is(rule.protocol, 6);
  assert.equal(rule.sources.map(networkText), ['192.168.1.0/24']);
  assert.equal(rule.destinations.map(networkText), ['203.0.113.0/24', '198.51.100.7/32']);
  assert.equal(rule.sourcePorts, [{ from: 1024, to: 65535 }]);
  assert.equal(rule.destinationPorts, [
    { from: 80, to: 80 },
    { from: 443, to: 443 },
    { from: 8000, to: 8100 },
  ]);
  assert.equal(rule.members, [{ interface: 0, metric: 1 }]);
  assert.is(rule.policy, 'p');
  assert.is(rule.sticky, null);
});

test('ports count for tcp and udp in these very words, as in mwan3', () => {
  assert.equal(ruleOf('option proto udp', 'option dest_port 53').destinationPorts, [{ from: 53, to: 53 }]);
  for (const proto of ['TCP', '6', 'sctp', 'all'])
    assert.equal(ruleOf(`option proto ${proto}`, 'option dest_port 53').destinationPorts, [], proto);
});

test('an interface is enabled by every word that OpenWrt takes for yes', () => {
  const warnings = (word: string) =>
    load({ [CONFIG]: minimal.replace('option enabled 1', `option enabled ${word}`) }).warnings;
  for (const word of ['1', 'on', 'true', 'yes', 'enabled']) assert.equal(warnings(word), [], word);
  for (const word of ['0', 'off', 'false', 'no', 'disabled'])
    assert.match(warnings(word).join(), 'interface "wan" is not enabled: it is never online', word);
});

test('a rule says where its set is named', () => {
  assert.is(ruleOf().source, `${CONFIG}: line 10`);
  assert.is(load({ [CONFIG]: minimal.replace('option ipset app', '') }).plan.rules.at(-1)!.source, undefined);
});

test('a sticky rule names the sets of both versions', () => {
  assert.equal(ruleOf('option sticky 1').sticky, {
    ipv4: ['mwan3_rule_ipv4_app', 'mwan3_sticky_v4_app'],
    ipv6: ['mwan3_rule_ipv6_app', 'mwan3_sticky_v6_app'],
  });
  assert.is(ruleOf('option sticky 0').sticky, null);
  assert.is(ruleOf('option sticky 1', 'option use_policy default').sticky, null);
});

test('a rule for one LAN interface leaves its flows where they are', () => {
  const rule = ruleOf('option src_iface lan');
  assert.equal(rule.members, []);
  assert.is(rule.policy, 'p');
});

for (const policy of ['default', 'unreachable', 'blackhole']) {
  test(`policy ${policy} has no members`, () => {
    const rule = ruleOf(`option use_policy ${policy}`);
    assert.equal(rule.members, []);
    assert.is(rule.policy, policy);
  });
}

const networks: readonly [text: string, network: string | undefined][] = [
  ['192.0.2.7', '192.0.2.7/32'],
  ['192.0.2.7/24', '192.0.2.0/24'],
  ['192.0.2.7/0', '0.0.0.0/0'],
  ['192.0.2.7/255.255.0.0', '192.0.0.0/16'],
  ['192.0.2.7/255.255.255.255', '192.0.2.7/32'],
  ['192.0.2.7/0.0.0.0', '0.0.0.0/0'],
  ['2001:db8::7/32', '2001:db8::/32'],
  ['2001:db8::7/ffff:ffff::', '2001:db8::/32'],
  ['192.0.2.7/255.0.255.0', undefined],
  ['192.0.2.7/33', undefined],
  ['2001:db8::/129', undefined],
  ['192.0.2.7/ffff::', undefined],
  ['192.0.2.7/24/24', undefined],
  ['192.0.2.7/', undefined],
  ['!192.0.2.7', undefined],
  ['host.example', undefined],
  ['', undefined],
];
for (const [text, network] of networks) {
  test(`network ${JSON.stringify(text)}`, () => {
    const read = readNetwork(text);
    assert.is(read && networkText(read), network);
  });
}

const ports: readonly [text: string, from?: number, to?: number][] = [
  ['80', 80, 80],
  ['0', 0, 0],
  ['1000:2000', 1000, 2000],
  ['65535', 65535, 65535],
  ['65536'],
  ['2000:1000'],
  ['1000-2000'],
  ['http'],
  [':80'],
  [''],
];
for (const [text, from, to] of ports) {
  test(`ports ${JSON.stringify(text)}`, () =>
    assert.equal(readPorts(text), from === undefined ? undefined : { from, to }));
}

const protocols: readonly [text: string, protocol: number | null | undefined][] = [
  ['all', null],
  ['0', null],
  ['tcp', 6],
  ['UDP', 17],
  ['icmp', 1],
  ['ipv6-icmp', 58],
  ['icmpv6', 58],
  ['esp', 50],
  ['gre', 47],
  ['89', 89],
  ['256', undefined],
  ['tcp udp', undefined],
  ['quic', undefined],
  ['constructor', undefined],
  ['', undefined],
];
for (const [text, protocol] of protocols) {
  test(`protocol ${JSON.stringify(text)}`, () => assert.is(readProtocol(text), protocol));
}

test('the mask that mwan3 runs with comes before the one that it is configured with', () => {
  const config = `config globals globals\n option mmx_mask 0xff00\n${minimal}`;
  assert.is(load({ [CONFIG]: config }).plan.markMask, 0xff00);
  assert.is(load({ [CONFIG]: config, [MASK]: '0x7e00\n' }).plan.markMask, 0x7e00);
  const odd = load({ [CONFIG]: config, [MASK]: 'oops\n' });
  assert.is(odd.plan.markMask, 0xff00);
  assert.equal(odd.warnings, [`${MASK}: "oops" is no mask: passed over`]);
});

test('a stopped mwan3 and a plan without sets are told of', () => {
  assert.equal(load({ [CONFIG]: minimal }, false).warnings, [
    '/var/run/mwan3: missing: mwan3 is stopped, and nothing is reset until it runs',
  ]);
  assert.equal(load({ [CONFIG]: '' }).warnings, [`${CONFIG}: no rule uses an ipset: nothing is looked up`]);
});

const refused: readonly [
  what: string,
  files: Readonly<Record<string, string | Error>>,
  problems: string[],
][] = [
  ['a syntax error', { [CONFIG]: 'config rule\noption' }, [`${CONFIG}: line 2: insufficient arguments`]],
  [
    'a file that cannot be read',
    { [CONFIG]: new Error('EACCES: permission denied') },
    [`${CONFIG}: cannot be read: EACCES: permission denied`],
  ],
  [
    'no mwan3',
    {},
    [`${CONFIG}: no such file: install mwan3, or name the folder that holds its files with --root`],
  ],
  [
    'no mask',
    { [CONFIG]: 'config globals globals\n option mmx_mask 3F00' },
    [`${CONFIG}: line 2: mmx_mask "3F00" is no mask: hexadecimal such as 0x3F00`],
  ],
  [
    'a mask of two bits',
    { [CONFIG]: 'config globals globals\n option mmx_mask 0x300' },
    [`${CONFIG}: line 2: mask 0x300 has room for no interface: at least three bits`],
  ],
  [
    'a running mask of two bits',
    { [CONFIG]: minimal, [MASK]: '0x3' },
    [`${MASK}: mask 0x3 has room for no interface: at least three bits`],
  ],
  [
    'more rules than can be asked about at once',
    { [CONFIG]: `${minimal}${'config rule\n option use_policy p\n'.repeat(512)}` },
    [`${CONFIG}: 513 rules are too many: at most 512 in all`],
  ],
  [
    'a syntax error in the settings',
    { [CONFIG]: minimal, [SETTINGS]: '{' },
    [`${SETTINGS}: line 1: invalid command "{": config, option, list or package`],
  ],
  [
    'wrong settings, all of them',
    {
      [CONFIG]: minimal,
      [SETTINGS]: `config resteer
  option dry_run yes
  option settle 2
  option swep 5m
  list sweep 5m
  list recheck 2s
  list recheck 1s
  option pending_flows 0
  option resets_per_second none
  list exempt_destination 198.51.100.1/24
  option log_level loud
config main
config rule
config rule app
  option failback never
  option failovr reset
config rule web
  option failback preserve
  option failback_age 1m
`,
    },
    [
      `${SETTINGS}: line 2: dry_run: "yes" is not allowed: one of "0", "1"`,
      `${SETTINGS}: line 3: settle: "2" is not a duration: a whole number with ms, s, m or h, such as "500ms" or "5m"`,
      `${SETTINGS}: line 4: unknown option swep: one of "enabled", "dry_run", "log_level", "settle", "hold_down", "failback_age", "recheck", "sweep", "resets_per_second", "resets_per_client_per_second", "pending_flows", "cooldown", "exempt_destination", "exempt_source", "exempt_port", "exempt_set"; did you mean "sweep"?`,
      `${SETTINGS}: line 5: sweep is no list: write option sweep`,
      `${SETTINGS}: line 8: pending_flows: "0" is not allowed: a whole number from 1 to 16777216`,
      `${SETTINGS}: line 9: resets_per_second: "none" is not allowed: a whole number from 1 to 1000000`,
      `${SETTINGS}: line 10: exempt_destination: "198.51.100.1/24" has bits behind its prefix: "198.51.100.0/24"`,
      `${SETTINGS}: line 11: log_level: "loud" is not allowed: one of "debug", "info", "warn", "error"`,
      `${SETTINGS}: line 12: "main" is no type: one of "resteer", "rule"`,
      `${SETTINGS}: line 13: a rule without a name: name one of mwan3's`,
      `${SETTINGS}: line 15: failback: "never" is not allowed: one of "preserve", "reset"`,
      `${SETTINGS}: line 16: unknown option failovr: one of "failover", "failback", "failback_age"; did you mean "failover"?`,
      `${SETTINGS}: line 19: failback_age: failback preserve is for every age: leave one out`,
      `${SETTINGS}: recheck: each later than the one before it`,
    ],
  ],
];
for (const [what, files, problems] of refused) {
  test(`refused: ${what}`, () => assert.equal(problemsOf(files), problems));
}

test("what becomes of a rule's flows when an uplink goes or comes is said by its name", () => {
  const { plan, warnings } = load({
    [CONFIG]: minimal,
    [SETTINGS]: 'config rule app\n option failover preserve\n option failback reset\nconfig rule apps',
  });
  const { failover, failback } = plan.rules.at(-1)!;
  assert.equal([failover, failback], ['preserve', 'reset']);
  assert.equal(warnings, [
    `${SETTINGS}: line 4: rule "apps": ignored: mwan3 has no such rule; did you mean "app"?`,
  ]);
});

test('flows that are to stay at failback are told by their age: one for all rules, and for each', () => {
  const failbackOf = (settings?: string) =>
    load({ [CONFIG]: minimal, ...(settings && { [SETTINGS]: settings }) }).plan.rules.at(-1)!.failback;
  assert.equal(failbackOf(), { preserveFromMs: 300_000 });
  assert.equal(failbackOf('config resteer\n option failback_age 1h'), { preserveFromMs: 3_600_000 });
  assert.equal(
    failbackOf('config rule app\n option failback_age 10s\nconfig resteer\n option failback_age 1h'),
    {
      preserveFromMs: 10_000,
    },
  );
});

test('settings that are written as options may be lists of one', () => {
  const { settings } = load({
    [CONFIG]: minimal,
    [SETTINGS]: "config resteer main\n option recheck 3s\n option exempt_port '123'\n option enabled 0",
  });
  assert.equal(settings.recheckMs, [3000]);
  assert.equal(settings.exemptPorts, [{ ports: { from: 123, to: 123 } }]);
  assert.is(settings.enabled, false);
});

test.run();
