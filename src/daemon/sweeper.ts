import {
  encodeListFlows,
  type FlowFilter,
  FlowView,
  type KernelFeatures,
  planFilter,
} from '../ctnetlink/index.ts';
import { formatAddress } from '../nfnetlink/address.ts';
import { AF } from '../nfnetlink/constants.ts';
import { DecodeError } from '../nfnetlink/errors.ts';
import type { Requester } from '../nfnetlink/requester.ts';
import type { Engine } from './engine.ts';
import { FLOW_FLAG } from './flowStore.ts';
import { contains } from './network.ts';
import type { Network } from './plan.ts';
import { MISPLACED } from './standing.ts';
import { mergeScopes, type SweepScope } from './sweepScope.ts';
import type { SweepCause, Tell } from './tell.ts';

/** What one sweep saw. */
export interface SweepResult {
  readonly cause: SweepCause;
  /** Entries read. */
  readonly flows: number;
  readonly misplaced: number;
  readonly ms: number;
}

export interface SweeperParts {
  readonly requester: Requester;
  readonly features: KernelFeatures;
  /** The engine that judges, asked at the start of each sweep. */
  readonly engine: () => Engine;
  readonly now: () => number;
  /** Whether there is nothing to read; without it the table is read to see. */
  readonly isTableEmpty?: () => boolean;
  readonly tell: Tell;
  readonly onDone: (result: SweepResult) => void;
  readonly onFailure: (error: unknown) => void;
}

/**
 * Causes after which a young flow may wait for no recheck: its event was missed, its engine is gone, or it could
 * not be misplaced while the interfaces were as they were.
 */
const recheckCauses: readonly SweepCause[] = ['start', 'overrun', 'shed', 'reload', 'interface'];
/** Flows that may wait for their verdict, or their reset, before the dump waits. */
const MOST_BACKLOG = 8192;
/** Addresses that are worth a dump each with the kernel comparing; more are looked for in one pass. */
const MOST_FILTERED = 4;

interface Wish {
  readonly cause: SweepCause;
  readonly scope: SweepScope;
  readonly settle: ((result: SweepResult | undefined) => void)[];
}

/**
 * Reads the table and has every flow in scope judged. One sweep runs and at most one waits; wishes that come
 * meanwhile are merged into the one that waits.
 */
export class Sweeper {
  readonly #parts: SweeperParts;
  readonly #view = new FlowView();
  #running = false;
  #waiting: Wish | undefined;
  #stopped = false;

  constructor(parts: SweeperParts) {
    this.#parts = parts;
  }

  get isRunning(): boolean {
    return this.#running;
  }

  /** Wishes a sweep; resolves with what the sweep that granted it saw, undefined where it failed. */
  request(cause: SweepCause, scope: SweepScope): Promise<SweepResult | undefined> {
    if (this.#stopped) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const waiting = this.#waiting;
      const settle = waiting?.settle ?? [];
      settle.push(resolve);
      this.#waiting = {
        // a sweep for an overrun does more with what it finds than one for a timer
        cause: waiting && recheckCauses.includes(waiting.cause) ? waiting.cause : cause,
        scope: waiting ? mergeScopes(waiting.scope, scope) : scope,
        settle,
      };
      if (!this.#running) void this.#run();
    });
  }

  /** Lets a running sweep end and starts no other: who waits for one is told that there is none. */
  stop(): void {
    this.#stopped = true;
    for (const settle of this.#waiting?.settle ?? []) settle(undefined);
    this.#waiting = undefined;
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting) {
      const wish = this.#waiting;
      this.#waiting = undefined;
      let result: SweepResult | undefined;
      try {
        result = await this.#sweep(wish);
        this.#parts.tell({ event: 'sweep', ...result });
        this.#parts.onDone(result);
      } catch (error) {
        this.#parts.onFailure(error);
      }
      for (const settle of wish.settle) settle(result);
    }
    this.#running = false;
  }

  async #sweep({ cause, scope }: Wish): Promise<SweepResult> {
    const { requester, features, engine: engineNow, now } = this.#parts;
    const engine = engineNow();
    const start = now();
    const flags = recheckCauses.includes(cause) ? FLOW_FLAG.RECHECK : 0;
    const judged = userSpaceMatch(scope, engine);
    let flows = 0;
    const filters = this.#parts.isTableEmpty?.() ? [] : filtersOf(scope, engine);
    for (const filter of filters) {
      const plan = planFilter(filter, features);
      const request = encodeListFlows(plan.family, plan.attributes);
      let isWaiting = false;
      await requester.visit(request, (bytes, from, to) => {
        flows++;
        if (this.#isWanted(bytes, from, to, plan.matches, judged)) engine.takeEntry(bytes, from, to, flags);
        if (isWaiting || engine.backlog <= MOST_BACKLOG) return undefined;
        isWaiting = true;
        return engine.drained().then(() => {
          isWaiting = false;
        });
      });
    }
    const misplaced = await engine.sweepVerdicts();
    return { cause, flows, misplaced, ms: Math.round(now() - start) };
  }

  /** A malformed entry is wanted: the engine counts it. */
  #isWanted(
    bytes: Uint8Array,
    start: number,
    end: number,
    matches: (view: FlowView) => boolean,
    judged: ((view: FlowView) => boolean) | undefined,
  ): boolean {
    if (!judged) return true;
    try {
      const view = this.#view.attach(bytes, start, end);
      return matches(view) && judged(view);
    } catch (error) {
      if (error instanceof DecodeError) return true;
      throw error;
    }
  }
}

/** One dump a filter: what the kernel can leave out. */
function filtersOf(scope: SweepScope, engine: Engine): FlowFilter[] {
  if (scope.kind !== 'networks') {
    // with two uplinks and every rule for the same one, only the other's flows can be misplaced
    const marks = scope.kind === 'interfaces' ? scope.marks : possiblyWrong(engine);
    if (marks.length === 0) return [];
    // a dump a mark would walk the table as often: several are compared in user space
    return marks.length === 1 ? [{ mark: marks[0]!, markMask: engine.plan.markMask }] : [{}];
  }
  if (scope.networks.length <= MOST_FILTERED && scope.networks.every(isIpv4Host)) {
    return scope.networks.map(({ address }) => ({
      family: AF.INET,
      original: { [scope.end]: formatAddress(address) },
    }));
  }
  return [{}];
}

function isIpv4Host({ address, prefix }: Network): boolean {
  return address.length === 4 && prefix === 32;
}

/** The marks of the interfaces on which some rule's flows would be misplaced now. */
function possiblyWrong({ plan, standing }: Engine): number[] {
  const isWrong = (index: number) =>
    plan.rules.some((_, rule) =>
      [AF.INET, AF.INET6].some((family) => standing.misplaced(rule, family, index) !== MISPLACED.NONE),
    );
  return plan.interfaces.flatMap(({ mark }, index) => (isWrong(index) ? [mark] : []));
}

/** What user space must compare because no filter of the kernel's does. */
function userSpaceMatch(scope: SweepScope, { plan }: Engine): ((view: FlowView) => boolean) | undefined {
  if (scope.kind === 'all') return undefined;
  if (scope.kind === 'interfaces') {
    return (view) => scope.marks.includes((view.mark & plan.markMask) >>> 0);
  }
  const address = new Uint8Array(16);
  return (view) => {
    const tuple = view.original;
    const length = scope.end === 'source' ? tuple.copySource(address, 0) : tuple.copyDestination(address, 0);
    return scope.networks.some(
      (network) => network.address.length === length && contains(network, address, 0),
    );
  };
}
