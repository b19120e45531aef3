/** How many letters to insert, delete, replace or swap with their neighbour to make one text of the other. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swaps = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = swaps ? before[j - 2]! + 1 : replaced;
      next.push(Math.min(replaced, swapped, row[j]! + 1, next[j - 1]! + 1));
    }
    before = row;
    row = next;
  }
  return row[b.length]!;
}

/**
 * The candidate that was probably meant, whatever its case, or undefined where none is near: at most a
 * third of the letters may differ, and always one.
 */
export function nearest(text: string, candidates: readonly string[]): string | undefined {
  // a text this long is no misspelt name, and the comparison takes time by its length
  if (text.length > 64) return undefined;
  const wanted = text.toLowerCase();
  let best: string | undefined;
  let least = Math.max(1, Math.floor(text.length / 3)) + 1;
  for (const candidate of candidates) {
    const letters = distance(wanted, candidate.toLowerCase());
    if (letters < least) {
      least = letters;
      best = candidate;
    }
  }
  return best;
}

/** '; did you mean "wan"?', or nothing. */
export function suggestion(text: string, candidates: readonly string[]): string {
  const meant = nearest(text, candidates);
  return meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`;
}
