/** Repetition and its statistics. */
import type { Row, Samples } from './benchmark.ts';

export function median(samples: Samples): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Ours to the peer's; undefined without a peer. */
export function ratioOf(row: Row): number | undefined {
  return row.peer && median(row.ours) / median(row.peer.samples);
}

/** Whether the row reaches its target; undefined where it has none. */
export function passes(row: Row): boolean | undefined {
  if (!row.target) return undefined;
  const value = row.target.kind === 'ratio' ? ratioOf(row) : median(row.ours);
  return value === undefined ? undefined : value <= row.target.most;
}

/**
 * Measures subjects in turn, round after round, so that a machine that slows down slows all of them.
 * @returns the measurements of each subject
 */
export async function interleave<Name extends string>(
  rounds: number,
  subjects: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(subjects) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  for (let round = 0; round < rounds; round++)
    for (const name of names) samples[name].push(await subjects[name]());
  return samples;
}
