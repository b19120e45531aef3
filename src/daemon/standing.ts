import type { Family, Member, Plan, PlanRule } from './plan.ts';

/**
 * Which interfaces each rule wants at this moment: the plan seen through the interfaces' states.
 * Made again whenever a state changes; never changed in place.
 */
export interface Standing {
  readonly plan: Plan;
  /** By interface index. */
  readonly online: readonly boolean[];
  /** Interface indices that rule `rule` expects for a family; empty where none is online. */
  expected(rule: number, family: Family): readonly number[];
  /**
   * Whether a flow on the interface is to stay there: it is expected, or was before the last change, or the
   * rule preserves such flows. `family` is AF.
   */
  isExpected(rule: number, family: number, index: number): boolean;
  /** Whether the rule has any expected interface for the AF family. */
  hasTarget(rule: number, family: number): boolean;
}

/** @param before the states before changes that have not settled yet */
export function makeStanding(
  plan: Plan,
  online: readonly boolean[],
  before: readonly boolean[] = online,
): Standing {
  const width = plan.interfaces.length;
  const lists = { ipv4: [] as number[][], ipv6: [] as number[][] };
  const tables = {
    ipv4: new Uint8Array(plan.rules.length * width),
    ipv6: new Uint8Array(plan.rules.length * width),
  };
  for (const family of ['ipv4', 'ipv6'] as const) {
    plan.rules.forEach((rule, r) => {
      const expected = expectedNow(plan, rule, family, online);
      lists[family].push(expected);
      const placed = [online, before].flatMap((states) => placedNow(plan, rule, family, states));
      for (const index of placed) tables[family][r * width + index] = 1;
    });
  }
  return {
    plan,
    online,
    expected: (rule, family) => lists[family][rule]!,
    isExpected: (rule, family, index) =>
      (family === 10 ? tables.ipv6 : tables.ipv4)[rule * width + index] === 1,
    hasTarget: (rule, family) => (family === 10 ? lists.ipv6 : lists.ipv4)[rule]!.length > 0,
  };
}

/** Where flows of the rule stay. */
function placedNow(plan: Plan, rule: PlanRule, family: Family, online: readonly boolean[]): number[] {
  const dead = rule.failover === 'preserve' ? indicesOf(online, false) : [];
  return [...dead, ...placedOnline(plan, rule, family, online)];
}

function placedOnline(plan: Plan, rule: PlanRule, family: Family, online: readonly boolean[]): number[] {
  const { set, failback = set === null ? 'preserve' : 'reset' } = rule;
  if (failback === 'reset') return expectedNow(plan, rule, family, online);
  // the firewall itself placed a rule's flows that needs no set to know them, as things were then
  if (set === null) return indicesOf(online, true);
  return usableNow(plan, rule, family, online).map((member) => member.interface);
}

function indicesOf(online: readonly boolean[], state: boolean): number[] {
  return online.flatMap((isOnline, index) => (isOnline === state ? [index] : []));
}

/** The online members of the family. */
function usableNow(
  plan: Plan,
  rule: PlanRule,
  family: Family,
  online: readonly boolean[],
): readonly Member[] {
  if (rule.family !== undefined && rule.family !== family) return [];
  return rule.members.filter(({ interface: index }) => {
    const carries = plan.interfaces[index]!.family;
    return online[index] && (carries === undefined || carries === family);
  });
}

/** Those of them with the lowest metric. */
function expectedNow(plan: Plan, rule: PlanRule, family: Family, online: readonly boolean[]): number[] {
  const usable = usableNow(plan, rule, family, online);
  const lowest = Math.min(...usable.map(({ metric }) => metric));
  return [...new Set(usable.filter(({ metric }) => metric === lowest).map((member) => member.interface))];
}
