import { decodeExpectation, type Expectation, encodeListExpectations } from '../../ctnetlink/expectation.ts';
import type { ExpectationEventKind } from './expectationText.ts';
import type { Ledger } from './healing.ts';

/** Expectations that are remembered at most: a kernel holds 1,024 by default. */
const LIMIT = 1 << 14;

type PrintExpectation = (expectation: Expectation, kind: ExpectationEventKind) => void;

interface Told {
  readonly expectation: Expectation;
  isMet: boolean;
  /** By the comparison that is under way, before its own event came. */
  isJustTold: boolean;
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
    if (known?.isJustTold) {
      known.isJustTold = false;
      return false;
    }
    this.remember(key, expectation, false);
    return true;
  }

  clear(): void {
    this.told.clear();
  }

  adopt(bytes: Uint8Array, start: number, end: number): void {
    const expectation = decodeExpectation(bytes, start, end);
    this.remember(keyOf(expectation), expectation, false);
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
    this.remember(key, expectation, true);
    this.print(expectation, 'new');
    this.counts.new++;
  }

  endRound(): void {
    for (const [key, each] of this.told) {
      each.isJustTold = false;
      if (each.isMet) continue;
      this.told.delete(key);
      this.print(each.expectation, 'destroy');
      this.counts.destroyed++;
    }
  }

  private remember(key: string, expectation: Expectation, isJustTold: boolean): void {
    if (this.told.size < LIMIT) this.told.set(key, { expectation, isMet: true, isJustTold });
  }
}

/** What tells expectations apart: all that the kernel tells but the time that is left. */
function keyOf({ family, masterTuple, tuple, mask, zone, id }: Expectation): string {
  return JSON.stringify([family, masterTuple, tuple, mask, zone, id]);
}
