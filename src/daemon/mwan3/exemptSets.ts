import type { Family, PlanRule } from '../plan.ts';

/**
 * Sets of destinations that mwan3 leaves to the main table before it looks at its rules. Those with `ipv4`
 * are of 22.03 and later; `mwan3_dynamic_ipv4` is a list of sets, which no flow can be looked up in.
 */
const ends: readonly [ending: string, family: Family][] = [
  ['ipv4', 'ipv4'],
  ['ipv6', 'ipv6'],
  ['v4', 'ipv4'],
  ['v6', 'ipv6'],
];
const kinds = ['connected', 'custom', 'dynamic'];

/** mwan3's own exempt sets, and others that the user names, as rules before all others. */
export function exemptRules(others: readonly string[]): PlanRule[] {
  return [
    ...ends.flatMap(([ending, family]) =>
      kinds.map((kind) => exemptRule(`mwan3_${kind}_${ending}`, 'optional', family)),
    ),
    ...others.map((set) => exemptRule(set, 'required')),
  ];
}

function exemptRule(set: string, exempt: PlanRule['exempt'] & string, family?: Family): PlanRule {
  return {
    name: set,
    set,
    match: ['dst'],
    ...(family && { family }),
    sourcePorts: [],
    destinationPorts: [],
    sources: [],
    destinations: [],
    members: [],
    policy: null,
    sticky: null,
    watch: false,
    exempt,
  };
}
