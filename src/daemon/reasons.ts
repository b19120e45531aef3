import { AF } from '../nfnetlink/constants.ts';
import { familyName } from './plan.ts';
import type { Standing } from './standing.ts';
import type { Reason } from './tell.ts';

/** Why flows of a rule on an interface are misplaced, as things stand; made once for all of them. */
export class Reasons {
  readonly standing: Standing;
  readonly #made = new Map<number, Reason>();

  constructor(standing: Standing) {
    this.standing = standing;
  }

  /** @param family AF.INET or AF.INET6 */
  of(rule: number, index: number, family: number): Reason {
    const { rules, interfaces } = this.standing.plan;
    const key = (rule * interfaces.length + index) * 2 + (family === AF.INET6 ? 1 : 0);
    let reason = this.#made.get(key);
    if (!reason) {
      const expected = this.standing.expected(rule, familyName(family));
      reason = {
        rule: rules[rule]!.name,
        set: rules[rule]!.set,
        from: interfaces[index]!.name,
        expected: expected.map((each) => interfaces[each]!.name),
      };
      this.#made.set(key, reason);
    }
    return reason;
  }
}
