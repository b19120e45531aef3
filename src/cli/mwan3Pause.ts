import type { Daemon } from '../daemon/daemon.ts';
import { Mwan3Follower } from '../daemon/mwan3/follow.ts';
import { systemStateFiles } from '../daemon/stateFiles.ts';
import type { Tell } from '../daemon/tell.ts';
import { systemClock } from '../nfnetlink/clock.ts';

export interface Mwan3PauseParts {
  /** The folder that takes the place of /. */
  readonly root: string;
  readonly settleMs: number;
  /** Throws until there is a daemon. */
  readonly running: () => Daemon;
  readonly reloadNow: () => Promise<unknown>;
  readonly tell: Tell;
}

/** While mwan3 is stopped nothing is reset; when it is back, its configuration may be another. */
export function followMwan3({ root, settleMs, running, reloadNow, tell }: Mwan3PauseParts): Mwan3Follower {
  const follower = new Mwan3Follower({
    files: systemStateFiles,
    clock: systemClock,
    root,
    settleMs,
    onStopped: () => {
      running().pause('mwan3');
      tell({ event: 'mwan3', running: false });
    },
    onStarted: () => {
      tell({ event: 'mwan3', running: true });
      void reloadNow().then(() => {
        // it may have stopped again meanwhile
        if (!follower.isStopped) running().resume('mwan3');
      });
    },
  });
  return follower;
}
