/** Each verdict and each reason that `explain` can give, over facts that a test makes up. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { IPS } from '../../src/ctnetlink/constants.ts';
import { protocolName } from '../../src/ctnetlink/protocol.ts';
import { ANSWER } from '../../src/daemon/decide.ts';
import { type ExplainFacts, explainFlow, type FlowFacts } from '../../src/daemon/explain/explain.ts';
import type { Explanation } from '../../src/daemon/explain/gather.ts';
import { decodeExplainQuery } from '../../src/daemon/explain/query.ts';
import { explanationText } from '../../src/daemon/explain/text.ts';
import type { Plan, PlanRule } from '../../src/daemon/plan.ts';
import type { SetState } from '../../src/daemon/ruleSets.ts';
import { makeStanding } from '../../src/daemon/standing.ts';
import { formatAddress } from '../../src/nfnetlink/address.ts';
import { flow, network, plan, rule, uplink } from '../support/plans.ts';

const { HIT, MISS, UNKNOWN } = ANSWER;
const interfaces = [uplink('wan', { mark: 0x100 }), uplink('wanb', { mark: 0x200 })];
const usable = { kind: 'usable', shape: { type: { name: 'hash:ip' } } } as unknown as SetState;
const CONFIRMED = IPS.CONFIRMED | IPS.SRC_NAT;

interface Given {
  readonly rules?: readonly PlanRule[];
  readonly plan?: Partial<Plan>;
  readonly answers?: readonly (number | undefined)[];
  readonly sets?: readonly SetState[];
  readonly online?: readonly boolean[];
  readonly mark?: number;
  readonly destination?: string;
  readonly source?: string;
  readonly flow?: Parameters<typeof flow>[2];
  readonly status?: number | undefined;
  readonly restMs?: number;
  readonly around?: Partial<ExplainFacts>;
}

function explained(given: Given = {}) {
  const rules = given.rules ?? [rule([1], { name: 'app' })];
  const on = { interface: given.mark === 0x200 ? 1 : 0 };
  const facts = flow(given.source ?? '192.168.1.7', given.destination ?? '203.0.113.10', {
    ...on,
    ...given.flow,
  });
  const addressAt = (at: number) =>
    formatAddress(facts.bytes.subarray(at, at + (facts.family === 10 ? 16 : 4)));
  const subject: FlowFacts = {
    facts,
    flow: {
      family: facts.family === 10 ? 'ipv6' : 'ipv4',
      protocol: protocolName(facts.protocol),
      source: addressAt(facts.sourceAt),
      destination: addressAt(facts.destinationAt),
      sourcePort: facts.sourcePort,
      destinationPort: facts.destinationPort,
      mark: given.mark ?? 0x100,
      id: 7,
    },
    status: 'status' in given ? given.status : CONFIRMED,
    answers: given.answers ?? [HIT],
    restMs: given.restMs ?? 0,
  };
  return explainFlow(subject, {
    standing: makeStanding({ ...plan(interfaces, rules), ...given.plan }, given.online ?? [true, true]),
    sets: given.sets ?? rules.map(() => usable),
    connected: [network('192.168.1.0/24'), network('2001:db8:1::/64')],
    daemon: null,
    tcpLoose: 1,
    ...given.around,
  });
}

const verdicts: readonly [what: string, given: Given, expected: Record<string, unknown>][] = [
  [
    'misplaced',
    {},
    {
      verdict: 'misplaced',
      decidedBy: 'app',
      expected: ['wanb'],
      action: 'reset',
      interface: 'wan',
      obstacles: [],
    },
  ],
  ['misplaced, IPv6', { source: '2001:db8:1::7', destination: '2001:db8:2::10' }, { verdict: 'misplaced' }],
  ['misplaced, foreign bits in the mark', { mark: 0xff0001ff }, { verdict: 'misplaced', interface: 'wan' }],
  ['placed, nothing to ask', { mark: 0x200 }, { verdict: 'placed', decidedBy: null, action: 'none' }],
  [
    'placed by a rule in front',
    { rules: [rule([0], { name: 'first' }), rule([1])], answers: [HIT, HIT] },
    { verdict: 'placed', decidedBy: 'first', expected: ['wan'], action: 'none' },
  ],
  ['unclassified', { answers: [MISS] }, { verdict: 'unclassified', decidedBy: null, action: 'recheck' }],
  ['unclassified without rechecks', { answers: [MISS], plan: { recheckMs: [] } }, { action: 'none' }],
  ['no answer', { answers: [UNKNOWN] }, { verdict: 'unclassified' }],
  ['a missing set', { answers: [undefined], sets: [{ kind: 'missing' }] }, { verdict: 'unclassified' }],
  [
    'nothing known of the first set, a hit behind it',
    {
      rules: [rule([1]), rule([1], { name: 'second' })],
      answers: [undefined, HIT],
      sets: [{ kind: 'unknown' }, usable],
    },
    { verdict: 'unclassified' },
  ],
  [
    'a rule without a set in front',
    { rules: [rule([0], { name: 'plain', set: null, match: [] }), rule([1])], answers: [undefined, HIT] },
    { verdict: 'placed', action: 'none' },
  ],
  [
    'a rule without a set in front of nothing else, its interface gone',
    {
      rules: [rule([1], { name: 'plain', set: null, match: [] })],
      answers: [undefined],
      online: [false, true],
    },
    { verdict: 'misplaced', decidedBy: 'plain', expected: ['wanb'] },
  ],
  [
    'a rule without a set in front of one that matters, its interface alive',
    {
      rules: [rule([0], { name: 'front' }), rule([1], { name: 'plain', set: null, match: [] })],
      answers: [MISS, undefined],
    },
    { verdict: 'placed', decidedBy: null },
  ],
  [
    'an exempting set in front',
    { rules: [rule([], { name: 'hands-off', exempt: 'required' }), rule([1])], answers: [HIT, HIT] },
    { verdict: 'ignored', reason: 'exempt-destination', decidedBy: 'hands-off', action: 'none' },
  ],
  ['unmarked', { mark: 0x1 }, { verdict: 'ignored', reason: 'unmarked', interface: null }],
  ['foreign mark', { mark: 0x300 }, { verdict: 'ignored', reason: 'foreign-mark', interface: null }],
  [
    'connected',
    { destination: '192.168.1.9' },
    { verdict: 'ignored', reason: 'connected', network: '192.168.1.0/24' },
  ],
  ['multicast', { destination: '239.1.2.3' }, { reason: 'multicast', network: null }],
  ['broadcast', { destination: '255.255.255.255' }, { reason: 'broadcast' }],
  ['loopback', { destination: '127.0.0.1' }, { reason: 'loopback' }],
  ['link-local', { source: 'fe80::1', destination: 'fe80::2' }, { reason: 'link-local' }],
  [
    'exempt destination',
    { plan: { exempt: { destinations: [network('203.0.113.0/24')], sources: [], ports: [] } } },
    { reason: 'exempt-destination', network: '203.0.113.0/24', decidedBy: null },
  ],
  [
    'exempt source',
    { plan: { exempt: { destinations: [], sources: [network('192.168.0.0/16')], ports: [] } } },
    { reason: 'exempt-source', network: '192.168.0.0/16' },
  ],
  [
    'exempt port',
    { plan: { exempt: { destinations: [], sources: [], ports: [{ ports: { from: 443, to: 443 } }] } } },
    { reason: 'exempt-port', network: null },
  ],
];

for (const [what, given, expected] of verdicts) {
  test(`verdict: ${what}`, () => {
    const explanation = explained(given);
    const { verdict, reason, rules } = explanation;
    const actual = Object.fromEntries(Object.keys(expected).map((key) => [key, explanation[key as never]]));
    assert.equal(actual, expected);
    assert.is(reason === null, verdict !== 'ignored');
    assert.is(rules.filter(({ decides }) => decides).length, explanation.decidedBy === null ? 0 : 1);
  });
}

test('verdict: no target where no interface of the rule is online', () => {
  // the rule behind still wants the flow elsewhere, so the first one is asked
  const rules = [rule([1], { name: 'off' }), rule([0], { name: 'on' })];
  const { verdict, decidedBy } = explained({
    rules,
    answers: [HIT, MISS],
    online: [true, false],
    mark: 0x200,
  });
  assert.equal([verdict, decidedBy], ['no-target', 'off']);
});

test("an exempt set that holds it is told of; of mwan3's own sets only those that were asked", () => {
  const rules = [
    rule([], { name: 'theirs', set: 'theirs', exempt: 'optional' }),
    rule([], { name: 'old', set: 'old', exempt: 'optional' }),
    rule([1]),
  ];
  const told = explained({
    rules,
    answers: [HIT, undefined, HIT],
    sets: [usable, { kind: 'missing' }, usable],
  });
  assert.equal([told.verdict, told.reason, told.decidedBy], ['ignored', 'exempt-destination', 'theirs']);
  assert.equal(
    told.rules.map(({ rule: name, exempts }) => [name, exempts]),
    [
      ['theirs', true],
      ['rule', false],
    ],
  );
});

const obstacles: readonly [what: string, given: Given, pattern: RegExp][] = [
  ['dry run', { plan: { dryRun: true } }, /^dry run: /],
  ['pause', { around: { daemon: 'paused' } }, /^resets are paused: /],
  ['circuit breaker', { around: { daemon: 'breaker-open' } }, /^the circuit breaker is open: /],
  ['cool-down', { restMs: 59_100 }, /rests for 60 s$/],
  ['a dying entry', { status: CONFIRMED | IPS.DYING }, /being removed already$/],
  ['offload', { status: CONFIRMED | IPS.OFFLOAD }, /^it is offloaded: .*EBUSY/],
  ['hardware offload', { status: CONFIRMED | IPS.HW_OFFLOAD }, /^it is offloaded: /],
  ['tcp_loose', { around: { tcpLoose: 0 } }, /^nf_conntrack_tcp_loose is 0: /],
];

for (const [what, given, pattern] of obstacles) {
  test(`obstacle: ${what}`, () => {
    const { obstacles: found } = explained(given);
    assert.is(found.length, 1, found.join('\n'));
    assert.match(found[0]!, pattern);
    assert.equal(explained({ ...given, mark: 0x200 }).obstacles, [], 'what is not reset has none');
  });
}

test('tcp_loose is no obstacle to UDP, nor where it cannot be read', () => {
  assert.equal(explained({ flow: { protocol: 17 }, around: { tcpLoose: 0 } }).obstacles, []);
  assert.equal(explained({ around: { tcpLoose: undefined } }).obstacles, []);
});

test('the effect of a reset', () => {
  assert.match(explained().effect!, /^the client gets a TCP reset/);
  assert.match(explained({ status: IPS.CONFIRMED }).effect!, /^it goes on with its next packet/);
  assert.match(explained({ status: undefined }).effect!, /^masqueraded, the client gets a TCP reset/);
  assert.match(explained({ flow: { protocol: 17 } }).effect!, /^its next packet makes it anew/);
  assert.is(explained({ mark: 0x200 }).effect, null);
});

const unfits: readonly [what: string, more: Partial<PlanRule>, set: SetState, unfit: string | null][] = [
  ['nothing', {}, usable, 'its set can hold no such flow'],
  ['the family', { family: 'ipv6' }, usable, 'another address family'],
  ['the protocol', { protocol: 17 }, usable, 'another protocol'],
  ['the destination port', { destinationPorts: [{ from: 80, to: 80 }] }, usable, 'another destination port'],
  ['the source port', { sourcePorts: [{ from: 80, to: 80 }] }, usable, 'another source port'],
  ['the source', { sources: [network('10.0.0.0/8')] }, usable, 'another source'],
  ['the destination', { destinations: [network('10.0.0.0/8')] }, usable, 'another destination'],
  ['a missing set', {}, { kind: 'missing' }, 'there is no such set'],
  ['an unknown set', {}, { kind: 'unknown' }, 'nothing is known of the set'],
  [
    'an unfit set',
    {},
    { kind: 'unfit', why: 'it holds MAC addresses' } as SetState,
    'it holds MAC addresses',
  ],
  ['no set at all', { set: null, match: [] }, { kind: 'unknown' }, null],
];

for (const [what, more, set, unfit] of unfits) {
  test(`a rule that was not asked: ${what}`, () => {
    const { rules } = explained({ rules: [rule([1], more)], sets: [set], answers: [undefined] });
    assert.equal([rules[0]!.unfit, rules[0]!.asked, rules[0]!.answer], [unfit, null, null]);
  });
}

test('what a set was asked stands in the order of its dimensions', () => {
  const asked = (match: PlanRule['match'], more: Parameters<typeof flow>[2] = {}) =>
    explained({ rules: [rule([1], { match })], flow: more }).rules[0]!.asked;
  assert.is(asked(['dst']), '203.0.113.10');
  assert.is(asked(['src']), '192.168.1.7');
  assert.is(asked(['dst', 'dport', 'src']), '203.0.113.10,tcp:443,192.168.1.7');
  assert.is(asked(['src', 'sport'], { protocol: 17 }), '192.168.1.7,udp:40000');
  assert.is(asked(['dst', 'sport'], { protocol: 1, destinationPort: 0x800 }), '203.0.113.10,icmp:2048');
});

test('a rule behind the last that matters is told as not needed', () => {
  const rules = [rule([1], { name: 'wanted' }), rule([0], { name: 'behind' })];
  const found = explained({ rules, answers: [MISS, HIT] }).rules;
  assert.equal(
    found.map(({ matters, answer }) => [matters, answer]),
    [
      [true, 'not in'],
      [false, 'in'],
    ],
  );
});

test('in words: every verdict names its facts', () => {
  const text = (given: Given) => {
    const explanation: Explanation = {
      destination: '203.0.113.10',
      daemon: null,
      hold: 'mwan3 is stopped',
      interfaces: [{ name: 'wan', mark: 0x100, online: false }],
      tcpLoose: 1,
      recheckMs: [500, 1000],
      sweepMs: 300_000,
      assumed: ['protocol tcp'],
      flows: [explained(given)],
      hasMore: true,
    };
    return explanationText(explanation);
  };
  const misplaced = text({ plan: { dryRun: true } });
  assert.match(misplaced, /^1 flow to 203\.0\.113\.10 in the table, and more that are not shown:$/m);
  assert.match(misplaced, /^But mwan3 is stopped\.$/m);
  assert.match(misplaced, /^tcp 192\.168\.1\.7:40000 -> 203\.0\.113\.10:443$/m);
  assert.match(misplaced, /^ {2}wan {2}mark 0x100, offline$/m);
  assert.match(misplaced, /^ {2}mark +0x100: interface wan$/m);
  assert.match(misplaced, /^ {2}scope +in scope: neither connected nor exempt$/m);
  assert.match(
    misplaced,
    /^ {2}rule app +wants wanb: 203\.0\.113\.10 is in set set \(hash:ip\); it decides$/m,
  );
  assert.match(misplaced, /^ {2}verdict +MISPLACED: rule app wants it on wanb, and it is on wan$/m);
  assert.match(misplaced, /^ {2}but +dry run: nothing is deleted$/m);
  assert.match(text({ status: undefined }), /^No such flow .* \(assumed: protocol tcp\):$/m);
  assert.match(text({ answers: [MISS] }), /asked about again 500 ms and 1 s after it began/);
  assert.match(text({ mark: 0 }), /^ {2}mark +0x0: no bit of the mask is set$/m);
  assert.match(text({ mark: 0x300 }), /^ {2}mark +0x300: no interface of the configuration$/m);
  assert.match(
    text({ destination: '192.168.1.9' }),
    /^ {2}scope +out of scope: the destination is in a directly connected network \(192\.168\.1\.0\/24\)$/m,
  );
  assert.match(text({ mark: 0x200 }), /placed: no rule could want it elsewhere than on wanb/);
  assert.match(
    text({ rules: [rule([1], { protocol: 17 })], answers: [undefined] }),
    /does not apply: another protocol; set set \(hash:ip\) is not asked$/m,
  );
});

test('a query is checked field by field', () => {
  const decode = (request: Record<string, unknown>) => decodeExplainQuery(request, interfaces);
  assert.equal(
    decode({ destination: '203.0.113.10', interface: 'wanb', protocol: 'udp', destinationPort: 53 }),
    {
      destination: Uint8Array.of(203, 0, 113, 10),
      protocol: 17,
      destinationPort: 53,
      mark: 0x200,
    },
  );
  assert.equal(decode({ destination: '::1', source: '::2', mark: '0x100', protocol: 0 }).mark, 0x100);
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{}, /^destination: is missing$/],
    [{ destination: 7 }, /^destination: 7 is not an address/],
    [{ destination: '203.0.113.0/24' }, /^destination: "203\.0\.113\.0\/24" is not an address/],
    [{ destination: '203.0.113.10', source: '::1' }, /^source: is of another address family/],
    [{ destination: '203.0.113.10', protocol: 256 }, /^protocol: 256 is not a protocol/],
    [{ destination: '203.0.113.10', sourcePort: '53' }, /^sourcePort: "53" is not a port/],
    [{ destination: '203.0.113.10', destinationPort: 65536 }, /^destinationPort: 65536 is not a port/],
    [{ destination: '203.0.113.10', mark: 0 }, /^mark: 0 is the mark of unmarked flows/],
    [
      { destination: '203.0.113.10', interface: 'wam' },
      /^interface: "wam" is no interface .*did you mean "wan"/,
    ],
    [{ destination: '203.0.113.10', interface: null }, /^interface: null is no interface/],
    [{ destination: '203.0.113.10', interface: 'wan', mark: 1 }, /^interface: a flow has one mark/],
  ];
  for (const [request, message] of wrong) assert.throws(() => decode(request), message);
});

test.run();
