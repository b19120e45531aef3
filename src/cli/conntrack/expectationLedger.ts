import { decodeExpectation, type Expectation, encodeListExpectations } from '../../ctnetlink/expectation.ts';
import type { ExpectationEventKind } from './expectationText.ts';
import type { Ledger } from './healing.ts';

/** Expectations that are remembered at most: a kernel holds no more than 4,096 by default. */
const LIMIT = 1 << 14;

type PrintExpectation = (expectation: Expectation, kind: ExpectationEventKind) => void;

/** Where the reader knows an expectation from; `comparison`: the one under way, and its own event has not come. */
type Source = 'stock' | 'event' | 'comparison';

interface Told {
  readonly expectation: Expectation;
  source: Source;
  isMet: boolean;
}

/** The reader of expectation events: what it knows of the table, and what it is told after a loss. */
export class ExpectationLedger implements Ledger {
  readonly print: PrintExpectation;
  counts = { new: 0, destroyed: 0 };
  private readonly told = new Map<string, Told>();

  constructor(print: PrintExpectation) {
    this.print = print;
  }

  listing(): Uint8Array {
    return encodeListExpectations();
  }

  /** Takes over what an event says; false where a comparison has just told the same. */
  take(expectation: Expectation, kind: ExpectationEventKind): boolean {
    const key = keyOf(expectation);
    if (kind === 'destroy') {
      this.told.delete(key);
      return true;
    }
    const known = this.told.get(key);
    this.remember(key, expectation, 'event');
    return known?.source !== 'comparison';
  }

  forgetAdopted(): void {
    for (const [key, each] of this.told) if (each.source === 'stock') this.told.delete(key);
  }

  adopt(bytes: Uint8Array, start: number, end: number): void {
    const expectation = decodeExpectation(bytes, start, end);
    const key = keyOf(expectation);
    if (!this.told.has(key)) this.remember(key, expectation, 'stock');
  }

  beginRound(): void {
    this.counts = { new: 0, destroyed: 0 };
    for (const each of this.told.values()) each.isMet = false;
  }

  compare(bytes: Uint8Array, start: number, end: number): void {
    const expectation = decodeExpectation(bytes, start, end);
    const key = keyOf(expectation);
    const known = this.told.get(key);
    if (known) {
      known.isMet = true;
      return;
    }
    this.remember(key, expectation, 'comparison');
    this.print(expectation, 'new');
    this.counts.new++;
  }

  endRound(): void {
    for (const [key, each] of this.told) {
      each.source = 'event';
      if (each.isMet) continue;
      this.told.delete(key);
      this.print(each.expectation, 'destroy');
      this.counts.destroyed++;
    }
  }

  private remember(key: string, expectation: Expectation, source: Source): void {
    if (this.told.size < LIMIT || this.told.has(key))
      this.told.set(key, { expectation, source, isMet: true });
  }
}

/** What tells expectations apart. The rest stays as it was made, but for the time that is left. */
function keyOf({ family, masterTuple, tuple, mask, zone, id }: Expectation): string {
  return JSON.stringify([family, masterTuple, tuple, mask, zone, id]);
}
