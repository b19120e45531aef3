import { type AddressList, type Prefix, PrefixTree } from './prefixTree.ts';
import { joinCosts, NOTHING_SAVED, shareOf } from './savings.ts';

export interface Folded {
  /** The prefixes that stand for each list, in ascending order, none inside another. */
  readonly lists: readonly (readonly Prefix[])[];
  /** How many addresses they hold that were in no list. */
  readonly added: number;
}

/** More addresses than a /16 has are no slack any more; the time that folding takes grows with it. */
export const MOST_SLACK = 65_535;

/**
 * The fewest prefixes that hold all addresses of all lists and at most `slack` others, over all lists
 * together; of the ways to have as few, one that adds the least.
 *
 * Exact: over the binary tree of each list it is reckoned, from the leaves up, what has to be added at least to
 * save one, two, three and so on prefixes below a node. A node either saves all but one of them, by standing
 * for its whole network, or divides what is to be saved between its two sides. Lists are joined like the sides
 * of a node that cannot stand for both. The time is at most of the order of the addresses times the prefixes
 * that the slack can save.
 */
export function foldAddresses(lists: readonly AddressList[], slack: number): Folded {
  const trees = lists.map((list) => new PrefixTree(list, slack));
  const upTo: Uint32Array[] = [NOTHING_SAVED];
  for (const tree of trees) upTo.push(joined(upTo.at(-1)!, tree.costs, slack));
  let saved = upTo.at(-1)!.length - 1;
  const added = upTo.at(-1)![saved]!;
  const folded: Prefix[][] = [];
  for (let i = trees.length - 1; i >= 0; i--) {
    const own = shareOf(upTo[i]!, trees[i]!.costs, upTo[i + 1]!, saved);
    folded.unshift(trees[i]!.prefixes(own));
    saved -= own;
  }
  return { lists: folded, added };
}

function joined(one: Uint32Array, other: Uint32Array, slack: number): Uint32Array {
  const costs = new Uint32Array(one.length + other.length - 1);
  return costs.slice(0, joinCosts(one, other, slack, costs));
}
