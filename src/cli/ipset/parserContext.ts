import type { Console } from './console.ts';
import type { CachedSet, Kernel } from './kernel.ts';
import type { Reading } from './reading.ts';
import type { Settings } from './settings.ts';

/** What reading a command line has at hand. */
export interface ParserContext {
  readonly reading: Reading;
  readonly settings: Settings;
  readonly console: Console;
  readonly kernel: Kernel;
  /** Sets that this process knows by heart: those that it made, and those that it has asked for. */
  readonly sets: Map<string, CachedSet>;
}
