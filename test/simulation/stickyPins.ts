import type { Plan, PlanRule } from '../../src/daemon/plan.ts';
import { findSetType } from '../../src/ipset/index.ts';
import { ModelSet, type SetTable } from '../../src/model/index.ts';
import type { Host } from './host.ts';

/** Named by plans, and never there. */
export const NO_STICKY_SET = 'sticky_gone';

/** The firewall's sets of clients and marks: a sticky rule sends a client where it was sent before. */
export class StickyPins {
  readonly #sets: SetTable;

  constructor(sets: SetTable, { rules }: Plan, now: () => number) {
    this.#sets = sets;
    const type = findSetType('hash:ip,mark')!;
    for (const { sticky } of rules)
      for (const family of ['ipv4', 'ipv6'] as const)
        for (const name of sticky?.[family] ?? [])
          if (name !== NO_STICKY_SET)
            sets.set(name, new ModelSet(type, family === 'ipv4' ? 2 : 10, type.revision, {}, now));
  }

  /** The online member of the rule that holds the client; undefined for none. */
  holder({ interfaces }: Plan, rule: PlanRule, source: Host, online: readonly boolean[]): number | undefined {
    return rule.members.find(
      ({ interface: index }) =>
        online[index] &&
        this.#setsOf(rule, source).some((set) =>
          set.test({ ip: source.text, mark: interfaces[index]!.mark }),
        ),
    )?.interface;
  }

  /** The client was sent there. */
  pin(rule: PlanRule, source: Host, mark: number): void {
    for (const set of this.#setsOf(rule, source)) set.add({ ip: source.text, mark }, false);
  }

  #setsOf(rule: PlanRule, source: Host): ModelSet[] {
    return stickySetsOf(rule, source).flatMap((name) => this.#sets.get(name) ?? []);
  }
}

/** The names of the sets that may hold the client under the rule. */
export function stickySetsOf({ sticky }: PlanRule, { bits }: Host): readonly string[] {
  return sticky?.[bits === 32 ? 'ipv4' : 'ipv6'] ?? [];
}
