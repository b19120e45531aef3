/** One seed's run: the daemon's own code in a world that follows from the seed. */
import { Daemon } from '../../src/daemon/daemon.ts';
import { eventText } from '../../src/daemon/eventText.ts';
import type { Plan } from '../../src/daemon/plan.ts';
import { ModelSockets, VirtualClock } from '../../src/model/index.ts';
import { Chance } from './chance.ts';
import type { Mutant } from './mutants.ts';
import { Referee } from './referee.ts';
import { makeScenario, type Scenario } from './scenario.ts';
import { EPOCH_MS, World } from './world.ts';

/** More steps are a loop without end. */
const MOST_STEPS = 300_000;
/** The daemon starts, and ends, within so long. */
const PATIENCE_MS = 30_000;

export interface RunOptions {
  /** Receives each line of the story. */
  readonly trace?: (line: string) => void;
  /** What of the daemon is broken, to show that the referee sees it. */
  readonly mutant?: Mutant;
}

export interface RunResult {
  readonly seed: number;
  /** What was not as promised; empty where all was. */
  readonly violations: readonly string[];
  /** A number that is the same for the same story. */
  readonly hash: number;
  readonly steps: number;
  readonly deletions: number;
  /** How often the circuit breaker opened. */
  readonly openings: number;
}

/** What the clock does, the world, the daemon and the kernel say, as one number. */
class Story {
  hash = 0x811c9dc5;
  readonly #clock: VirtualClock;
  readonly #trace: ((line: string) => void) | undefined;

  constructor(clock: VirtualClock, trace: ((line: string) => void) | undefined) {
    this.#clock = clock;
    this.#trace = trace;
  }

  say(what: string): void {
    const line = `${this.#clock.now().toFixed(1)} ${what}`;
    for (let i = 0; i < line.length; i++) this.hash = Math.imul(this.hash ^ line.charCodeAt(i), 0x01000193);
    this.#trace?.(line);
  }
}

/** Runs one seed. Resolves whatever happens: what was thrown is a violation. */
export async function simulate(seed: number, options: RunOptions = {}): Promise<RunResult> {
  const scenario = makeScenario(seed);
  const clock = new VirtualClock(0, MOST_STEPS);
  const story = new Story(clock, options.trace);
  const world = new World(scenario, clock, (what) => story.say(what));
  const referee = new Referee(world);
  const thrown: string[] = [];
  const note = (error: unknown) => void thrown.push(`thrown: ${(error as Error).stack ?? error}`);
  process.on('unhandledRejection', note);
  try {
    await live({ scenario, clock, story, world, referee }, options);
  } catch (error) {
    note(error);
  }
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  return {
    seed,
    violations: [...thrown, ...referee.violations],
    hash: story.hash >>> 0,
    steps: clock.steps,
    deletions: referee.deletions.length,
    openings: referee.openings,
  };
}

interface Run {
  readonly scenario: Scenario;
  readonly clock: VirtualClock;
  readonly story: Story;
  readonly world: World;
  readonly referee: Referee;
}

async function live(run: Run, { mutant }: RunOptions): Promise<void> {
  const { scenario, clock, story, world, referee } = run;
  const sockets = new ModelSockets(world.kernel);
  const planOf = (plan: Plan) => mutant?.plan?.(plan) ?? plan;
  const daemon = await clock.settle(
    Daemon.start({
      plan: planOf(scenario.plan),
      sockets: mutant?.sockets?.(sockets, world.kernel) ?? sockets,
      clock,
      wallNow: () => EPOCH_MS + clock.now(),
      files: mutant?.files?.(world.files) ?? world.files,
      tell: (event) => {
        story.say(event.event === 'stopped' ? 'stopped' : eventText(event));
        referee.tell(event);
      },
      kernelRelease: '6.18.0',
    }),
    PATIENCE_MS,
  );
  mutant?.daemon?.(daemon);
  world.onPlan = (plan) => {
    referee.reloaded();
    void daemon.reload(planOf(plan));
  };
  meddle(run, daemon);
  referee.onBreaker = () => answerBreaker(run, daemon);
  look(run, daemon);
  await clock.run(world.quietFrom + scenario.quietMs);
  referee.checkHold(daemon.engine.guard);
  referee.checkConvergence();
  await clock.settle(daemon.stop(), PATIENCE_MS);
  referee.over();
  checkEnd(run, daemon);
  // what was left waiting would show itself now
  await clock.run(clock.now() + 10_000);
}

function resume({ story, referee }: Run, daemon: Daemon): void {
  story.say('resumed');
  referee.resumed();
  daemon.resume();
}

/** An operator who sees that the breaker has opened: mends the firewall, or does not, and lets resets go on. */
function answerBreaker(run: Run, daemon: Daemon): void {
  const { scenario, clock, referee, world } = run;
  const chance = new Chance(scenario.seed * 29 + referee.openings);
  if (chance.percent(20)) return;
  clock.after(chance.between(100, 4000), () => {
    if (world.isQuiet) return;
    if (chance.percent(50)) world.mend();
    // one reload at a time: a second waits until the first is done
    if (world.plan.changes.length === 0 && !scenario.nextPlan && chance.percent(30))
      world.change(scenario.plan);
    else resume(run, daemon);
  });
}

/** An operator pauses the daemon, lets it go on, and asks for sweeps. */
function meddle(run: Run, daemon: Daemon): void {
  const { scenario, clock, referee, story } = run;
  const chance = new Chance(scenario.seed * 13 + 5);
  if (chance.percent(10)) {
    const pausedAt = chance.below(scenario.busyMs);
    clock.after(pausedAt, () => {
      story.say('paused');
      daemon.pause();
      referee.paused();
    });
    clock.after(pausedAt + chance.below(scenario.busyMs), () => resume(run, daemon));
  }
  if (chance.percent(10)) clock.after(chance.below(scenario.busyMs), () => void daemon.sweep());
}

/** Each second: that nothing has grown over its bound. */
function look(run: Run, daemon: Daemon): void {
  run.clock.after(1000, () => {
    const { depths, plan } = daemon.engine;
    if (depths.pending > plan.limits.pendingFlows)
      run.referee.violations.push(`${depths.pending} flows wait, ${plan.limits.pendingFlows} may`);
    run.referee.checkHold(daemon.engine.guard);
    const accounted = depths.pending + depths.judging + depths.deferred + depths.resetting;
    if (accounted > depths.stored)
      run.referee.violations.push(`queues hold ${accounted} of ${depths.stored} flows`);
    if (!run.world.isQuiet) look(run, daemon);
  });
}

function checkEnd({ world, referee, scenario }: Run, daemon: Daemon): void {
  const expect = (what: string, is: number, should: number) => {
    if (is !== should) referee.violations.push(`${what}: ${is} and not ${should}`);
  };
  expect('sockets that are open after the stop', world.kernel.sockets.size, 0);
  expect('folders that are watched after the stop', world.files.watchers, 0);
  expect('flows that are stored after the stop', daemon.engine.store.size, 0);
  const stopped = referee.told.find(({ event }) => event === 'stopped') as Stopped | undefined;
  if (!stopped) {
    referee.violations.push('no totals were told');
    return;
  }
  const count = (event: string) => referee.told.filter((each) => each.event === event).length;
  const resets = referee.told.filter((each) => each.event === 'reset');
  for (const [outcome, total] of Object.entries(stopped.resets))
    expect(`resets ${outcome}`, total, resets.filter((reset) => reset.outcome === outcome).length);
  for (const what of ['moved', 'returned'] as const) expect(what, stopped[what], count(what));
  expect('overruns', stopped.overruns, count('overrun'));
  expect('sweeps', stopped.sweeps.done, count('sweep'));
  const { lost, late } = scenario.faults;
  if (lost + late === 0) expect('flows deleted', stopped.resets.deleted!, referee.deletions.length);
}

interface Stopped {
  readonly resets: Readonly<Record<string, number>>;
  readonly moved: number;
  readonly returned: number;
  readonly overruns: number;
  readonly sweeps: { readonly done: number };
}
