/** What may have been known of the world at some moment, and what followed from it. */
import type { Plan, PlanRule } from '../../src/daemon/plan.ts';
import type { ConntrackEntry } from '../../src/model/index.ts';
import type { Timeline } from './history.ts';
import {
  decisionsOf,
  type OracleDecision,
  type OracleFlow,
  type OracleVerdict,
  type WorldState,
} from './oracle.ts';
import type { World } from './world.ts';

/** Between a change of a state file and its reading at the latest. */
const POLL_MS = 2100;
/** Between a set's coming and its learning at the latest. */
const LEARN_MS = 1100;

/**
 * Without flaps: it looked neither before nor between two changes that followed one another. Late: it noticed a
 * change by polling alone, from when on that settles.
 */
type Sight = 'at once' | 'without flaps' | 'late';
const sights: readonly Sight[] = ['at once', 'without flaps', 'late'];

export class Hindsight {
  readonly #world: World;
  /** What lies at most between a flow's questions and its reading before the reset. */
  readonly window: number;

  constructor(world: World) {
    this.#world = world;
    const { delay, stall, late } = world.scenario.faults;
    this.window = 200 + 8 * delay + 3 * stall + (late > 0 ? 14_000 : 0);
  }

  get #now(): number {
    return this.#world.clock.now();
  }

  /**
   * Whether some moment of the window, seen as late as the daemon may have seen it, makes it misplaced under a rule
   * that `mayReset` it.
   */
  couldBeMisplaced(
    flow: OracleFlow,
    from: number,
    to: number,
    mayReset: (rule: PlanRule) => boolean,
  ): boolean {
    const isReset = ({ verdict, rule }: OracleDecision) => verdict === 'misplaced' && mayReset(rule!);
    const moments = this.momentsBetween(from, to);
    const states = this.momentsBetween(from - POLL_MS, to);
    return moments.some((moment) =>
      states.some((seen) =>
        [this.#world.plan.at(moment), this.#world.plan.at(to)].some((plan) =>
          sights.some((sight) =>
            decisionsOf(plan, flow, this.#stateAt(plan, moment, seen, to, sight)).some(isReset),
          ),
        ),
      ),
    );
  }

  /** Every moment within at which something changed, and its ends; the last, which tells most, comes first. */
  momentsBetween(from: number, to: number): number[] {
    const { sets, online, plan } = this.#world;
    const changes = [
      ...[...sets.values()].flatMap((set) => set.changes),
      ...online.flatMap((each) => each.changes),
      ...plan.changes,
    ];
    // a change that has just come, and one that comes with the very moment
    const within = changes.flatMap((at) => [at, at - 0.001]).filter((at) => at > from && at <= to);
    return [...new Set([to, from, ...within])];
  }

  /**
   * What the daemon may take for the state: sets of one moment, interfaces as they were `seen` last, changes by now.
   * @param sight how it saw the changes of interfaces
   */
  #stateAt(plan: Plan, moment: number, seen: number, asOf: number, sight: Sight = 'at once'): WorldState {
    const { online, scenario } = this.#world;
    const { settle } = plan;
    /** Whether its last change that was seen is younger than so long. */
    const isYoung = ({ changes }: Timeline<boolean>, length: number) => {
      const [change, last] = changes
        .filter((at) => at <= seen)
        .slice(-2)
        .reverse();
      if (change === undefined) return false;
      if (sight === 'without flaps' && last !== undefined && change - last < POLL_MS) return false;
      return asOf - change < length + (sight === 'late' ? POLL_MS : 0);
    };
    return {
      holds: (rule, flow) => this.#holdsAt(rule, flow, moment),
      online: online.map((each) => each.at(seen)),
      before: online.map((each) => {
        if (!settle) return each.at(seen);
        const { offlineMs, onlineMs } = settle;
        const length = each.at(seen) ? Math.max(offlineMs, onlineMs) : offlineMs;
        return isYoung(each, length) ? !each.at(seen) : each.at(seen);
      }),
      followed: online.map((each) => each.at(seen) && !(settle && isYoung(each, settle.offlineMs))),
      connected: scenario.connected,
    };
  }

  #holdsAt(rule: PlanRule, flow: OracleFlow, moment: number): boolean | 'maybe' {
    const set = this.#world.sets.get(rule.set!)!;
    const isInside = this.#world.contains(rule, flow, moment);
    const isYoung = set.exists.changes.some((at) => at > moment - LEARN_MS - this.window && at <= moment);
    return isInside && isYoung ? 'maybe' : isInside;
  }

  isMisplacedAt(flow: OracleFlow, at: number): boolean {
    return this.verdictAt(flow, at) === 'misplaced';
  }

  verdictAt(flow: OracleFlow, at: number): OracleVerdict {
    const plan = this.#world.plan.at(at);
    const state = this.#stateAt(plan, at, at, at);
    const known = { ...state, holds: (rule: PlanRule) => this.#world.contains(rule, flow, at) };
    return decisionsOf(plan, flow, known)[0]!.verdict;
  }

  /** Since when, without a break, the flow is misplaced that is so now. */
  misplacedSince(entry: ConntrackEntry, seen: OracleFlow, createdAt: number): number {
    const { marks } = this.#world.records.get(entry)!;
    const moments = [...this.momentsBetween(createdAt, this.#now), ...marks.changes].sort((a, b) => b - a);
    for (const moment of moments) {
      if (moment <= createdAt) break;
      const at = moment - 0.0001;
      if (!this.isMisplacedAt({ ...seen, mark: marks.at(at) }, at)) return moment;
    }
    return createdAt;
  }

  /** Whether a change of that moment makes the daemon look: an interface's, a plan's, a set's, a watched element. */
  changeIsNoticed(flow: OracleFlow, at: number): boolean {
    const { online, plan, sets } = this.#world;
    if ([plan, ...online].some(({ changes }) => changes.includes(at))) return true;
    // a set that comes is noticed, one that goes is not
    if ([...sets.values()].some(({ exists }) => exists.changes.includes(at) && exists.at(at))) return true;
    return plan
      .at(this.#now)
      .rules.some(
        (rule) =>
          rule.set !== null &&
          rule.watch !== false &&
          this.#world.contains(rule, flow, at) &&
          !this.#world.contains(rule, flow, at - 0.0001),
      );
  }
}
