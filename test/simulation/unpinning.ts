import type { PlanRule } from '../../src/daemon/plan.ts';
import { elementRequest } from '../../src/ipset/index.ts';
import { ATTRIBUTES_AT } from '../../src/nfnetlink/index.ts';
import type { OracleFlow } from './oracle.ts';
import { MARK_MASK } from './scenario.ts';
import { stickySetsOf } from './stickyPins.ts';
import type { World } from './world.ts';

/** Which clients the daemon has taken out of sticky sets, and whether it might. */
export class Unpinning {
  readonly #world: World;
  /** When each was last taken out. */
  readonly #done = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
  }

  /**
   * Notes a deletion from a set that the kernel does, or refuses.
   * @param flows those that were read last, which it may be for
   * @returns what is wrong with it, or undefined
   */
  asked(bytes: Uint8Array, isDone: boolean, flows: readonly OracleFlow[]): string | undefined {
    const { clock, plan } = this.#world;
    const now = clock.now();
    const { setName, data } = elementRequest.decode(bytes, ATTRIBUTES_AT, bytes.length);
    const pin = `${setName} ${data?.ip} ${data?.mark}`;
    if (isDone) this.#done.set(pin, now);
    if (plan.at(now).dryRun) return `${pin} was removed in a dry run`;
    // another plan keeps the names
    const { rules } = this.#world.scenario.plan;
    const isOfFlow = flows.some((flow) => rules.some((rule) => this.#pinsOf(rule, flow).includes(pin)));
    return isOfFlow ? undefined : `${pin} was removed and holds no flow that was read`;
  }

  /** Whether nothing holds the flow under the rule since then. */
  isFree(rule: PlanRule, flow: OracleFlow, since: number): boolean {
    return this.#pinsOf(rule, flow).every((pin) => this.#done.get(pin)! >= since);
  }

  #pinsOf(rule: PlanRule, { source, mark }: OracleFlow): string[] {
    const sets = stickySetsOf(rule, source).filter((name) => this.#world.kernel.sets.has(name));
    return sets.map((set) => `${set} ${source.text} ${(mark & MARK_MASK) >>> 0}`);
  }
}
