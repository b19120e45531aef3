/** Which interfaces a rule wants at a moment: states, families and metrics. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeStanding } from '../../src/daemon/standing.ts';
import { INET, INET6, plainRule, plan, rule, uplink } from '../support/plans.ts';

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
        assert.is(standing.isExpected(1, family, index), expected.includes(index), `${name} ${index}`);
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
    const standing = makeStanding(plan(interfaces, [tried]), online, before);
    return [0, 3].filter((index) => standing.isExpected(0, INET, index));
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
  assert.equal(makeStanding(plan(interfaces, [ranked]), both!, second!).expected(0, 'ipv4'), [0]);
  assert.is(makeStanding(plan(interfaces, [ranked]), none!, both!).hasTarget(0, INET), false);
  const plain = plainRule([0]);
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
      [0, 1, 2, 3].filter((index) => standing.isExpected(0, INET, index)),
      placed,
    );
    assert.equal(standing.expected(0, 'ipv4'), [0]);
  });
}

test.run();
