import { protocolName } from '../ctnetlink/protocol.ts';
import type { Family, MatchField, Plan, PlanRule } from './plan.ts';
import { makeStanding } from './standing.ts';

/** The plan as `check --json` prints it, with what it means at this moment. */
export interface PlanJson {
  readonly markMask: number;
  readonly interfaces: readonly {
    readonly name: string;
    readonly id: number | null;
    readonly mark: number;
    readonly family: Family | 'any';
    readonly online: boolean;
  }[];
  readonly rules: readonly {
    readonly name: string;
    /** Null for a rule that needs no set to know its flows. */
    readonly set: string | null;
    readonly families: readonly Family[];
    readonly match: readonly MatchField[];
    /** A name, a number where it has none here, or null for all. */
    readonly protocol: string | number | null;
    readonly policy: string | null;
    readonly interfaces: readonly string[];
    /** The online interfaces of the lowest metric. */
    readonly expected: Readonly<Record<Family, readonly string[]>>;
    readonly sticky: boolean;
  }[];
  readonly warnings: readonly string[];
}

/** @param online by interface index */
export function planJson(plan: Plan, online: readonly boolean[], warnings: readonly string[]): PlanJson {
  const standing = makeStanding(plan, online);
  const nameOf = (index: number) => plan.interfaces[index]!.name;
  return {
    markMask: plan.markMask,
    interfaces: plan.interfaces.map(({ name, id, mark, family }, index) => ({
      name,
      id,
      mark,
      family: family ?? 'any',
      online: online[index]!,
    })),
    rules: plan.rules.flatMap((rule, r) =>
      rule.exempt
        ? []
        : {
            name: rule.name,
            set: rule.set,
            families: familiesOf(rule),
            match: rule.match,
            protocol: protocolOf(rule),
            policy: rule.policy,
            interfaces: rule.members.map((member) => nameOf(member.interface)),
            expected: {
              ipv4: standing.expected(r, 'ipv4').map(nameOf),
              ipv6: standing.expected(r, 'ipv6').map(nameOf),
            },
            sticky: rule.sticky !== null,
          },
    ),
    warnings,
  };
}

export function familiesOf(rule: PlanRule): readonly Family[] {
  return rule.family === undefined ? ['ipv4', 'ipv6'] : [rule.family];
}

function protocolOf({ protocol }: PlanRule): string | number | null {
  if (protocol === undefined) return null;
  const name = protocolName(protocol);
  return name === String(protocol) ? protocol : name;
}
