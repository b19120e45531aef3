import type { Clock, Timer } from '../nfnetlink/clock.ts';
import type { Engine } from './engine.ts';
import { checkEventsSetting } from './eventsSetting.ts';
import type { StateFiles } from './stateFiles.ts';
import type { Warnings } from './warnings.ts';

/** How often sets are learned anew and resets whose successor never came are forgotten. */
export const UPKEEP_MS = 1000;

export interface UpkeepParts {
  readonly clock: Clock;
  readonly files: StateFiles;
  readonly warnings: Warnings;
  /** The engine in force, asked each time. */
  readonly engine: () => Engine;
  /** Called when the table is to be swept again. */
  readonly onSweepDue: () => void;
}

/** What is done again and again: each second a look at the sets, every few minutes a sweep. */
export class Upkeep {
  readonly #parts: UpkeepParts;
  #second: Timer | undefined;
  #sweep: Timer | undefined;
  #stopped = false;

  constructor(parts: UpkeepParts) {
    this.#parts = parts;
  }

  begin(): void {
    this.armSweep();
    this.#armSecond();
  }

  /** Counts the interval of sweeps from now on: another plan may have another one. */
  armSweep(): void {
    if (this.#stopped) return;
    const { clock, files, warnings, engine, onSweepDue } = this.#parts;
    const { sweepMs } = engine().plan;
    this.#sweep?.cancel();
    checkEventsSetting(files, warnings, sweepMs);
    this.#sweep = clock.after(sweepMs, () => {
      onSweepDue();
      this.armSweep();
    });
  }

  /** Learns the engine's sets as they are now; what prevents it is warned of, and tried again. */
  async learnSets(engine: Engine): Promise<void> {
    const { warnings } = this.#parts;
    try {
      await engine.ruleSets.refresh();
      warnings.mended('ipset');
    } catch (error) {
      if (this.#stopped) return;
      const todo = 'resteer doctor says what is missing; it is tried again';
      warnings.warn('ipset', (error as Error).message, todo);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#second?.cancel();
    this.#sweep?.cancel();
  }

  #armSecond(): void {
    const { clock, engine } = this.#parts;
    this.#second = clock.after(UPKEEP_MS, () => {
      engine().upkeep();
      void this.learnSets(engine()).finally(() => {
        if (!this.#stopped) this.#armSecond();
      });
    });
  }
}
