import type { Network } from './plan.ts';

/**
 * Which flows a sweep judges: all, those on some interfaces (by their marks), or those to or from some
 * addresses (what a set's new elements name).
 */
export type SweepScope =
  | { readonly kind: 'all' }
  | { readonly kind: 'interfaces'; readonly marks: readonly number[] }
  | {
      readonly kind: 'networks';
      readonly end: 'source' | 'destination';
      readonly networks: readonly Network[];
    };

export const WHOLE_TABLE: SweepScope = { kind: 'all' };

/** More networks than this are looked for in one pass over the whole table. */
const MOST_NETWORKS = 256;

/** The smallest scope here that holds both. */
export function mergeScopes(a: SweepScope, b: SweepScope): SweepScope {
  if (a.kind === 'interfaces' && b.kind === 'interfaces') {
    return { kind: 'interfaces', marks: [...new Set([...a.marks, ...b.marks])] };
  }
  if (a.kind === 'networks' && b.kind === 'networks' && a.end === b.end) {
    const networks = [...a.networks, ...b.networks];
    if (networks.length <= MOST_NETWORKS) return { ...a, networks };
  }
  return WHOLE_TABLE;
}
