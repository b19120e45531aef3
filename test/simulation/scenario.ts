import type { Limits, MatchField, Plan, PlanInterface, PlanRule } from '../../src/daemon/plan.ts';
import type { SetTypeName } from '../../src/ipset/index.ts';
import { parseAddress } from '../../src/nfnetlink/index.ts';
import { Chance } from './chance.ts';
import { type Host, host, type Net } from './host.ts';
import { NO_STICKY_SET } from './stickyPins.ts';

/** A set of a scenario, as it is at the start. */
export interface ScenarioSet {
  readonly name: string;
  readonly type: SetTypeName;
  readonly family: 'ipv4' | 'ipv6';
  readonly match: readonly MatchField[];
  /** Whether elements have a timeout. */
  readonly isTimed: boolean;
  /** Whether it is there from the start; otherwise it is made later. */
  readonly exists: boolean;
}

/** What goes wrong between the daemon and the kernel, and how often. */
export interface Faults {
  /** Milliseconds that an answer or an event lies unread at most, when nothing is wrong. */
  readonly delay: number;
  /** Now and then reading stands still for so long. */
  readonly stall: number;
  /** Of each thousand requests, or hundred removals from sets: answers that are lost with ENOBUFS, and refusals. */
  readonly lost: number;
  readonly refused: number;
  /** Of each thousand readings: those that come so late that nobody waits any more. */
  readonly late: number;
  /** The receive buffer of the event socket. */
  readonly receiveBuffer: number | undefined;
}

/** A world that follows from its seed alone. */
export interface Scenario {
  readonly seed: number;
  readonly plan: Plan;
  /** Put in force in the middle, where there is one. */
  readonly nextPlan: Plan | undefined;
  readonly sets: readonly ScenarioSet[];
  readonly clients: readonly Host[];
  readonly destinations: readonly Host[];
  readonly connected: readonly Net[];
  /** How many flows the clients open, and for how long. */
  readonly flows: number;
  readonly busyMs: number;
  /** Moments of that time at which many of them begin at once. */
  readonly bursts: readonly number[];
  /** Afterwards nothing changes any more but what the daemon does. */
  readonly quietMs: number;
  /** Whether the periodic sweep comes often enough to find everything in the quiet time. */
  readonly isSwept: boolean;
  readonly faults: Faults;
  /** How often in a hundred the firewall marks a new flow without regard to its rules. */
  readonly misled: number;
  /** How often in a hundred it marks a new flow for where its rules forbid it, until they are mended. */
  readonly contrary: number;
  readonly hasTimestamps: boolean;
}

export const MARK_MASK = 0x3f00;
/** What an event takes of a receive buffer. */
const SMALLEST_CHARGE = 832;
const setTypes: readonly (readonly [SetTypeName, readonly MatchField[]])[] = [
  ['hash:ip', ['dst']],
  ['hash:ip', ['dst']],
  ['hash:ip', ['src']],
  ['hash:net', ['dst']],
  ['hash:ip,port', ['dst', 'dport']],
  ['hash:net,port', ['dst', 'dport']],
];

export function makeScenario(seed: number): Scenario {
  const chance = new Chance(seed * 2654435761);
  const hasIpv6 = chance.percent(40);
  const sets = makeSets(chance, hasIpv6);
  const contrary = makeContrary(seed);
  const drawn = withStickyRules(seed, makePlan(chance, sets));
  const plan = contrary > 0 ? hastyPlan(seed, drawn) : drawn;
  const isSwept = plan.sweepMs < 60_000;
  const faults = makeFaults(chance, isSwept);
  const isCrowded = chance.percent(5) || contrary > 0;
  const flows = isCrowded ? chance.between(70, 110) : chance.between(1, 40);
  const lastRecheck = plan.recheckMs.at(-1) ?? 0;
  const slowest = 4 * faults.delay + faults.stall + (faults.late > 0 ? 14_000 : 0);
  const limit = Math.min(plan.limits.resetsPerSecond, plan.limits.resetsPerClientPerSecond);
  const quietMs = 4000 + slowest + (isSwept ? 2 * plan.sweepMs : lastRecheck) + (flows * 1000) / limit;
  const busyMs = chance.between(2000, 12_000);
  return {
    seed,
    plan,
    nextPlan: chance.percent(15) ? changedPlan(chance, plan) : undefined,
    sets,
    clients: clientsOf(hasIpv6).slice(0, chance.between(2, 5)),
    destinations: chance.shuffled(destinationsOf(hasIpv6)).slice(0, chance.between(3, 8)),
    connected: [
      { host: host('192.0.2.0'), prefix: 24 },
      { host: host('2001:db8:c::'), prefix: 64 },
    ],
    flows,
    busyMs,
    bursts: chance.percent(50) ? [chance.below(busyMs), chance.below(busyMs)] : [],
    quietMs: Math.ceil(quietMs),
    isSwept,
    faults,
    misled: contrary > 0 ? 0 : chance.pick([0, 0, 5, 30, 60, 100]),
    contrary,
    hasTimestamps: chance.percent(30),
  };
}

/** In a few worlds the firewall sends so much back that the circuit breaker opens. */
function makeContrary(seed: number): number {
  const chance = new Chance(seed * 69_069 + 1);
  return chance.percent(1) ? chance.pick([50, 60, 80, 100, 100]) : 0;
}

/** In a few worlds some rules are sticky. */
function withStickyRules(seed: number, plan: Plan): Plan {
  const chance = new Chance(seed * 48_271 + 9);
  if (!chance.percent(15)) return plan;
  const rules = plan.rules.map((rule, index): PlanRule => {
    if (rule.exempt || chance.percent(40)) return rule;
    const gone = chance.percent(20) ? [NO_STICKY_SET] : [];
    const name = `sticky_${index}`;
    return { ...rule, sticky: { ipv4: [...gone, `${name}_v4`], ipv6: [...gone, `${name}_v6`] } };
  });
  return { ...plan, rules };
}

/** A plan that decides about every flow, and resets again so soon that the breaker is what stops it. */
function hastyPlan(seed: number, plan: Plan): Plan {
  const chance = new Chance(seed * 16_807 + 3);
  const limits = {
    resetsPerSecond: chance.pick([Number.POSITIVE_INFINITY, 200, 50]),
    resetsPerClientPerSecond: chance.pick([Number.POSITIVE_INFINITY, 20]),
    pendingFlows: 1024,
    cooldownMs: chance.pick([10, 50, 200]),
  };
  const [first, ...others] = plan.interfaces;
  const { family: _, stateFile: __, ...always } = first!;
  const all: PlanRule = {
    ...{ name: 'all', set: null, match: [], policy: null, sticky: null, failback: 'reset' },
    ...{ sourcePorts: [], destinationPorts: [], sources: [], destinations: [] },
    members: [{ interface: 0, metric: 1 }],
  };
  const interfaces = [always, ...others];
  return { ...plan, interfaces, rules: [...plan.rules, all], limits, dryRun: false };
}

function clientsOf(hasIpv6: boolean): Host[] {
  const ipv4 = [2, 3, 4, 5, 6].map((n) => host(`192.168.50.${n}`));
  const ipv6 = [2, 3].map((n) => host(`2001:db8:1::${n}`));
  return hasIpv6 ? [ipv4[0]!, ipv6[0]!, ipv4[1]!, ipv6[1]!, ipv4[2]!] : ipv4;
}

function destinationsOf(hasIpv6: boolean): Host[] {
  const ipv4 = [
    '203.0.113.10',
    '203.0.113.11',
    '203.0.113.20',
    '198.51.100.7',
    '198.51.100.200',
    '192.0.2.9',
  ];
  const special = ['224.0.0.251', '169.254.7.7', '255.255.255.255'];
  const ipv6 = ['2001:db8:f::10', '2001:db8:f::11', '2001:db8:e::1', '2001:db8:c::9', 'ff02::fb'];
  return [...ipv4, ...ipv4.slice(0, 3), special[0]!, ...(hasIpv6 ? ipv6 : special.slice(1))].map(host);
}

function makeSets(chance: Chance, hasIpv6: boolean): ScenarioSet[] {
  return Array.from({ length: chance.between(1, 3) }, (_, index) => {
    const [type, match] = chance.pick(setTypes);
    return {
      name: `app_${index}`,
      type,
      match,
      family: hasIpv6 && chance.percent(40) ? ('ipv6' as const) : ('ipv4' as const),
      isTimed: chance.percent(40),
      exists: chance.percent(85),
    };
  });
}

function makePlan(chance: Chance, sets: readonly ScenarioSet[]): Plan {
  const interfaces = Array.from({ length: chance.between(2, 4) }, (_, index): PlanInterface => {
    const name = `wan${index}`;
    return {
      name,
      id: null,
      mark: 0x100 * (index + 1),
      ...(chance.percent(15) && { family: chance.pick(['ipv4', 'ipv6'] as const) }),
      ...(chance.percent(60) && { stateFile: `/state/${name}` }),
    };
  });
  const isSwept = chance.percent(60);
  const recheck = [300, 500, 1000, 2000, 3000, 5000].filter(() => chance.percent(60));
  return {
    markMask: MARK_MASK,
    interfaces,
    rules: makeRules(chance, interfaces, sets),
    exempt: {
      destinations: chance.percent(15) ? [{ address: parseAddress('198.51.100.128')!, prefix: 25 }] : [],
      sources: chance.percent(10) ? [{ address: parseAddress('192.168.50.3')!, prefix: 32 }] : [],
      ports: chance.percent(15) ? [{ protocol: 17, ports: { from: 53, to: 53 } }] : [],
    },
    recheckMs: recheck.length > 0 ? recheck : [1000],
    sweepMs: isSwept ? chance.between(2000, 5000) : 300_000,
    limits: makeLimits(chance, isSwept),
    ...(chance.percent(20) && {
      settle: { offlineMs: chance.between(0, 3000), onlineMs: chance.between(0, 3000) },
    }),
    dryRun: chance.percent(3),
  };
}

function makeLimits(chance: Chance, isSwept: boolean): Limits {
  return {
    resetsPerSecond: chance.pick([Number.POSITIVE_INFINITY, 200, 50, 10, 4]),
    resetsPerClientPerSecond: chance.pick([Number.POSITIVE_INFINITY, 20, 8, 3]),
    // a flow that was forgotten is found by a sweep alone
    pendingFlows: isSwept ? chance.pick([2, 8, 1024]) : 1024,
    cooldownMs: chance.pick([1000, 5000, 60_000]),
  };
}

function makeRules(
  chance: Chance,
  interfaces: readonly PlanInterface[],
  sets: readonly ScenarioSet[],
): PlanRule[] {
  const rules: PlanRule[] = sets.map((set, index) => ({
    name: `rule ${index}`,
    set: set.name,
    match: set.match,
    family: set.family,
    ...(chance.percent(20) && { protocol: chance.pick([6, 17]) }),
    sourcePorts: [],
    destinationPorts: chance.percent(10) ? [{ from: 400, to: 6000 }] : [],
    sources: chance.percent(10) ? [{ address: parseAddress('192.168.50.0')!, prefix: 30 }] : [],
    destinations: [],
    members: makeMembers(chance, interfaces),
    policy: null,
    sticky: null,
    ...(chance.percent(15) && { failover: 'preserve' as const }),
    ...(chance.percent(15) && { failback: chance.pick(['preserve', 'reset'] as const) }),
    ...(chance.percent(10) && { exempt: 'required' as const, members: [] }),
    ...(chance.percent(40) && { watch: chance.percent(50) }),
  }));
  if (!chance.percent(25)) return rules;
  const { set: _, match: __, family: ___, watch: ____, ...plain } = rules[0]!;
  const last = { ...plain, name: 'plain', set: null, match: [], members: makeMembers(chance, interfaces) };
  return chance.percent(50) ? [...rules, last] : [{ ...last, protocol: 50 }, ...rules];
}

function makeMembers(chance: Chance, interfaces: readonly PlanInterface[]): PlanRule['members'] {
  const all = chance.shuffled([...interfaces.keys()]);
  return all
    .slice(0, chance.between(1, all.length - 1))
    .map((index) => ({ interface: index, metric: chance.pick([1, 1, 2]) }));
}

function changedPlan(chance: Chance, plan: Plan): Plan {
  return {
    ...plan,
    rules: chance.percent(50)
      ? [...plan.rules].reverse()
      : plan.rules.map((rule) =>
          rule.exempt ? rule : { ...rule, members: makeMembers(chance, plan.interfaces) },
        ),
  };
}

function makeFaults(chance: Chance, isSwept: boolean): Faults {
  const isFaulty = chance.percent(50);
  const often = () => (isFaulty && chance.percent(50) ? chance.between(1, 60) : 0);
  return {
    delay: chance.pick([0, 1, 5, 20]),
    stall: isFaulty && chance.percent(60) ? chance.between(50, 1500) : 0,
    lost: often(),
    late: isFaulty && chance.percent(30) ? chance.between(1, 15) : 0,
    // what the kernel refuses once is tried again by a sweep alone
    refused: isSwept ? often() : 0,
    receiveBuffer: isFaulty && chance.percent(60) ? chance.pick([1, 2, 3, 8]) * SMALLEST_CHARGE : undefined,
  };
}
