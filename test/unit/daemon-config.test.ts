/** The configuration file: what it means, and what is said of every way to get it wrong. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeConfig } from '../../src/daemon/config/config.ts';
import { ConfigError } from '../../src/daemon/config/configError.ts';

const FILE = '/etc/resteer.json';

/** The example of the documentation. */
const example = {
  markMask: '0x3f00',
  interfaces: {
    wan: { mark: '0x100' },
    wanb: { mark: '0x200', stateFile: '/var/run/mwan3/iface_state/wanb' },
  },
  rules: [
    { name: 'app1', set: 'app_1.v4', interfaces: ['wan'] },
    {
      name: 'voip',
      set: 'voip',
      match: ['dst', 'dport'],
      protocol: 'udp',
      interfaces: ['wanb', 'wan'],
      family: 'ipv4',
    },
  ],
  exempt: { destinations: ['198.51.100.0/24'], sources: [], ports: ['udp/53'] },
  recheck: ['500ms', '1s', '2s', '5s', '10s', '30s'],
  sweep: '5m',
  limits: { resetsPerSecond: 200, resetsPerClientPerSecond: 20, pendingFlows: 262144, cooldown: '60s' },
  dryRun: false,
};

const smallest = {
  markMask: 0x3f00,
  interfaces: { wan: { mark: 256 }, wanb: { mark: 512 } },
  rules: [{ set: 'app_1.v4', interfaces: ['wan'] }],
};

// biome-ignore lint/suspicious/noExplicitAny: the tests write into it what no type would allow
type Writable = any;

/** The problems of the smallest configuration after a change, sorted by nothing: in the order told. */
function problemsOf(change: (config: Writable) => void): readonly string[] {
  const config = structuredClone(smallest);
  change(config);
  return problemsIn(config);
}

function problemsIn(config: unknown): readonly string[] {
  try {
    decodeConfig(FILE, config);
  } catch (error) {
    assert.instance(error, ConfigError);
    return (error as ConfigError).problems;
  }
  return [];
}

test('the example is the plan that it says', () => {
  assert.equal(decodeConfig(FILE, example), {
    markMask: 0x3f00,
    interfaces: [
      { name: 'wan', id: null, mark: 0x100 },
      { name: 'wanb', id: null, mark: 0x200, stateFile: '/var/run/mwan3/iface_state/wanb' },
    ],
    rules: [
      {
        name: 'app1',
        set: 'app_1.v4',
        match: ['dst'],
        sourcePorts: [],
        destinationPorts: [],
        sources: [],
        destinations: [],
        members: [{ interface: 0, metric: 1 }],
        policy: null,
        sticky: null,
      },
      {
        name: 'voip',
        set: 'voip',
        match: ['dst', 'dport'],
        family: 'ipv4',
        protocol: 17,
        sourcePorts: [],
        destinationPorts: [],
        sources: [],
        destinations: [],
        members: [
          { interface: 1, metric: 1 },
          { interface: 0, metric: 1 },
        ],
        policy: null,
        sticky: null,
      },
    ],
    exempt: {
      destinations: [{ address: Uint8Array.of(198, 51, 100, 0), prefix: 24 }],
      sources: [],
      ports: [{ protocol: 17, ports: { from: 53, to: 53 } }],
    },
    recheckMs: [500, 1000, 2000, 5000, 10_000, 30_000],
    sweepMs: 300_000,
    limits: { resetsPerSecond: 200, resetsPerClientPerSecond: 20, pendingFlows: 262_144, cooldownMs: 60_000 },
    dryRun: false,
  });
});

test('there are at most 512 rules', () => {
  const rules = Array.from({ length: 513 }, () => ({ set: 'app_1.v4', interfaces: ['wan'] }));
  const config = { markMask: '0x3f00', interfaces: { wan: { mark: 256 } }, rules };
  assert.equal(problemsIn(config), ['rules: has 513 rules: at most 512']);
  assert.equal(problemsIn({ ...config, rules: rules.slice(1) }), []);
});

test('everything has its default but the mask, the interfaces and the rules', () => {
  const defaults = decodeConfig(FILE, smallest);
  const { exempt, recheckMs, sweepMs, limits, dryRun } = decodeConfig(FILE, example);
  assert.equal(defaults.exempt, { destinations: [], sources: [], ports: [] });
  assert.equal(
    {
      recheckMs: defaults.recheckMs,
      sweepMs: defaults.sweepMs,
      limits: defaults.limits,
      dryRun: defaults.dryRun,
    },
    { recheckMs, sweepMs, limits, dryRun },
  );
  assert.ok(exempt);
  assert.is(defaults.rules[0]!.name, 'app_1.v4');
  assert.equal(problemsIn({}), ['markMask: is missing', 'interfaces: is missing', 'rules: is missing']);
});

test('everything a rule and an interface may say', () => {
  const plan = decodeConfig(FILE, {
    ...smallest,
    interfaces: { wan: { mark: 256, family: 'ipv6' }, 'eth0.2': { mark: '0X3F00' } },
    rules: [
      {
        set: 'games',
        interfaces: ['eth0.2', { name: 'wan', metric: 7 }],
        match: ['dst', 'dport', 'src'],
        family: 'ipv6',
        protocol: 132,
        sources: ['2001:db8::/32', '2001:db8:1::1'],
        sourcePorts: ['1000-2000'],
        destinationPorts: [443, '8080'],
        watch: false,
      },
    ],
    limits: { resetsPerSecond: 'unlimited' },
    recheck: [],
    dryRun: true,
  });
  const [rule] = plan.rules;
  assert.equal(plan.interfaces, [
    { name: 'wan', id: null, mark: 256, family: 'ipv6' },
    { name: 'eth0.2', id: null, mark: 0x3f00 },
  ]);
  assert.equal(rule!.members, [
    { interface: 1, metric: 1 },
    { interface: 0, metric: 7 },
  ]);
  assert.equal(
    rule!.sources.map(({ prefix }) => prefix),
    [32, 128],
  );
  assert.equal(rule!.sourcePorts, [{ from: 1000, to: 2000 }]);
  assert.equal(rule!.destinationPorts, [
    { from: 443, to: 443 },
    { from: 8080, to: 8080 },
  ]);
  assert.is(rule!.protocol, 132);
  assert.is(rule!.watch, false);
  assert.is(plan.limits.resetsPerSecond, Number.POSITIVE_INFINITY);
  assert.equal(plan.recheckMs, []);
  assert.is(plan.dryRun, true);
});

test('all problems at once, each with its path', () => {
  const problems = problemsOf((config) => {
    config.rules[0].interfaces = ['wam'];
    config.rules[0].protocl = 'udp';
    config.rules[0].natch = ['dst'];
    config.rules.push({ interfaces: ['wan', 'wan'] }, 7);
    config.interfaces.wanb.mark = '0x100';
    config.sweep = 300;
    config.recheck = ['1s', 'soon', '1s', '500ms'];
    config.dryrun = true;
  });
  const keys = '"name", "set", "match", "family", "protocol", "sources", "sourcePorts", "destinationPorts"';
  const duration = 'is not a duration: a whole number with ms, s, m or h, such as "500ms" or "5m"';
  assert.equal(problems, [
    `rules[0].protocl: unknown key: one of ${keys}, "interfaces", "watch"; did you mean "protocol"?`,
    `rules[0].natch: unknown key: one of ${keys}, "interfaces", "watch"; did you mean "match"?`,
    'rules[1].set: is missing',
    'rules[2]: 7 is not an object: keys and values in { }',
    `recheck[1]: "soon" ${duration}`,
    `sweep: 300 ${duration}`,
    'dryrun: unknown key: one of "markMask", "interfaces", "rules", "exempt", "recheck", "sweep", "limits", ' +
      '"dryRun"; did you mean "dryRun"?',
    'interfaces.wanb.mark: "0x100" is already the mark of "wan": each interface has its own',
    'rules[0].interfaces[0]: "wam" is not an interface: one of "wan", "wanb"; did you mean "wan"?',
    'rules[1].interfaces[1]: "wan" stands here a second time',
    'recheck[3]: "500ms" is not later than the one before it: in rising order',
  ]);
  const error = new ConfigError(FILE, problems);
  assert.is(error.message.split('\n').length, problems.length);
  assert.ok(error.message.startsWith(`${FILE}: rules[0].protocl: unknown key`));
});

const mark = 'is not a mark: hexadecimal text such as "0x100", or a number such as 256';
const network = 'is not a network: an address such as "192.0.2.7", or "198.51.100.0/24", "2001:db8::/32"';
const port = 'is not a port: a number from 1 to 65535, or a range such as "1000-2000"';
const name = 'is not a name: text of 1 to 64 characters without spaces';
const protocols = '"icmp", "tcp", "udp", "dccp", "gre", "icmpv6", "sctp", "udplite", "all"';
const path = 'is not a path: text that begins with "/"';
const setName = "is not a set's name: text of 1 to 31 bytes";

const single: readonly [what: string, change: (config: Writable) => void, problem: string][] = [
  [
    'mask of no kind',
    (c) => {
      c.markMask = 'x';
    },
    `markMask: "x" ${mark}`,
  ],
  [
    'mask as decimal text',
    (c) => {
      c.markMask = '256';
    },
    `markMask: "256" ${mark}`,
  ],
  [
    'mask negative',
    (c) => {
      c.markMask = -1;
    },
    `markMask: -1 ${mark}`,
  ],
  [
    'mask fractional',
    (c) => {
      c.markMask = 0.5;
    },
    `markMask: 0.5 ${mark}`,
  ],
  [
    'mask null',
    (c) => {
      c.markMask = null;
    },
    `markMask: null ${mark}`,
  ],
  [
    'mask too wide',
    (c) => {
      c.markMask = '0x1ffffffff';
    },
    'markMask: "0x1ffffffff" has more than the 32 bits of a mark: at most "0xffffffff"',
  ],
  [
    'mark zero',
    (c) => {
      c.interfaces.wan.mark = 0;
    },
    'interfaces.wan.mark: 0 is the mark of unmarked flows: any other than 0',
  ],
  [
    'mark outside of the mask',
    (c) => {
      c.interfaces.wan.mark = '0x10000';
    },
    'interfaces.wan.mark: "0x10000" has bits outside of markMask 0x3f00: only bits within it',
  ],
  [
    'mark partly outside',
    (c) => {
      c.interfaces.wan.mark = 0x80000100;
    },
    'interfaces.wan.mark: 2147483904 has bits outside of markMask 0x3f00: only bits within it',
  ],
  [
    'no mark',
    (c) => {
      delete c.interfaces.wan.mark;
    },
    'interfaces.wan.mark: is missing',
  ],
  [
    'interface no object',
    (c) => {
      c.interfaces.wan = 256;
    },
    'interfaces.wan: 256 is not an object: keys and values in { }',
  ],
  [
    'interface unknown key',
    (c) => {
      c.interfaces.wan.stateFiel = '/x';
    },
    'interfaces.wan.stateFiel: unknown key: one of "mark", "family", "stateFile"; did you mean "stateFile"?',
  ],
  [
    'interface family',
    (c) => {
      c.interfaces.wan.family = 'inet6';
    },
    'interfaces.wan.family: "inet6" is not allowed: one of "ipv4", "ipv6"',
  ],
  [
    'state file relative',
    (c) => {
      c.interfaces.wan.stateFile = 'wan';
    },
    `interfaces.wan.stateFile: "wan" ${path}`,
  ],
  [
    'interface name with a space',
    (c) => {
      c.interfaces['w n'] = { mark: 768 };
    },
    `interfaces["w n"]: "w n" ${name}`,
  ],
  [
    'interface name of every object',
    (c) => {
      c.interfaces.constructor = { mark: 768 };
    },
    'interfaces.constructor: is no name for an interface',
  ],
  [
    'interfaces a list',
    (c) => {
      c.interfaces = 7;
    },
    'interfaces: 7 is not an object: names and values in { }',
  ],
  [
    'rules no list',
    (c) => {
      c.rules = { a: 1 };
    },
    'rules: {"a":1} is not a list: values in [ ]',
  ],
  [
    'no rule',
    (c) => {
      c.rules = [];
    },
    'rules: is empty: at least one rule',
  ],
  [
    'no interface in a rule',
    (c) => {
      c.rules[0].interfaces = [];
    },
    'rules[0].interfaces: is empty: at least one interface',
  ],
  [
    'interfaces of a rule as text',
    (c) => {
      c.rules[0].interfaces = 'wan';
    },
    'rules[0].interfaces: "wan" is not a list: values in [ ]',
  ],
  [
    'member unknown',
    (c) => {
      c.rules[0].interfaces = [{ name: 'lan', metric: 2 }];
    },
    'rules[0].interfaces[0].name: "lan" is not an interface: one of "wan", "wanb"; did you mean "wan"?',
  ],
  [
    'member far from any',
    (c) => {
      c.rules[0].interfaces = ['uplink'];
    },
    'rules[0].interfaces[0]: "uplink" is not an interface: one of "wan", "wanb"',
  ],
  [
    'member without name',
    (c) => {
      c.rules[0].interfaces = [{ metric: 2 }];
    },
    'rules[0].interfaces[0].name: is missing',
  ],
  [
    'member metric',
    (c) => {
      c.rules[0].interfaces = [{ name: 'wan', metric: 1.5 }];
    },
    'rules[0].interfaces[0].metric: 1.5 is not allowed: a whole number from 0 to 65535',
  ],
  [
    'member null',
    (c) => {
      c.rules[0].interfaces = [null];
    },
    `rules[0].interfaces[0]: null ${name}`,
  ],
  [
    'set empty',
    (c) => {
      c.rules[0].set = '';
    },
    `rules[0].set: "" ${setName}`,
  ],
  [
    'set number',
    (c) => {
      c.rules[0].set = 5;
    },
    `rules[0].set: 5 ${setName}`,
  ],
  [
    'set too long by a letter',
    (c) => {
      c.rules[0].set = 'a'.repeat(32);
    },
    `rules[0].set: "${'a'.repeat(32)}" is longer than a set's name may be: 32 bytes, at most 31`,
  ],
  [
    'set too long in bytes',
    (c) => {
      c.rules[0].set = 'ü'.repeat(16);
    },
    `rules[0].set: "${'ü'.repeat(16)}" is longer than a set's name may be: 32 bytes, at most 31`,
  ],
  [
    'set with a space',
    (c) => {
      c.rules[0].set = 'a b';
    },
    `rules[0].set: "a b" is not a set's name: no spaces or control characters`,
  ],
  [
    'match of no kind',
    (c) => {
      c.rules[0].match = ['dts'];
    },
    'rules[0].match[0]: "dts" is not allowed: one of "dst", "dport", "src", "sport"; did you mean "dst"?',
  ],
  [
    'match empty',
    (c) => {
      c.rules[0].match = [];
    },
    'rules[0].match: has 0 fields: 1 to 3, one a dimension of the set',
  ],
  [
    'match too long',
    (c) => {
      c.rules[0].match = ['dst', 'dst', 'dst', 'dst'];
    },
    'rules[0].match: has 4 fields: 1 to 3, one a dimension of the set',
  ],
  [
    'protocol unknown',
    (c) => {
      c.rules[0].protocol = 'TCP';
    },
    `rules[0].protocol: "TCP" is not a protocol: one of ${protocols}, or a number from 0 to 255; did you mean "tcp"?`,
  ],
  [
    'protocol too large',
    (c) => {
      c.rules[0].protocol = 256;
    },
    `rules[0].protocol: 256 is not a protocol: one of ${protocols}, or a number from 0 to 255`,
  ],
  [
    'ports of a protocol without',
    (c) => {
      c.rules[0].protocol = 'icmp';
      c.rules[0].destinationPorts = [8];
    },
    'rules[0].destinationPorts: protocol "icmp" has no ports: take them away, or name another protocol',
  ],
  [
    'port zero',
    (c) => {
      c.rules[0].sourcePorts = [0];
    },
    'rules[0].sourcePorts[0]: 0 is out of range: ports are numbers from 1 to 65535',
  ],
  [
    'port too large',
    (c) => {
      c.rules[0].sourcePorts = ['1-65536'];
    },
    'rules[0].sourcePorts[0]: "1-65536" is out of range: ports are numbers from 1 to 65535',
  ],
  [
    'port with a protocol',
    (c) => {
      c.rules[0].destinationPorts = ['udp/53'];
    },
    `rules[0].destinationPorts[0]: "udp/53" ${port}`,
  ],
  [
    'port range turned round',
    (c) => {
      c.rules[0].destinationPorts = ['2000-1000'];
    },
    'rules[0].destinationPorts[0]: "2000-1000" ends before it begins: "1000-2000"',
  ],
  [
    'port fractional',
    (c) => {
      c.rules[0].destinationPorts = [1.5];
    },
    `rules[0].destinationPorts[0]: 1.5 ${port}`,
  ],
  [
    'source with host bits',
    (c) => {
      c.rules[0].sources = ['192.168.1.7/24'];
    },
    'rules[0].sources[0]: "192.168.1.7/24" has bits behind its prefix: "192.168.1.0/24"',
  ],
  [
    'source IPv6 with host bits',
    (c) => {
      c.rules[0].sources = ['2001:db8::1/127'];
    },
    'rules[0].sources[0]: "2001:db8::1/127" has bits behind its prefix: "2001:db8::/127"',
  ],
  [
    'prefix too long',
    (c) => {
      c.rules[0].sources = ['192.168.1.0/33'];
    },
    'rules[0].sources[0]: "192.168.1.0/33" has too long a prefix: 0 to 32',
  ],
  [
    'network of no kind',
    (c) => {
      c.rules[0].sources = ['lan'];
    },
    `rules[0].sources[0]: "lan" ${network}`,
  ],
  [
    'network a number',
    (c) => {
      c.rules[0].sources = [10];
    },
    `rules[0].sources[0]: 10 ${network}`,
  ],
  [
    'network with a netmask',
    (c) => {
      c.rules[0].sources = ['10.0.0.0/255.0.0.0'];
    },
    `rules[0].sources[0]: "10.0.0.0/255.0.0.0" ${network}`,
  ],
  [
    'watch',
    (c) => {
      c.rules[0].watch = 'yes';
    },
    'rules[0].watch: "yes" is not allowed: true or false',
  ],
  [
    'exempt unknown key',
    (c) => {
      c.exempt = { dests: [] };
    },
    'exempt.dests: unknown key: one of "destinations", "sources", "ports"',
  ],
  [
    'exempt port protocol',
    (c) => {
      c.exempt = { ports: ['icmp/8'] };
    },
    'exempt.ports[0]: "icmp/8" names no protocol with ports: one of "tcp", "udp", "dccp", "sctp", "udplite"',
  ],
  [
    'exempt port',
    (c) => {
      c.exempt = { ports: ['udp/'] };
    },
    `exempt.ports[0]: "udp/" ${port}`,
  ],
  [
    'duration with two units',
    (c) => {
      c.sweep = '1m30s';
    },
    'sweep: "1m30s" is not a duration: a whole number with ms, s, m or h, such as "500ms" or "5m"',
  ],
  [
    'duration too short',
    (c) => {
      c.sweep = '0s';
    },
    'sweep: "0s" is out of range: a duration from "1s" to "24h"',
  ],
  [
    'duration too long',
    (c) => {
      c.sweep = '999999999h';
    },
    'sweep: "999999999h" is out of range: a duration from "1s" to "24h"',
  ],
  [
    'cool-down',
    (c) => {
      c.limits = { cooldown: '2h' };
    },
    'limits.cooldown: "2h" is out of range: a duration from "1s" to "1h"',
  ],
  [
    'recheck zero',
    (c) => {
      c.recheck = ['0ms'];
    },
    'recheck[0]: "0ms" is out of range: a duration from "1ms" to "1h"',
  ],
  [
    'recheck twice the same',
    (c) => {
      c.recheck = ['1s', '1000ms'];
    },
    'recheck[1]: "1000ms" is not later than the one before it: in rising order',
  ],
  [
    'budget zero',
    (c) => {
      c.limits = { resetsPerSecond: 0 };
    },
    'limits.resetsPerSecond: 0 is not allowed: a whole number from 1 to 1000000, or "unlimited"',
  ],
  [
    'pending flows',
    (c) => {
      c.limits = { pendingFlows: 1e9 };
    },
    'limits.pendingFlows: 1000000000 is not allowed: a whole number from 1 to 16777216',
  ],
  [
    'limits unknown key',
    (c) => {
      c.limits = { resetPerSecond: 1 };
    },
    'limits.resetPerSecond: unknown key: one of "resetsPerSecond", "resetsPerClientPerSecond", "pendingFlows", "cooldown"; did you mean "resetsPerSecond"?',
  ],
  [
    'dry run',
    (c) => {
      c.dryRun = 1;
    },
    'dryRun: 1 is not allowed: true or false',
  ],
  [
    'key of every object',
    (c) => {
      Object.defineProperty(c, '__proto__', { value: 1, enumerable: true });
    },
    'unknown key',
  ],
];

for (const [what, change, problem] of single) {
  test(`one problem: ${what}`, () => {
    const config = structuredClone(smallest);
    change(config);
    const problems = problemsIn(config);
    assert.is(problems.length, 1, problems.join('\n'));
    if (problem === 'unknown key') assert.match(problems[0]!, /^__proto__: unknown key: one of /);
    else assert.is(problems[0], problem);
  });
}

test('a file that is no object', () => {
  for (const value of [null, 7, 'x', true, []]) {
    assert.equal(problemsIn(value), [
      `the file: ${JSON.stringify(value)} is not an object: keys and values in { }`,
    ]);
  }
});

test('a faulty interface is still one that rules may name', () => {
  const problems = problemsOf((config) => {
    config.interfaces.wan = { mark: 'x' };
  });
  assert.is(problems.length, 1);
});

test('a long value is shortened', () => {
  const [problem] = problemsOf((config) => {
    config.sweep = 'x'.repeat(1000);
  });
  assert.ok(problem!.length < 200, problem);
});

test.run();
