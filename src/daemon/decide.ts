import type { Placement, Standing } from './standing.ts';
import type { Verdict } from './verdict.ts';

/** A set's answer about a flow: a set that is not there holds nothing (MISS), one that did not answer might. */
export const ANSWER = { MISS: 0, HIT: 1, UNKNOWN: 2 } as const;

const UNCLASSIFIED: Verdict = { kind: 'unclassified' };
const EXEMPT: Verdict = { kind: 'ignored', reason: 'exempt-destination' };
const UNTOUCHED: Verdict = { kind: 'placed', rule: undefined };

/**
 * The verdict on a flow that is in scope: the FIRST rule, in order, whose set holds it decides, as the
 * firewall would have decided; the answer of a rule without a set is HIT. Pure; everything it uses is in its arguments.
 * @param candidates the rules that were asked (candidatesOf), in order; only the first `count` count
 * @param answers their sets' answers, index by index
 */
export function decide(
  standing: Standing,
  flow: Placement,
  candidates: ArrayLike<number>,
  answers: ArrayLike<number>,
  count: number,
): Verdict {
  if (count === 0) return UNTOUCHED;
  for (let i = 0; i < count; i++) {
    // an unknown answer might be a hit that decides otherwise: nothing behind it may act
    if (answers[i] === ANSWER.UNKNOWN) return UNCLASSIFIED;
    if (answers[i] !== ANSWER.HIT) continue;
    const rule = candidates[i]!;
    if (standing.plan.rules[rule]!.exempt) return EXEMPT;
    if (!standing.hasTarget(rule, flow.family)) return { kind: 'no-target', rule };
    if (standing.stays(rule, flow)) return { kind: 'placed', rule };
    return { kind: 'misplaced', rule };
  }
  return UNCLASSIFIED;
}
