/** What a benchmark is, and what it reports. */
import type { Toolchain } from './toolchain.ts';

/** Repeated measurements of one thing, in the row's unit. */
export type Samples = readonly number[];

/** One line of the table. */
export interface Row {
  readonly what: string;
  readonly unit: string;
  readonly ours: Samples;
  /** The same job done by another tool in the same run, in the same unit. */
  readonly peer?: { readonly name: string; readonly samples: Samples };
  /** `ratio`: ours to the peer's, at most; `value`: the median, at most, in the row's unit. */
  readonly target?: { readonly kind: 'ratio' | 'value'; readonly most: number };
  /** What a reader must know to understand the figure. */
  readonly note?: string;
}

/** Something that could not be measured here. */
export interface Skipped {
  readonly what: string;
  readonly skipped: string;
}

export interface Benchmark {
  /** What `npm run bench -- NAME` looks for. */
  readonly name: string;
  run(tools: Toolchain): Promise<readonly (Row | Skipped)[]>;
}

export const isSkipped = (row: Row | Skipped): row is Skipped => 'skipped' in row;
