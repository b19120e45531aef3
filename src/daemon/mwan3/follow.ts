import type { Clock, Timer } from '../../nfnetlink/clock.ts';
import type { StateFiles } from '../stateFiles.ts';
import { WorkSigns } from '../workSigns.ts';
import { type Mwan3Paths, mwan3Paths } from './paths.ts';
import { isBuilt } from './readiness.ts';

export interface Mwan3FollowerOptions {
  readonly files: StateFiles;
  readonly clock: Clock;
  /** The folder that takes the place of /. */
  readonly root: string;
  /** How long mwan3 must run again, or a state file be gone, until that is believed; in milliseconds. */
  readonly settleMs: number;
  /** mwan3 has stopped. */
  readonly onStopped: () => void;
  /** mwan3 has set its rules after it had stopped, or after a restart, and been at rest since. */
  readonly onStarted: () => void;
}

/** A look at a folder costs one system call. */
const POLL_MS = 1000;
/** Settle times after which a mwan3 that does not say that its rules are set is believed to have set them. */
const LONGEST_START = 30;

/**
 * Follows mwan3 through stops and restarts, and shows its state files as they were before them: a reload of
 * mwan3 removes all of its run-time files for a moment, which must not look like interfaces that went
 * offline.
 */
export class Mwan3Follower implements StateFiles {
  /** As in the options; another from a reload on. */
  settleMs: number;
  readonly #options: Mwan3FollowerOptions;
  readonly #paths: Mwan3Paths;
  readonly #states: string;
  readonly #work: WorkSigns;
  /** By path: what was read last while mwan3 ran. */
  readonly #known = new Map<string, string>();
  /** By path: since when a state file is gone. */
  readonly #missing = new Map<string, number>();
  /** Which run of mwan3 is followed; undefined while it is stopped. */
  #followed: string | undefined;
  /** Another run, and since when it is there. */
  #next: { readonly identity: string; readonly since: number } | undefined;
  #poll: Timer | undefined;
  #isClosed = false;

  constructor(options: Mwan3FollowerOptions) {
    const { files, clock, root } = options;
    const paths = mwan3Paths(root);
    this.settleMs = options.settleMs;
    this.#options = options;
    this.#paths = paths;
    this.#states = `${paths.states}/`;
    this.#work = new WorkSigns(files, clock, [paths.states, paths.log]);
    // one that is only just starting is looked at as one that stands still
    this.#followed = isBuilt(files, paths) ? files.identify(paths.run) : undefined;
  }

  get isStopped(): boolean {
    return this.#followed === undefined;
  }

  /** Begins to look; tells at once if mwan3 is stopped. */
  start(): void {
    if (this.isStopped) this.#options.onStopped();
    this.#pollLater();
  }

  /** No callback runs any more. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#poll?.cancel();
  }

  read(path: string): string | undefined {
    const { files, clock } = this.#options;
    const text = files.read(path);
    if (!path.startsWith(this.#states)) return text;
    // asked after the file: where the folder is still the same, it was while the file was read
    if (this.#followed === undefined || files.identify(this.#paths.run) !== this.#followed)
      return this.#known.get(path);
    if (text !== undefined) {
      this.#missing.delete(path);
      this.#known.set(path, text);
      return text;
    }
    // while mwan3 stops, its files go one after the other
    const since = this.#missing.get(path) ?? clock.now();
    this.#missing.set(path, since);
    if (clock.now() - since >= this.settleMs) this.#known.delete(path);
    return this.#known.get(path);
  }

  identify(folder: string): string | undefined {
    return this.#options.files.identify(folder);
  }

  newest(folder: string): number | undefined {
    return this.#options.files.newest(folder);
  }

  watch(folder: string, onChange: () => void): (() => void) | undefined {
    return this.#options.files.watch(folder, onChange);
  }

  #pollLater(): void {
    this.#poll = this.#options.clock.after(POLL_MS, () => {
      this.#look();
      if (!this.#isClosed) this.#pollLater();
    });
    this.#poll.unref();
  }

  #look(): void {
    const { files, clock, onStopped, onStarted } = this.#options;
    const identity = files.identify(this.#paths.run);
    const quietMs = this.#work.look();
    if (identity === this.#followed) {
      this.#next = undefined;
      return;
    }
    if (this.#followed !== undefined) {
      this.#followed = undefined;
      onStopped();
    }
    if (identity === undefined) this.#next = undefined;
    else if (this.#next?.identity !== identity) this.#next = { identity, since: clock.now() };
    else if (this.#hasStarted(clock.now() - this.#next.since, quietMs)) {
      this.#followed = identity;
      this.#next = undefined;
      this.#missing.clear();
      this.#known.clear();
      onStarted();
    }
  }

  #hasStarted(runsMs: number, quietMs: number): boolean {
    if (runsMs < this.settleMs || quietMs < this.settleMs / 2) return false;
    return isBuilt(this.#options.files, this.#paths) || runsMs >= this.settleMs * LONGEST_START;
  }
}
