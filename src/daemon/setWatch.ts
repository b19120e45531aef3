import type { Element, IpsetClient, SetHeader } from '../ipset/index.ts';
import { parseAddress } from '../nfnetlink/address.ts';
import type { Clock, Timer } from '../nfnetlink/clock.ts';
import type { Network, Plan, PlanRule } from './plan.ts';
import { mergeScopes, type SweepScope, WHOLE_TABLE } from './sweepScope.ts';

/** Between two listings of a set, by its size: half a second for an empty one. */
const SHORTEST_MS = 500;
const LONGEST_MS = 10_000;
/** Without timeouts, sets of more elements are not watched unless the rule asks for it. */
const SMALL = 1024;
/** Larger sets are never watched: what is known of them would cost more than a sweep. */
export const MOST_WATCHED = 16_384;

export interface SetWatchParts {
  readonly plan: Plan;
  readonly client: IpsetClient;
  readonly clock: Clock;
  /** Hears which flows new elements concern. */
  readonly onNew: (scope: SweepScope) => void;
  /** Hears that a watched set is too large to be watched. */
  readonly onTooLarge: (rule: PlanRule) => void;
}

interface Watched {
  readonly rule: PlanRule;
  /** The rule's set. */
  readonly set: string;
  /** What the last listing held, and when each will have timed out by what it said; Infinity for never. */
  known: ReadonlyMap<string, number>;
  timer: Timer | undefined;
}

/**
 * Notices elements that are added to sets, of which the kernel tells nobody (ipset has no events): lists each
 * watched set again and again, less often the larger it is. Memory: one text an element, at most 16,384 a
 * set.
 */
export class SetWatch {
  readonly #parts: SetWatchParts;
  readonly #watched: Watched[];
  #stopped = false;

  constructor(parts: SetWatchParts) {
    this.#parts = parts;
    const watched = new Map<string, Watched>();
    for (const rule of parts.plan.rules) {
      // rules that share a set and look up different things of the flow each want their own notice
      const key = `${rule.set} ${rule.match.join(',')}`;
      const { set, watch } = rule;
      if (set === null || watch === false || watched.has(key)) continue;
      watched.set(key, { rule, set, known: new Map(), timer: undefined });
    }
    this.#watched = [...watched.values()];
  }

  /** Lists every set once, so that what is there now is not new; then begins to watch. */
  async start(): Promise<void> {
    await Promise.all(this.#watched.map((watched) => this.#look(watched, false)));
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#watched) timer?.cancel();
  }

  async #look(watched: Watched, tell: boolean): Promise<void> {
    let next = LONGEST_MS;
    try {
      next = await this.#list(watched, tell);
    } catch {
      // a set that is missing is told of where the rules' sets are learned; when it comes, all of it is new
      watched.known = new Map();
      next = SHORTEST_MS * 2;
    }
    if (this.#stopped) return;
    watched.timer = this.#parts.clock.after(next, () => void this.#look(watched, true));
    watched.timer.unref();
  }

  /** Lists one set and tells of what is new; gives the milliseconds until the next time. */
  async #list(watched: Watched, tell: boolean): Promise<number> {
    const { client, onNew } = this.#parts;
    const { rule, set } = watched;
    const header = await client.header(set);
    if (!this.#isWatchable(rule, header)) return LONGEST_MS;
    const known = new Map<string, number>();
    const now = this.#parts.clock.now();
    let scope: SweepScope | undefined;
    for await (const { elements } of client.listParts(set)) {
      for (const element of elements) {
        const key = keyOf(element);
        const expiry = expiryOf(element, now);
        known.set(key, expiry);
        if (!tell || element.nomatch || !isNew(watched.known.get(key), expiry, now)) continue;
        const concerned = scopeOf(rule, element, header);
        scope = scope ? mergeScopes(scope, concerned) : concerned;
      }
    }
    watched.known = known;
    if (scope && !this.#stopped) onNew(scope);
    return SHORTEST_MS + ((LONGEST_MS - SHORTEST_MS) * Math.min(known.size, MOST_WATCHED)) / MOST_WATCHED;
  }

  #isWatchable(rule: PlanRule, { elementCount, options }: SetHeader): boolean {
    if (elementCount <= SMALL) return true;
    if (rule.watch === undefined && options.timeout === undefined) return false;
    if (elementCount <= MOST_WATCHED) return true;
    this.#parts.onTooLarge(rule);
    return false;
  }
}

/**
 * When an element will be gone at the earliest. The kernel tells whole seconds, rounded down, but 1 for the
 * last one, whatever is left of it, and 0 for no end. Source: ip_set_timeout_get().
 */
function expiryOf({ timeout }: Element, now: number): number {
  if (!timeout) return Number.POSITIVE_INFINITY;
  return timeout === 1 ? now : now + timeout * 1000;
}

/** Also one whose time was over and that is there with more: it may have been gone in between. */
function isNew(before: number | undefined, expiry: number, now: number): boolean {
  return before === undefined || (before <= now && expiry > before + 1000);
}

/** What makes an element another one; its counters and what is left of its time do not. */
function keyOf({ ip, cidr, protocol, port, ip2, cidr2 }: Element): string {
  return `${ip ?? ''}/${cidr ?? ''},${protocol ?? ''}:${port ?? ''},${ip2 ?? ''}/${cidr2 ?? ''}`;
}

/**
 * The flows that an element can concern: those to its address, or from it, as the rule looks it up. The mask
 * that a set lays over addresses makes each of them a network.
 */
function scopeOf(rule: PlanRule, element: Element, { options }: SetHeader): SweepScope {
  // such a mask need not be a prefix
  if (options.bitmask !== undefined) return WHOLE_TABLE;
  const fields = rule.match.filter((field) => field === 'dst' || field === 'src');
  const ends = [
    { field: fields[0], network: networkOf(element.ip, element.cidr, options.netmask) },
    { field: fields[1], network: networkOf(element.ip2, element.cidr2, options.netmask) },
  ];
  for (const field of ['dst', 'src'] as const) {
    const network = ends.find((end) => end.field === field)?.network;
    if (!network) continue;
    return { kind: 'networks', end: field === 'dst' ? 'destination' : 'source', networks: [network] };
  }
  return WHOLE_TABLE;
}

function networkOf(ip: string | undefined, cidr?: number, netmask?: number): Network | undefined {
  const address = ip === undefined ? undefined : parseAddress(ip);
  if (!address) return undefined;
  const bits = address.length * 8;
  return { address, prefix: Math.min(cidr ?? bits, netmask ?? bits) };
}
