import type { PlanRule } from './plan.ts';
import type { SetState } from './ruleSets.ts';
import type { Warnings } from './warnings.ts';

/** Says what is wrong with a rule's set, or takes the warning back. */
export function tellSetState(warnings: Warnings, rule: PlanRule, state: SetState): void {
  const what = `rule ${rule.name}`;
  warnings.mended(what);
  // which of the names that exemptions have had are there depends on the firewall's version
  if (rule.exempt === 'optional') return;
  const at = rule.source === undefined ? '' : `${rule.source}: `;
  if (state.kind === 'missing') {
    warnings.warn(
      what,
      `${at}there is no set ${rule.set}`,
      'it is looked for again; create it or correct its name',
    );
  } else if (state.kind === 'unfit') {
    warnings.warn(
      what,
      `${at}${state.why}`,
      'the rule can match nothing: correct its match, its family or the set',
    );
  }
}
