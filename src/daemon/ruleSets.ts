import { type IpsetClient, type SetShape, sameShape } from '../ipset/index.ts';
import { ERRNO } from '../nfnetlink/constants.ts';
import type { KernelError, NetlinkError } from '../nfnetlink/errors.ts';
import type { SetProbes } from './judge.ts';
import type { Plan, PlanRule } from './plan.ts';
import type { Probe } from './questionBatch.ts';
import { type SetProbe, setProbe } from './setProbe.ts';

/** What is known of a rule's set. */
export type SetState =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'missing' }
  /** It is there and can never hold a flow of the rule. */
  | { readonly kind: 'unfit'; readonly shape: SetShape; readonly why: string }
  | { readonly kind: 'usable'; readonly shape: SetShape; readonly probe: SetProbe };

const UNKNOWN: SetState = { kind: 'unknown' };
const MISSING: SetState = { kind: 'missing' };

/**
 * The sets of the plan's rules as the kernel has them now. A set can be destroyed and made again with
 * another type under the same name, and then every test of the old form answers 'not in the set': refresh()
 * learns them anew, and is to be called again and again.
 */
export class RuleSets implements SetProbes {
  readonly #plan: Plan;
  readonly #client: IpsetClient;
  readonly #onChange: (rule: PlanRule, state: SetState) => void;
  readonly #onFound: () => void;
  #states: SetState[];
  /** By rule: whether flows were judged while its set could not be asked. */
  readonly #missed: boolean[];

  /**
   * @param onChange hears of every set whose state is another than before, the first refresh included
   * @param onFound hears that a set can be asked that could not be, or not in this form, when flows were judged
   */
  constructor(
    plan: Plan,
    client: IpsetClient,
    onChange: (rule: PlanRule, state: SetState) => void,
    onFound: () => void = () => {},
  ) {
    this.#plan = plan;
    this.#client = client;
    this.#onChange = onChange;
    this.#onFound = onFound;
    this.#states = plan.rules.map(() => UNKNOWN);
    this.#missed = plan.rules.map(() => false);
  }

  state(rule: number): SetState {
    return this.#states[rule]!;
  }

  isKnown(rule: number): boolean {
    return this.#states[rule]!.kind !== 'unknown';
  }

  probe(rule: number, family: number, protocol: number): Probe | undefined {
    const state = this.#states[rule]!;
    if (state.kind !== 'usable') {
      this.#missed[rule] = true;
      return undefined;
    }
    const { probe } = state;
    return (probe.family === family || probe.family === 0) && probe.fits(protocol) ? probe : undefined;
  }

  /**
   * Asks the kernel for the header of every set.
   * @throws NetlinkError where the kernel could not be asked; what was known stays in force.
   */
  async refresh(): Promise<void> {
    const protocol = await this.#client.protocol();
    const names = [...new Set(this.#plan.rules.flatMap(({ set }) => set ?? []))];
    const shapes = new Map(
      await Promise.all(names.map(async (name) => [name, await this.#shapeOf(name)] as const)),
    );
    this.#states = this.#plan.rules.map((rule, index) => {
      const before = this.#states[index]!;
      if (rule.set === null) return before;
      const now = stateOf(rule, shapes.get(rule.set), protocol, before);
      if (now !== before) this.#changed(index, now);
      return now;
    });
  }

  #changed(index: number, now: SetState): void {
    const wasAsked = this.#states[index]!.kind === 'usable';
    this.#onChange(this.#plan.rules[index]!, now);
    if (now.kind !== 'usable' || !(wasAsked || this.#missed[index])) return;
    this.#missed[index] = false;
    this.#onFound();
  }

  async #shapeOf(name: string): Promise<SetShape | undefined> {
    try {
      return await this.#client.shape(name);
    } catch (error) {
      if ((error as NetlinkError).kind === 'kernel' && (error as KernelError).errno === ERRNO.ENOENT)
        return undefined;
      throw error;
    }
  }
}

function stateOf(rule: PlanRule, shape: SetShape | undefined, protocol: number, before: SetState): SetState {
  if (!shape) return before.kind === 'missing' ? before : MISSING;
  if ((before.kind === 'usable' || before.kind === 'unfit') && sameShape(before.shape, shape)) return before;
  const probe = setProbe(rule, shape, protocol);
  return typeof probe === 'string' ? { kind: 'unfit', shape, why: probe } : { kind: 'usable', shape, probe };
}
