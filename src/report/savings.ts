/**
 * What it costs to save prefixes: a list whose entry for 0, 1, 2, ... saved is how many addresses have to be added
 * at least, as far as the slack goes. It begins with 0 and never falls.
 */
export const NOTHING_SAVED: Uint32Array = Uint32Array.of(0);

const OUT_OF_REACH = 0xffffffff;

/**
 * Writes what it costs to save in two places together: the cheapest division of each number.
 * @param target as long as both lists together, less one
 * @returns how many entries are within the slack
 */
export function joinCosts(one: Uint32Array, other: Uint32Array, slack: number, target: Uint32Array): number {
  target.fill(OUT_OF_REACH, 0, one.length + other.length - 1);
  let reach = 0;
  for (let i = 0; i < one.length; i++) {
    const cost = one[i]!;
    const left = slack - cost;
    let j = 0;
    for (; j < other.length && other[j]! <= left; j++) {
      const sum = cost + other[j]!;
      if (sum < target[i + j]!) target[i + j] = sum;
    }
    reach = Math.max(reach, i + j);
  }
  return reach;
}

/** How many of `saved` the second place saves, where both together cost what `together` says. */
export function shareOf(
  first: Uint32Array,
  second: Uint32Array,
  together: Uint32Array,
  saved: number,
): number {
  const cost = together[saved]!;
  let own = Math.max(0, saved - first.length + 1);
  while (first[saved - own]! + second[own]! !== cost) own++;
  return own;
}
