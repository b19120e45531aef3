import { release } from 'node:os';
import { kernelFeatures } from '../ctnetlink/index.ts';
import type { Clock } from '../nfnetlink/clock.ts';
import { Engine } from './engine.ts';
import type { Plan } from './plan.ts';
import type { Survey } from './survey.ts';
import { Sweeper, type SweepResult } from './sweeper.ts';
import { WHOLE_TABLE } from './sweepScope.ts';
import type { Tell } from './tell.ts';
import { Totals } from './totals.ts';
import { Warnings } from './warnings.ts';

export interface SingleSweepParts {
  readonly plan: Plan;
  readonly survey: Survey;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  /** Hears each reset and each warning as it happens. */
  readonly tell: Tell;
}

export interface SingleSweep {
  readonly flows: number;
  readonly misplaced: number;
  readonly ms: number;
  readonly verdicts: Totals['verdicts'];
  readonly ignored: Totals['ignored'];
  readonly resets: Totals['resets'];
}

/** How often it is looked whether the last reset is done. */
const POLL_MS = 10;

/**
 * One pass over the table without a daemon: its engine judges every flow and resets the misplaced ones,
 * within the plan's budget. Resolves when the last is done.
 * @throws what the kernel refuses: EPERM without CAP_NET_ADMIN.
 */
export async function sweepOnce({
  plan,
  survey,
  clock,
  wallNow,
  tell,
}: SingleSweepParts): Promise<SingleSweep> {
  const { ctnetlink, ipset, connected, standing } = survey;
  const totals = new Totals();
  const now = () => clock.now();
  const engine = new Engine({
    ...{ plan, ctnetlink, ipset, clock, wallNow, tell, totals },
    warnings: new Warnings(tell, now),
    connected: () => connected.networks,
    online: standing.online,
    onShed: () => {},
  });
  await engine.ruleSets.refresh();
  const result = await sweepWith(engine, survey, clock);
  // what a budget holds back is judged again, and would be counted again
  const verdicts = { ...totals.verdicts, misplaced: result.misplaced };
  while (engine.store.size > 0) await new Promise<void>((resolve) => clock.after(POLL_MS, resolve));
  await engine.stop();
  const { flows, misplaced, ms } = result;
  return { flows, misplaced, ms, verdicts, ignored: totals.ignored, resets: totals.resets };
}

function sweepWith(engine: Engine, { ctnetlink }: Survey, clock: Clock): Promise<SweepResult> {
  return new Promise((resolve, reject) => {
    const sweeper = new Sweeper({
      requester: ctnetlink,
      features: kernelFeatures(release()),
      engine: () => engine,
      now: () => clock.now(),
      tell: () => {},
      onDone: resolve,
      onFailure: reject,
    });
    void sweeper.request('request', WHOLE_TABLE);
  });
}
