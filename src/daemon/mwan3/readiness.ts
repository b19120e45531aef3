import type { Clock } from '../../nfnetlink/clock.ts';
import type { StateFiles } from '../stateFiles.ts';
import { WorkSigns } from '../workSigns.ts';
import { type Mwan3Paths, mwan3Paths } from './paths.ts';

/**
 * Whether mwan3 has set all of its rules since it started: the last thing that it does is write down the
 * user's rules (mwan3_set_user_rules(), from 22.03 on). Before, nothing shows that.
 */
export function isBuilt(files: Pick<StateFiles, 'identify'>, { log, lastLog }: Mwan3Paths): boolean {
  return files.identify(log) === undefined || files.identify(lastLog) !== undefined;
}

export interface ReadinessParts {
  readonly files: Pick<StateFiles, 'identify' | 'newest'>;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  /** The folder that takes the place of /. */
  readonly root: string;
  /** How long nothing may have been written. */
  readonly settleMs: number;
}

/** Settle times after which it is waited no longer. */
const LONGEST_WAIT = 15;
const LOOKS = 4;

/** Resolves when mwan3 runs and is at rest: its states are what its rules do. 'busy' where that does not come. */
export async function mwan3Readiness(parts: ReadinessParts): Promise<'ready' | 'stopped' | 'busy'> {
  const { files, clock, wallNow, settleMs } = parts;
  const paths = mwan3Paths(parts.root);
  const work = new WorkSigns(files, clock, [paths.states, paths.log]);
  for (let look = 0; look <= LONGEST_WAIT * LOOKS; look++) {
    if (files.identify(paths.states) === undefined) return 'stopped';
    const quietMs = work.look();
    const isOld = work.written === undefined || wallNow() - work.written >= settleMs;
    if ((isOld || quietMs >= settleMs) && isBuilt(files, paths)) return 'ready';
    await new Promise<void>((resolve) => clock.after(settleMs / LOOKS, resolve));
  }
  return 'busy';
}
