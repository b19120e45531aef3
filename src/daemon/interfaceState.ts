import { dirname } from 'node:path';
import type { Clock, Timer } from '../nfnetlink/clock.ts';
import type { PlanInterface, Settle } from './plan.ts';
import type { Outage, StateHistory } from './standing.ts';
import { readStateFile, type StateFiles } from './stateFiles.ts';
import { WorkSigns } from './workSigns.ts';

/** Which interfaces are online, by index, and what was odd about their state files. */
export interface InterfaceStates {
  readonly online: readonly boolean[];
  readonly warnings: readonly string[];
}

/** States that are followed. */
export interface FollowedStates extends InterfaceStates, Required<StateHistory> {}

/** A change that has not settled. */
interface Change {
  readonly was: boolean;
  readonly until: number;
  /** Of one to online that the firewall has not followed yet: what `until` is once it has. */
  readonly provenAt?: number;
}

/** A file that is being written is empty for a moment: its interface stays as it was. */
const SETTLE_MS = 50;
/**
 * A change settles when the firewall has been at rest for half the time that it is given to follow, which is
 * looked at twice in that time; or when it has not come to rest within ten times that time.
 */
const REST = 1 / 2;
const LOOK = 1 / 4;
const LONGEST_WORK = 10;

/** Behind the notices of the file system, which do not come from every file system. */
const POLL_MS = 2000;

/**
 * Reads every interface's state: 'online' or 'offline' in its state file; offline where the file is missing
 * or says something else; online without a state file.
 * @param before the states of the last reading, which an empty file leaves as they are
 */
export function readInterfaceStates(
  interfaces: readonly PlanInterface[],
  files: Pick<StateFiles, 'read'>,
  before: readonly boolean[] = [],
): InterfaceStates {
  const warnings: string[] = [];
  const online = interfaces.map(({ name, stateFile }, index) => {
    if (stateFile === undefined) return true;
    const state = readStateFile(files, stateFile);
    if (state.warning !== undefined) warnings.push(`interface ${name}: ${stateFile}: ${state.warning}`);
    return state.online ?? before[index] ?? false;
  });
  return { online, warnings };
}

export interface InterfaceWatchOptions {
  /**
   * Hears the states after a change: which interfaces changed, by index; none where a warning is new, or a
   * change has settled, or come into force.
   */
  readonly onChange: (states: FollowedStates, changed: readonly number[]) => void;
  /** Changes settle at once without it. */
  readonly settle?: Settle;
  readonly files: StateFiles;
  readonly clock: Clock;
  /** The watch of the plan before: what it knows of interfaces of the same names is known here. */
  readonly previous?: InterfaceWatch;
}

/**
 * Follows the state files. Their folders are watched, not they themselves, since they are replaced by
 * renaming; a folder may vanish and come back. Everything is read again at least every two seconds.
 */
export class InterfaceWatch {
  readonly #interfaces: readonly PlanInterface[];
  readonly #options: InterfaceWatchOptions;
  /** By folder: which one is watched, by its identity, and how to stop. */
  readonly #watched = new Map<string, { readonly identity: string; readonly stop: () => void }>();
  /** By interface index: a change that has not settled. */
  readonly #changes = new Map<number, Change>();
  /** By interface index: when it was offline last; until for ever while it is. */
  readonly #outages = new Map<number, Outage>();
  readonly #work: WorkSigns | undefined;
  #states: FollowedStates;
  #settled: Timer | undefined;
  #poll: Timer | undefined;
  #settling: Timer | undefined;
  #isClosed = false;

  /** Reads the states at once; nothing is watched where no interface has a state file. */
  constructor(interfaces: readonly PlanInterface[], options: InterfaceWatchOptions) {
    this.#interfaces = interfaces;
    this.#options = options;
    const { files, clock, settle } = options;
    this.#work = settle?.workFolder ? new WorkSigns(files, clock, [settle.workFolder]) : undefined;
    const hasFiles = interfaces.some(({ stateFile }) => stateFile !== undefined);
    // watched before they are read: no change falls between
    if (hasFiles) this.#watchFolders();
    const read = readInterfaceStates(interfaces, options.files);
    const online = [...read.online];
    for (const [index, isOnline] of online.entries()) if (!isOnline) this.#wentOffline(index);
    if (options.previous) this.#inherit(options.previous, online);
    this.#states = this.#followed({ ...read, online });
    if (hasFiles) this.#pollLater();
    // what has changed since the watch before read it is a change like any other
    if (online.some((isOnline, index) => isOnline !== read.online[index])) this.#noticed();
  }

  get states(): FollowedStates {
    return this.#states;
  }

  /** No callback runs any more. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#poll?.cancel();
    this.#settling?.cancel();
    this.#settled?.cancel();
    for (const { stop } of this.#watched.values()) stop();
    this.#watched.clear();
  }

  #pollLater(): void {
    this.#poll = this.#options.clock.after(POLL_MS, () => {
      this.#watchFolders();
      this.#read();
      if (!this.#isClosed) this.#pollLater();
    });
    this.#poll.unref();
  }

  #noticed(): void {
    if (this.#settling || this.#isClosed) return;
    this.#settling = this.#options.clock.after(SETTLE_MS, () => {
      this.#settling = undefined;
      this.#watchFolders();
      this.#read();
    });
    this.#settling.unref();
  }

  #watchFolders(): void {
    const { files } = this.#options;
    const folders = new Set(
      this.#interfaces.flatMap(({ stateFile }) => (stateFile ? [dirname(stateFile)] : [])),
    );
    for (const folder of folders) {
      const identity = files.identify(folder);
      const watched = this.#watched.get(folder);
      if (watched?.identity === identity) continue;
      watched?.stop();
      this.#watched.delete(folder);
      // one that cannot be watched is polled all the same
      const stop = identity === undefined ? undefined : files.watch(folder, () => this.#noticed());
      if (identity !== undefined && stop) this.#watched.set(folder, { identity, stop });
    }
  }

  #read(): void {
    const before = this.#states;
    const after = readInterfaceStates(this.#interfaces, this.#options.files, before.online);
    const changed = [...after.online.keys()].filter((index) => after.online[index] !== before.online[index]);
    for (const index of changed) this.#begin(index, before.online[index]!);
    this.#states = this.#followed(after);
    const isSaid = after.warnings.every((warning) => before.warnings.includes(warning));
    if (changed.length > 0 || !isSaid) this.#options.onChange(this.#states, changed);
  }

  #inherit(previous: InterfaceWatch, online: boolean[]): void {
    for (const [index, { name }] of this.#interfaces.entries()) {
      const before = previous.#interfaces.findIndex((each) => each.name === name);
      if (before === -1) continue;
      online[index] = previous.#states.online[before]!;
      const change = previous.#changes.get(before);
      if (change && this.#options.settle) this.#changes.set(index, change);
      const outage = previous.#outages.get(before);
      if (outage) this.#outages.set(index, outage);
      else this.#outages.delete(index);
    }
    this.#armSettled();
  }

  #wentOffline(index: number): void {
    const { clock } = this.#options;
    // one that was back for a moment only has been offline all the time
    const isBrief = this.#changes.get(index)?.was === false;
    const from = (isBrief ? this.#outages.get(index)?.from : undefined) ?? clock.now();
    this.#outages.set(index, { from, to: Number.POSITIVE_INFINITY });
  }

  #cameOnline(index: number): void {
    const { clock, settle } = this.#options;
    const from = this.#outages.get(index)?.from ?? Number.NEGATIVE_INFINITY;
    // until the firewall has followed it goes on putting flows elsewhere
    this.#outages.set(index, { from, to: clock.now() + (settle?.offlineMs ?? 0) });
  }

  #begin(index: number, was: boolean): void {
    const { clock, settle } = this.#options;
    const { offlineMs, onlineMs } = settle ?? { offlineMs: 0, onlineMs: 0 };
    const provenMs = was ? offlineMs : Math.max(offlineMs, onlineMs);
    if (was) this.#wentOffline(index);
    else this.#cameOnline(index);
    this.#changes.delete(index);
    if (provenMs === 0) return;
    const now = clock.now();
    this.#changes.set(index, { was, until: now + offlineMs, ...(!was && { provenAt: now + provenMs }) });
    this.#armSettled();
  }

  #armSettled(): void {
    this.#settled?.cancel();
    this.#settled = undefined;
    if (this.#changes.size === 0) return;
    const { clock } = this.#options;
    const first = Math.min(...[...this.#changes.values()].map(({ until }) => until));
    const left = Math.max(0, first - clock.now());
    this.#settled = clock.after(this.#work ? Math.min(left || this.#look, this.#look) : left, () =>
      this.#settle(),
    );
    this.#settled.unref();
  }

  get #look(): number {
    return this.#options.settle!.offlineMs * LOOK;
  }

  #settle(): void {
    const { clock, onChange, settle } = this.#options;
    const { offlineMs } = settle!;
    const isAtRest = !this.#work || this.#work.look() >= offlineMs * REST;
    const latest = clock.now() - (isAtRest ? 0 : offlineMs * LONGEST_WORK);
    const due = [...this.#changes].filter(([, { until }]) => until <= latest);
    for (const [index, { was, until, provenAt = until }] of due) {
      if (provenAt > until) this.#changes.set(index, { was, until: provenAt });
      else this.#changes.delete(index);
    }
    this.#armSettled();
    if (due.length === 0) return;
    this.#states = this.#followed(this.#states);
    onChange(this.#states, []);
  }

  #followed({ online, warnings }: InterfaceStates): FollowedStates {
    return {
      online,
      warnings,
      before: online.map((now, index) => this.#changes.get(index)?.was ?? now),
      inForce: online.map((now, index) => now && this.#changes.get(index)?.provenAt === undefined),
      outages: online.map((_, index) => this.#outages.get(index)),
    };
  }
}
