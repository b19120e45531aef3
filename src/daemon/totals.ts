import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { ResetOutcome } from './resetOutcome.ts';
import type { SuppressReason } from './tell.ts';
import type { IgnoreReason, Verdict } from './verdict.ts';

/** An hour. */
const LONGEST_US = 3_600_000_000;

type Counts<K extends string> = Record<K, number>;

function zeros<K extends string>(keys: readonly K[]): Counts<K> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Counts<K>;
}

/** What has happened since the start: plain counters, and the time from NEW to the answer of DELETE. */
export class Totals {
  /** NEW events received. */
  events = 0;
  /** Messages that could not be decoded, and were skipped. */
  malformed = 0;
  /** Flows that found the store full and were left to the next sweep. */
  shed = 0;
  /** Unclassified flows that were forgotten before their last question, because the store was full. */
  evicted = 0;
  overruns = 0;
  sweeps = 0;
  swept = 0;
  moved = 0;
  returned = 0;
  readonly verdicts: Counts<Verdict['kind']> = zeros([
    'ignored',
    'unclassified',
    'no-target',
    'placed',
    'misplaced',
  ]);
  readonly ignored: Counts<IgnoreReason> = zeros([
    'multicast',
    'broadcast',
    'loopback',
    'link-local',
    'connected',
    'exempt-destination',
    'exempt-source',
    'exempt-port',
    'unmarked',
    'foreign-mark',
    'unsupported-family',
  ]);
  readonly resets: Counts<ResetOutcome> = zeros([
    'deleted',
    'gone',
    'changed',
    'offloaded',
    'refused',
    'dry-run',
  ]);
  readonly suppressed: Counts<SuppressReason> = zeros([
    'budget',
    'client-budget',
    'cooldown',
    'breaker',
    'paused',
  ]);
  /** Microseconds. */
  #latency: RecordableHistogram | undefined;

  /** Notes how long a flow lived from its NEW event to the answer of its DELETE, in milliseconds. */
  noteLatency(ms: number): void {
    this.#latency ??= createHistogram({ lowest: 1, highest: LONGEST_US, figures: 3 });
    this.#latency.record(Math.max(1, Math.min(LONGEST_US, Math.round(ms * 1000))));
  }

  /** Percentiles of NEW to DELETE in milliseconds, null before the first. */
  get latencyMs(): {
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly max: number;
  } | null {
    const h = this.#latency;
    if (!h) return null;
    return {
      p50: h.percentile(50) / 1000,
      p90: h.percentile(90) / 1000,
      p99: h.percentile(99) / 1000,
      max: h.max / 1000,
    };
  }
}
