/** Which interfaces a rule wants at a moment: states, families and metrics. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { interfacesConcerned, MISPLACED, makeStanding } from '../../src/daemon/standing.ts';
import { INET, INET6, plainRule, plan, rule, uplink } from '../support/plans.ts';

const { NONE, BY_AGE, ALL } = MISPLACED;
const interfaces = [
  uplink('a'),
  uplink('b', { family: 'ipv4' }),
  uplink('c', { family: 'ipv6' }),
  uplink('d'),
];
const metrics = (...members: [number, number][]) =>
  rule([], { members: members.map(([index, metric]) => ({ interface: index, metric })) });

const cases: readonly [
  what: string,
  tried: ReturnType<typeof rule>,
  online: readonly boolean[],
  ipv4: number[],
  ipv6: number[],
][] = [
  ['all', rule([0, 1, 2, 3]), [true, true, true, true], [0, 1, 3], [0, 2, 3]],
  ['in the order of the rule', rule([3, 0]), [true, true, true, true], [3, 0], [3, 0]],
  ['only those online', rule([0, 1, 2, 3]), [false, true, false, true], [1, 3], [3]],
  ['none online', rule([0, 1]), [false, false, true, true], [], []],
  ['of the family of the rule', rule([0, 1, 2], { family: 'ipv4' }), [true, true, true, true], [0, 1], []],
  [
    'of the family of the rule, IPv6',
    rule([0, 1, 2], { family: 'ipv6' }),
    [true, true, true, true],
    [],
    [0, 2],
  ],
  ['an interface of the wrong family alone', rule([1]), [true, true, true, true], [1], []],
  ['the lowest metric', metrics([0, 5], [3, 2]), [true, true, true, true], [3], [3]],
  ['metric 0', metrics([0, 1], [3, 0]), [true, true, true, true], [3], [3]],
  ['the lowest metric among those online', metrics([0, 5], [3, 2]), [true, true, true, false], [0], [0]],
  ['the lowest metric of each family', metrics([1, 1], [2, 2], [0, 3]), [true, true, true, true], [1], [2]],
  ['an interface twice', metrics([0, 1], [0, 1]), [true, true, true, true], [0], [0]],
  [
    'an interface twice, the better metric counts',
    metrics([0, 3], [3, 2], [0, 2]),
    [true, true, true, true],
    [3, 0],
    [3, 0],
  ],
  ['no members', rule([]), [true, true, true, true], [], []],
];

for (const [what, tried, online, ipv4, ipv6] of cases) {
  test(`expected: ${what}`, () => {
    // behind another rule, so that an index that is off by a row shows
    const standing = makeStanding(plan(interfaces, [rule([0, 1, 2, 3]), tried, rule([0, 1, 2, 3])]), online);
    for (const [name, family, expected] of [
      ['ipv4', INET, ipv4],
      ['ipv6', INET6, ipv6],
    ] as const) {
      assert.equal(standing.expected(1, name), expected);
      assert.is(standing.hasTarget(1, family), expected.length > 0);
      for (const index of interfaces.keys()) {
        const stays = expected.length === 0 || expected.includes(index);
        assert.is(standing.misplaced(1, family, index), stays ? NONE : ALL, `${name} ${index}`);
      }
    }
  });
}

test('a standing is of its plan and its states', () => {
  const of = plan(interfaces, []);
  const online = [true, false, true, false];
  const standing = makeStanding(of, online);
  assert.is(standing.plan, of);
  assert.equal(standing.online, online);
});

test('until a change has settled, where flows belonged before is right too', () => {
  const ranked = metrics([0, 1], [3, 2]);
  const placed = (online: readonly boolean[], before: readonly boolean[], tried = ranked) => {
    const standing = makeStanding(plan(interfaces, [tried]), online, { before });
    return [0, 3].filter((index) => standing.misplaced(0, INET, index) === NONE);
  };
  const [both, second, none] = [
    [true, true, true, true],
    [false, true, true, true],
    [false, true, true, false],
  ];
  assert.equal(placed(second!, both!), [0, 3]);
  assert.equal(placed(second!, second!), [3]);
  assert.equal(placed(both!, second!), [0, 3]);
  assert.equal(placed(both!, both!), [0]);
  assert.equal(makeStanding(plan(interfaces, [ranked]), both!, { before: second! }).expected(0, 'ipv4'), [0]);
  assert.is(makeStanding(plan(interfaces, [ranked]), none!, { before: both! }).hasTarget(0, INET), false);
  const plain = plainRule([0, 3]);
  assert.equal(placed(second!, both!, plain), [0, 3]);
  assert.equal(placed(second!, second!, plain), [3]);
});

const changes: readonly [what: string, tried: ReturnType<typeof rule>, placed: readonly number[]][] = [
  ['a set', metrics([0, 1], [3, 2]), [0]],
  ['a set, failback preserved', { ...metrics([0, 1], [3, 2]), failback: 'preserve' }, [0, 3]],
  ['a set, failover preserved', { ...metrics([0, 1], [3, 2]), failover: 'preserve' }, [0, 1]],
  [
    'a set, both preserved',
    { ...metrics([0, 1], [3, 2]), failover: 'preserve', failback: 'preserve' },
    [0, 1, 3],
  ],
  ['no set', plainRule([0]), [0, 2, 3]],
  ['no set, failback reset', plainRule([0], { failback: 'reset' }), [0]],
  ['no set, failover preserved', plainRule([0], { failover: 'preserve' }), [0, 1, 2, 3]],
];

for (const [what, tried, placed] of changes) {
  test(`where flows stay while b is offline: ${what}`, () => {
    const standing = makeStanding(plan(interfaces, [tried]), [true, false, true, true]);
    assert.equal(
      [0, 1, 2, 3].filter((index) => standing.misplaced(0, INET, index) === NONE),
      placed,
    );
    assert.equal(standing.expected(0, 'ipv4'), [0]);
  });
}

/** Interface a (metric 1) was offline from 1,000 s to 2,000 s; d (metric 2) is the worse member. */
const outages = [{ from: 1_000_000, to: 2_000_000 }, undefined, undefined, undefined];
const OLD = 300;
const byAge = { failback: { preserveFromMs: OLD * 1000 } } as const;
const unknown = Number.POSITIVE_INFINITY;
const SEEN_AT = 2_100_000;
/** Ages at SEEN_AT: since before the outage, in it, and since it. */
const [BEFORE, WITHIN, SINCE] = [1200, 600, 50];

const ages: readonly [
  what: string,
  age: number,
  isEstablished: boolean,
  withSet: boolean,
  withoutSet: boolean,
][] = [
  ['began within the outage, established and old', WITHIN, true, true, true],
  ['began within the outage, not established', WITHIN, false, false, false],
  ['began within the outage, established and young', OLD - 1, true, false, false],
  ['began within the outage, established and just old enough', OLD, true, true, true],
  ['of unknown age, established', unknown, true, true, true],
  ['of unknown age, not established', unknown, false, false, true],
  ['began since, established', SINCE, true, false, true],
  ['began since, not established', SINCE, false, false, true],
  ['began before, established', BEFORE, true, true, true],
  ['began before, not established', BEFORE, false, false, true],
];

for (const [what, age, isEstablished, withSet, withoutSet] of ages) {
  test(`on a worse member when the better one is back: ${what}`, () => {
    const online = [true, true, true, true];
    const flow = { family: INET, interface: 3, firstSeen: SEEN_AT, age, isEstablished };
    const ranked = { ...metrics([0, 1], [3, 2]), ...byAge };
    const plain = { ...ranked, set: null, match: [] };
    // every change has settled
    const standing = makeStanding(plan(interfaces, [ranked, plain]), online, {
      before: [...online],
      outages,
    });
    assert.equal([standing.stays(0, flow), standing.stays(1, flow)], [withSet, withoutSet]);
    for (const each of [0, 1]) {
      assert.ok(standing.stays(each, { ...flow, interface: 0 }), 'on the better one');
      assert.is(standing.misplaced(each, INET, 3), BY_AGE);
    }
    assert.is(standing.stays(0, { ...flow, interface: 1 }), false, 'no member');
    assert.ok(standing.stays(1, { ...flow, interface: 1 }), 'no member, of a rule without a set');
  });
}

test('an outage that was not seen is none: flows with a set are recognised late, others are where they were put', () => {
  const online = [true, true, true, true];
  const ranked = { ...metrics([0, 1], [3, 2]), ...byAge };
  const rules = [ranked, { ...ranked, set: null, match: [] }];
  assert.is(makeStanding(plan(interfaces, rules), online).misplaced(0, INET, 3), ALL);
  assert.is(makeStanding(plan(interfaces, rules), online).misplaced(1, INET, 3), NONE);
});

test('of several best members all must have been offline at once', () => {
  const three = { ...metrics([0, 1], [1, 1], [3, 2]), ...byAge };
  const last = (b: (typeof outages)[number]) =>
    makeStanding(plan(interfaces, [three]), [true, true, true, true], {
      outages: [outages[0], b, undefined, undefined],
    }).outage(0, INET);
  assert.equal(last(undefined), undefined);
  assert.equal(last({ from: 500_000, to: 1_500_000 }), { from: 1_000_000, to: 1_500_000 });
  assert.equal(last({ from: 2_500_000, to: 3_000_000 }), undefined);
});

test('until the better member has settled its flows stay where they are', () => {
  const ranked = { ...metrics([0, 1], [3, 2]), ...byAge };
  const standing = makeStanding(plan(interfaces, [ranked]), [true, true, true, true], {
    before: [false, true, true, true],
    outages,
  });
  assert.is(standing.misplaced(0, INET, 3), NONE);
});

const [ALL_UP, A_DOWN, D_DOWN, NONE_UP, A_ALONE, D_ALONE] = [
  [true, true, true, true],
  [false, true, true, true],
  [true, true, true, false],
  [false, false, false, false],
  [true, false, false, false],
  [false, false, false, true],
] as const;
const twoRanked = metrics([0, 1], [3, 2]);
const only = rule([0]);

const concerned: readonly [
  what: string,
  rules: ReturnType<typeof rule>[],
  from: readonly boolean[],
  to: readonly boolean[],
  interfaces: readonly number[],
][] = [
  ['the better member goes: its own flows', [twoRanked], ALL_UP, A_DOWN, [0]],
  ['the better member returns: those of the worse', [twoRanked], A_DOWN, ALL_UP, [3]],
  ['a worse member goes, whose flows were misplaced before', [twoRanked], ALL_UP, D_DOWN, []],
  ['a worse member returns', [twoRanked], D_DOWN, ALL_UP, []],
  ['the only member goes: none has elsewhere to go', [only], ALL_UP, A_DOWN, []],
  ['the only member returns: those of all others', [only], A_DOWN, ALL_UP, [1, 2, 3]],
  ['all go', [twoRanked, only], ALL_UP, NONE_UP, []],
  ['an interface of no rule goes', [only], ALL_UP, D_DOWN, []],
  ['flows that need no set stay online, and leave what is not', [plainRule([0, 3])], ALL_UP, A_DOWN, [0]],
  ['and are not taken back', [plainRule([0, 3])], A_DOWN, ALL_UP, []],
  ['preserved at failover', [{ ...twoRanked, failover: 'preserve' }], ALL_UP, A_DOWN, []],
  ['preserved at failback', [{ ...twoRanked, failback: 'preserve' }], A_DOWN, ALL_UP, []],
  ['by age at failback', [{ ...twoRanked, ...byAge }], A_DOWN, ALL_UP, [3]],
  ['nothing changes', [twoRanked, only], ALL_UP, ALL_UP, []],
];

for (const [what, rules, from, to, expected] of concerned) {
  test(`whose flows a change concerns: ${what}`, () => {
    const of = plan([uplink('a'), uplink('b'), uplink('c'), uplink('d')], rules);
    const after = makeStanding(of, to, { outages });
    assert.equal(interfacesConcerned(makeStanding(of, from), after), expected);
  });
}

const lone = plainRule([0], { failback: 'reset' });

const recoveries: readonly [
  what: string,
  tried: ReturnType<typeof rule>,
  before: readonly boolean[],
  now: readonly boolean[],
  inForce: readonly boolean[],
  misplaced: readonly number[],
][] = [
  ['one of two is back, but not yet in force', twoRanked, NONE_UP, D_ALONE, NONE_UP, []],
  ['one of two is back and in force', twoRanked, NONE_UP, D_ALONE, D_ALONE, [0, 1]],
  ['the better one follows, but is not yet in force', twoRanked, NONE_UP, ALL_UP, D_ALONE, [1]],
  ['the better one follows and is in force', twoRanked, NONE_UP, ALL_UP, ALL_UP, [1]],
  ['the worse one has proved itself, the better has not', twoRanked, D_ALONE, ALL_UP, ALL_UP, [1]],
  ['one goes and the other comes at once', twoRanked, A_ALONE, D_ALONE, NONE_UP, []],
  ['the only member is back, but not yet in force', only, A_DOWN, ALL_UP, A_DOWN, []],
  ['the only member is back and in force', only, A_DOWN, ALL_UP, ALL_UP, [1, 3]],
  ['the same without a set, but not yet in force', lone, A_DOWN, ALL_UP, A_DOWN, []],
  ['the same without a set, in force', lone, A_DOWN, ALL_UP, ALL_UP, [1, 3]],
  ['the better one is back while the worse is in force', twoRanked, A_DOWN, ALL_UP, A_DOWN, [1]],
];

for (const [what, tried, before, now, inForce, misplaced] of recoveries) {
  test(`coming back: ${what}`, () => {
    const standing = makeStanding(plan(interfaces, [tried]), now, { before, inForce });
    assert.equal(
      [0, 1, 3].filter((index) => standing.misplaced(0, INET, index) !== NONE),
      misplaced,
    );
  });
}

test('coming into force concerns the flows of all others', () => {
  const of = plan(interfaces, [twoRanked]);
  const unknown = makeStanding(of, D_ALONE, { before: NONE_UP, inForce: NONE_UP });
  const known = makeStanding(of, D_ALONE, { before: NONE_UP, inForce: D_ALONE });
  assert.equal(interfacesConcerned(makeStanding(of, NONE_UP), unknown), []);
  assert.equal(interfacesConcerned(unknown, known), [0, 1, 2]);
});

test('another outage concerns the flows that began within it', () => {
  const of = plan(interfaces, [{ ...twoRanked, ...byAge }]);
  const before = makeStanding(of, ALL_UP, { outages });
  assert.equal(interfacesConcerned(before, makeStanding(of, ALL_UP, { outages })), []);
  const later = [{ from: 3_000_000, to: 4_000_000 }];
  assert.equal(interfacesConcerned(before, makeStanding(of, ALL_UP, { outages: later })), [3]);
});

test.run();
