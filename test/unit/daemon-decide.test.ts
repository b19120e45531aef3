/** The verdict on a flow in scope, and that asking only the sets that matter changes no deed. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { candidatesOf, fits } from '../../src/daemon/candidates.ts';
import { ANSWER, decide } from '../../src/daemon/decide.ts';
import type { Plan, PlanRule } from '../../src/daemon/plan.ts';
import { makeStanding, type Standing } from '../../src/daemon/standing.ts';
import type { Verdict } from '../../src/daemon/verdict.ts';
import { exemptRule, flow, INET6, plainRule, plan, rule, uplink } from '../support/plans.ts';

const { MISS, HIT, UNKNOWN } = ANSWER;
const three = [uplink('a'), uplink('b'), uplink('c')];
const v4 = flow('192.168.1.7', '203.0.113.10');
const v6 = flow('2001:db8:1::7', '2001:db8:2::10');

interface Case {
  readonly what: string;
  readonly rules: readonly PlanRule[];
  readonly answers: readonly number[];
  readonly interfaces?: Plan['interfaces'];
  readonly online?: readonly boolean[];
  readonly flow?: typeof v4;
  readonly verdict: Verdict;
}

const unclassified: Verdict = { kind: 'unclassified' };
const untouched: Verdict = { kind: 'placed', rule: undefined };
const misplaced = (by: number): Verdict => ({ kind: 'misplaced', rule: by });
const placed = (by: number): Verdict => ({ kind: 'placed', rule: by });
const noTarget = (by: number): Verdict => ({ kind: 'no-target', rule: by });
const metric = (...members: [number, number][]) => ({
  members: members.map(([index, value]) => ({ interface: index, metric: value })),
});
const dual = [uplink('a'), uplink('b', { family: 'ipv4' }), uplink('c', { family: 'ipv6' })];

/** The flow is on interface a; the answers are those of the rules, in order. */
const cases: readonly Case[] = [
  { what: 'no rule', rules: [], answers: [], verdict: untouched },
  { what: 'a hit elsewhere', rules: [rule([1])], answers: [HIT], verdict: misplaced(0) },
  { what: 'a miss', rules: [rule([1])], answers: [MISS], verdict: unclassified },
  { what: 'no answer', rules: [rule([1])], answers: [UNKNOWN], verdict: unclassified },
  { what: 'a rule that allows where the flow is', rules: [rule([0])], answers: [HIT], verdict: untouched },
  {
    what: 'several allowed, among them where the flow is',
    rules: [rule([1, 0])],
    answers: [HIT],
    verdict: untouched,
  },
  { what: 'several allowed, all elsewhere', rules: [rule([1, 2])], answers: [HIT], verdict: misplaced(0) },
  {
    what: 'the first of two that hold it keeps it',
    rules: [rule([0]), rule([1])],
    answers: [HIT, HIT],
    verdict: placed(0),
  },
  {
    what: 'the first of two that hold it moves it',
    rules: [rule([1]), rule([0])],
    answers: [HIT, HIT],
    verdict: misplaced(0),
  },
  {
    what: 'the second alone holds it',
    rules: [rule([0]), rule([1])],
    answers: [MISS, HIT],
    verdict: misplaced(1),
  },
  {
    what: 'the first gives no answer, the second holds it',
    rules: [rule([0]), rule([1])],
    answers: [UNKNOWN, HIT],
    verdict: unclassified,
  },
  {
    what: 'the first holds it, the second gives no answer',
    rules: [rule([2]), rule([1])],
    answers: [HIT, UNKNOWN],
    verdict: misplaced(0),
  },
  {
    what: 'the first holds it and has no target',
    rules: [rule([2]), rule([1])],
    answers: [HIT, HIT],
    online: [true, true, false],
    verdict: noTarget(0),
  },
  {
    what: 'the only one has no target',
    rules: [rule([2])],
    answers: [HIT],
    online: [true, true, false],
    verdict: untouched,
  },
  {
    what: 'all are offline',
    rules: [rule([0, 1, 2])],
    answers: [HIT],
    online: [false, false, false],
    verdict: untouched,
  },
  {
    what: 'its own interface is offline',
    rules: [rule([0, 1])],
    answers: [HIT],
    online: [false, true, true],
    verdict: misplaced(0),
  },
  {
    what: 'its own interface is offline and the only one',
    rules: [rule([0])],
    answers: [HIT],
    online: [false, true, true],
    verdict: untouched,
  },
  {
    what: 'a better metric elsewhere',
    rules: [rule([], metric([0, 2], [1, 1]))],
    answers: [HIT],
    verdict: misplaced(0),
  },
  {
    what: 'a worse metric elsewhere',
    rules: [rule([], metric([0, 1], [1, 2]))],
    answers: [HIT],
    verdict: untouched,
  },
  {
    what: 'a better metric elsewhere, offline',
    rules: [rule([], metric([0, 2], [1, 1]))],
    answers: [HIT],
    online: [true, false, true],
    verdict: untouched,
  },
  {
    what: 'equal metrics',
    rules: [rule([], metric([0, 1], [1, 1], [2, 0]))],
    answers: [HIT],
    online: [true, true, false],
    verdict: untouched,
  },
  {
    what: 'a rule of another family',
    rules: [rule([1], { family: 'ipv6' })],
    answers: [HIT],
    verdict: untouched,
  },
  { what: 'IPv6', rules: [rule([1], { family: 'ipv6' })], answers: [HIT], flow: v6, verdict: misplaced(0) },
  {
    what: 'IPv6, a rule of another family',
    rules: [rule([1], { family: 'ipv4' })],
    answers: [HIT],
    flow: v6,
    verdict: untouched,
  },
  {
    what: 'an interface of the other family is no target',
    rules: [rule([2])],
    answers: [HIT],
    interfaces: dual,
    verdict: untouched,
  },
  {
    what: 'an interface of its family is',
    rules: [rule([1, 2])],
    answers: [HIT],
    interfaces: dual,
    verdict: misplaced(0),
  },
  {
    what: 'IPv6, an interface of the other family is no target',
    rules: [rule([1])],
    answers: [HIT],
    interfaces: dual,
    flow: v6,
    verdict: untouched,
  },
  {
    what: 'IPv6, an interface of its family is',
    rules: [rule([1, 2])],
    answers: [HIT],
    interfaces: dual,
    flow: v6,
    verdict: misplaced(0),
  },
  {
    what: 'a rule without a set takes it from one behind',
    rules: [plainRule([0]), rule([1])],
    answers: [HIT, HIT],
    verdict: untouched,
  },
  {
    what: 'a rule without a set that wants another interface leaves it on one that is online',
    rules: [plainRule([1]), rule([1])],
    answers: [HIT, HIT],
    verdict: untouched,
  },
  {
    what: 'a rule without a set, behind one that holds it not',
    rules: [rule([1]), plainRule([1])],
    answers: [MISS, HIT],
    verdict: unclassified,
  },
  {
    what: 'a rule without a set moves it from an interface that is offline',
    rules: [plainRule([0, 1])],
    answers: [HIT],
    online: [false, true, true],
    verdict: misplaced(0),
  },
  {
    what: 'a rule without a set and without a target leaves it on an interface that is offline',
    rules: [plainRule([0]), rule([1])],
    answers: [HIT, HIT],
    online: [false, true, true],
    verdict: untouched,
  },
  {
    what: 'a rule that leaves its flows where they are',
    rules: [rule([]), rule([1])],
    answers: [HIT, HIT],
    verdict: noTarget(0),
  },
  {
    what: 'an exempt set holds it',
    rules: [exemptRule(), rule([1])],
    answers: [HIT, HIT],
    verdict: { kind: 'ignored', reason: 'exempt-destination' },
  },
  {
    what: 'an exempt set holds it not',
    rules: [exemptRule(), rule([1])],
    answers: [MISS, HIT],
    verdict: misplaced(1),
  },
  {
    what: 'an exempt set gives no answer',
    rules: [exemptRule(), rule([1])],
    answers: [UNKNOWN, HIT],
    verdict: unclassified,
  },
  ...[1, 6, 17, 33, 47, 50, 58, 132, 136].map((protocol) => ({
    what: `protocol ${protocol}`,
    rules: [rule([2], { protocol: protocol + 1 }), rule([1], { protocol })],
    answers: [HIT, HIT],
    flow: { ...v4, protocol },
    verdict: misplaced(1),
  })),
];

/** The way that a flow goes: which sets matter, their answers, the verdict. */
function judge(standing: Standing, facts: typeof v4, answers: readonly number[]): Verdict {
  const candidates: number[] = [];
  const count = candidatesOf(standing, facts, candidates);
  const said = candidates.map((index) => (standing.plan.rules[index]!.set === null ? HIT : answers[index]!));
  return decide(standing, facts, candidates, said, count);
}

for (const {
  what,
  rules,
  answers,
  interfaces = three,
  online = [true, true, true],
  flow: facts = v4,
  verdict,
} of cases) {
  test(what, () =>
    assert.equal(judge(makeStanding(plan(interfaces, rules), online), facts, answers), verdict),
  );
}

test('answers behind the count are not looked at', () => {
  const standing = makeStanding(plan(three, [rule([1])]), [true, true, true]);
  assert.equal(decide(standing, v4, [0], [HIT], 0), untouched);
});

/** Asks every set in order, by the plain words of the specification: the deed, which is an interface list. */
function naiveDeed(
  of: Plan,
  online: readonly boolean[],
  facts: typeof v4,
  answers: readonly number[],
): string {
  const family = facts.family === INET6 ? 'ipv6' : 'ipv4';
  for (const [index, tried] of of.rules.entries()) {
    if (!fits(tried, facts)) continue;
    const answer = tried.set === null ? HIT : answers[index];
    if (answer === MISS) continue;
    if (answer === UNKNOWN || tried.exempt) return 'leave';
    let expected: number[] = [];
    let best = Number.POSITIVE_INFINITY;
    for (const member of tried.members) {
      const { family: carried = family } = of.interfaces[member.interface]!;
      if (!online[member.interface] || carried !== family || member.metric > best) continue;
      if (member.metric < best) expected = [];
      best = member.metric;
      expected.push(member.interface);
    }
    if (tried.set === null && online[facts.interface]) return 'leave';
    return expected.length === 0 || expected.includes(facts.interface) ? 'leave' : `reset by ${index}`;
  }
  return 'leave';
}

const WIDTH = 4;
const families = fc.constantFrom(undefined, 'ipv4' as const, 'ipv6' as const);
const arbitraryRule = fc
  .record({
    form: fc.constantFrom('set', 'set', 'set', 'plain', 'exempt'),
    family: families,
    protocol: fc.constantFrom(undefined, 6, 17),
    members: fc.array(fc.record({ interface: fc.nat(WIDTH - 1), metric: fc.nat(2) }), {
      minLength: 1,
      maxLength: 5,
    }),
  })
  .map(({ form, family, protocol, members }) => {
    const fit = { ...(family && { family }), ...(protocol !== undefined && { protocol }) };
    if (form === 'exempt') return exemptRule(fit);
    return form === 'plain' ? plainRule([], { ...fit, members }) : rule([], { ...fit, members });
  });
const arbitraryWorld = fc.record({
  carried: fc.array(families, { minLength: WIDTH, maxLength: WIDTH }),
  online: fc.array(fc.boolean(), { minLength: WIDTH, maxLength: WIDTH }),
  rules: fc.array(arbitraryRule, { maxLength: 6 }),
  answers: fc.array(fc.constantFrom(MISS, MISS, HIT, UNKNOWN), { minLength: 6, maxLength: 6 }),
  facts: fc.constantFrom(v4, v6),
  protocol: fc.constantFrom(6, 17, 50),
  interface: fc.nat(WIDTH - 1),
});

test('asking only the sets that matter does what asking every set in order does', () => {
  const deeds = new Set<string>();
  fc.assert(
    fc.property(arbitraryWorld, ({ carried, online, rules, answers, facts, protocol, interface: index }) => {
      const of = plan(
        carried.map((family, i) => uplink(`i${i}`, family && { family })),
        rules,
      );
      const placement = { ...facts, protocol, interface: index };
      const verdict = judge(makeStanding(of, online), placement, answers);
      const deed = verdict.kind === 'misplaced' ? `reset by ${verdict.rule}` : 'leave';
      assert.is(deed, naiveDeed(of, online, placement, answers));
      deeds.add(deed);
    }),
    { numRuns: 3000 },
  );
  assert.ok(deeds.size >= 4, [...deeds].join(', '));
});

test('no question is asked in vain: another answer to each can change the deed', () => {
  fc.assert(
    fc.property(arbitraryWorld, ({ carried, online, rules, facts, protocol, interface: index }) => {
      const of = plan(
        carried.map((family, i) => uplink(`i${i}`, family && { family })),
        rules,
      );
      const placement = { ...facts, protocol, interface: index };
      const standing = makeStanding(of, online);
      const candidates: number[] = [];
      const count = candidatesOf(standing, placement, candidates);
      for (const asked of candidates.slice(0, count)) {
        if (of.rules[asked]!.set === null) continue;
        const others = (answer: number) =>
          of.rules.map((_, r) => (r === asked ? answer : r < asked ? MISS : HIT));
        const last = candidates[count - 1]!;
        const lastOnly = (answer: number) =>
          of.rules.map((_, r) => (r === asked ? answer : r === last ? HIT : MISS));
        const changes = [others, lastOnly].some(
          (answers) =>
            naiveDeed(of, online, placement, answers(HIT)) !==
            naiveDeed(of, online, placement, answers(MISS)),
        );
        assert.ok(changes, `rule ${asked} of ${candidates.slice(0, count)}`);
      }
    }),
    { numRuns: 1000 },
  );
});

test.run();
