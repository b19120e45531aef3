import type { Clock } from '../nfnetlink/clock.ts';
import type { StateFiles } from './stateFiles.ts';

/** What the files show of someone's work that are written while it goes on. To be looked at again and again. */
export class WorkSigns {
  readonly #files: Pick<StateFiles, 'newest'>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #folders: readonly string[];
  #written: number | undefined;
  #since: number;

  constructor(files: Pick<StateFiles, 'newest'>, clock: Pick<Clock, 'now'>, folders: readonly string[]) {
    this.#files = files;
    this.#clock = clock;
    this.#folders = folders;
    this.#written = this.#newest();
    this.#since = clock.now();
  }

  /** When the last of the files was written, in milliseconds since 1970; undefined where there is none. */
  get written(): number | undefined {
    return this.#written;
  }

  /** For how many milliseconds no file has been seen to be written. */
  look(): number {
    const written = this.#newest();
    if (written !== this.#written) this.#since = this.#clock.now();
    this.#written = written;
    return this.#clock.now() - this.#since;
  }

  #newest(): number | undefined {
    const times = this.#folders.flatMap((folder) => this.#files.newest(folder) ?? []);
    return times.length === 0 ? undefined : Math.max(...times);
  }
}
