import { AF } from '../nfnetlink/constants.ts';
import type { Family, Member, Plan, PlanRule, PreserveOld } from './plan.ts';

/** What has become of the interfaces lately, by index. */
export interface StateHistory {
  /** Whether they are online; for those whose last change has not settled yet, whether they were before it. */
  readonly before?: readonly boolean[];
  /** Whether they are online and the firewall has had the time to send new flows there. */
  readonly inForce?: readonly boolean[];
  /** When each was offline last; undefined where that was not seen. */
  readonly outages?: readonly (Outage | undefined)[];
}

/** From when to when the firewall may have put flows elsewhere, in milliseconds of the daemon's clock. */
export interface Outage {
  readonly from: number;
  readonly to: number;
}

/** Where a flow is, and what its age is to be judged by. */
export interface Placement {
  /** AF. */
  readonly family: number;
  /** Index into Plan.interfaces. */
  readonly interface: number;
  /** When it was seen first, in milliseconds of the daemon's clock. */
  readonly firstSeen: number;
  /** How old it was then, in seconds; infinite where that is not known. */
  readonly age: number;
  /** Whether both ends keep it up, so that a reset would be felt. */
  readonly isEstablished: boolean;
}

/** Which flows of a rule are misplaced on an interface. */
export const MISPLACED = { NONE: 0, BY_AGE: 1, ALL: 2 } as const;

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
  /** Which flows of the rule are misplaced on the interface (MISPLACED). `family` is AF. */
  misplaced(rule: number, family: number, index: number): number;
  /**
   * Whether the flow of the rule is to stay where it is: its interface is expected, or was before the last
   * change, or the rule preserves such flows.
   */
  stays(rule: number, flow: Placement): boolean;
  /** When none of the expected interfaces was online, as far as that was seen. `family` is AF. */
  outage(rule: number, family: number): Outage | undefined;
  /** Whether the rule has any expected interface for the AF family. */
  hasTarget(rule: number, family: number): boolean;
}

export function makeStanding(
  plan: Plan,
  online: readonly boolean[],
  { before = online, inForce = online, outages = [] }: StateHistory = {},
): Standing {
  const width = plan.interfaces.length;
  const tableOf = (family: Family) => {
    const lists = plan.rules.map((rule) => expectedNow(plan, rule, family, online));
    const last = lists.map((expected) => commonOutage(expected, outages));
    const grades = new Uint8Array(plan.rules.length * width);
    plan.rules.forEach((rule, r) => {
      // with none online that the firewall sends new flows to, what is reset would come to no better place
      const ready = usableNow(plan, rule, family, inForce);
      if (ready.length === 0) return;
      const now = gradesNow(plan, rule, family, online, last[r]);
      const then = before === online ? now : gradesNow(plan, rule, family, before, last[r]);
      // after a total outage none is left for a better one that has not proved itself either
      if (usableNow(plan, rule, family, before).length === 0)
        for (const { interface: index } of ready) then[index] = MISPLACED.NONE;
      for (let i = 0; i < width; i++) grades[r * width + i] = Math.min(now[i]!, then[i]!);
    });
    return { lists, outages: last, grades };
  };
  const tables = { ipv4: tableOf('ipv4'), ipv6: tableOf('ipv6') };
  const of = (family: number) => (family === AF.INET6 ? tables.ipv6 : tables.ipv4);
  const misplaced = (rule: number, family: number, index: number) => of(family).grades[rule * width + index]!;
  const outage = (rule: number, family: number) => of(family).outages[rule];
  return {
    plan,
    online,
    expected: (rule, family) => tables[family].lists[rule]!,
    misplaced,
    stays(rule, flow) {
      const grade = misplaced(rule, flow.family, flow.interface);
      if (grade !== MISPLACED.BY_AGE) return grade === MISPLACED.NONE;
      return staysByAge(plan.rules[rule]!, flow, outage(rule, flow.family)!);
    },
    outage,
    hasTarget: (rule, family) => of(family).lists[rule]!.length > 0,
  };
}

/**
 * Interfaces whose flows may have become misplaced by a change of states: no other flow need be looked at
 * again, since what follows from sets, and from who is expected nowhere else, is as it was.
 *
 * An interface that goes offline is concerned itself where a rule has another member online. One that comes
 * online concerns those on which flows are that it takes over: the worse members and, where a rule had none
 * online before, all others. Flows that were misplaced before the change were found when they became so.
 */
export function interfacesConcerned(before: Standing, after: Standing): number[] {
  const { rules, interfaces } = after.plan;
  const isConcerned = (rule: number, family: number, index: number) => {
    const now = after.misplaced(rule, family, index);
    const then = before.misplaced(rule, family, index);
    if (now !== then) return now > then;
    if (now !== MISPLACED.BY_AGE) return false;
    const [a, b] = [before.outage(rule, family), after.outage(rule, family)];
    return a?.from !== b?.from || a?.to !== b?.to;
  };
  return [...interfaces.keys()].filter((index) =>
    rules.some((_, rule) => [AF.INET, AF.INET6].some((family) => isConcerned(rule, family, index))),
  );
}

/** By interface, which flows of the rule are misplaced on it while these are online (MISPLACED). */
function gradesNow(
  plan: Plan,
  rule: PlanRule,
  family: Family,
  online: readonly boolean[],
  outage: Outage | undefined,
): number[] {
  const { set, failover = 'reset', failback = set === null ? 'preserve' : 'reset' } = rule;
  const none = MISPLACED.NONE;
  // the firewall itself placed a rule's flows that needs no set to know them, as things were then
  const elsewhere = set === null && failback !== 'reset' ? none : MISPLACED.ALL;
  const grades: number[] = online.map((isOnline) => {
    if (!isOnline) return failover === 'preserve' ? none : MISPLACED.ALL;
    return elsewhere;
  });
  const worse =
    failback === 'preserve' ? none : failback !== 'reset' && outage ? MISPLACED.BY_AGE : elsewhere;
  for (const { interface: index } of usableNow(plan, rule, family, online)) grades[index] = worse;
  for (const index of expectedNow(plan, rule, family, online)) grades[index] = none;
  return grades;
}

/**
 * A flow that began while no better interface was online is where the firewall put it: it stays if it is
 * established and old. So it does where its age is not known. One that began later was only recognised late.
 */
function staysByAge({ set, failback }: PlanRule, flow: Placement, outage: Outage): boolean {
  const { preserveFromMs } = failback as PreserveOld;
  const ageMs = flow.age * 1000;
  const began = flow.firstSeen - ageMs;
  const isOld = flow.isEstablished && ageMs >= preserveFromMs;
  if (set !== null) return isOld && began <= outage.to;
  return isOld || began < outage.from || began > outage.to;
}

/** When all of them were offline, as far as that was seen. */
function commonOutage(
  expected: readonly number[],
  outages: readonly (Outage | undefined)[],
): Outage | undefined {
  const seen = expected.map((index) => outages[index]);
  if (seen.length === 0 || seen.includes(undefined)) return undefined;
  const from = Math.max(...seen.map((outage) => outage!.from));
  const to = Math.min(...seen.map((outage) => outage!.to));
  return from < to ? { from, to } : undefined;
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
