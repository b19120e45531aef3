/** Plans, flows and addresses for tests of the daemon's pure parts. */
import type { RuleFacts } from '../../src/daemon/candidates.ts';
import { decodeNetwork } from '../../src/daemon/config/networks.ts';
import type { Network, Plan, PlanInterface, PlanRule } from '../../src/daemon/plan.ts';
import type { Placement } from '../../src/daemon/standing.ts';
import { parseAddress } from '../../src/nfnetlink/address.ts';

export const INET = 2;
export const INET6 = 10;

export function network(text: string): Network {
  return decodeNetwork(text);
}

/** An interface; its mark is not looked at by what comes behind the door. */
export function uplink(name: string, more: Partial<PlanInterface> = {}): PlanInterface {
  return { name, id: null, mark: 0x100, ...more };
}

/** A rule for these interfaces, by index, all of one metric unless members say otherwise. */
export function rule(interfaces: readonly number[], more: Partial<PlanRule> = {}): PlanRule {
  return {
    name: 'rule',
    set: 'set',
    match: ['dst'],
    sourcePorts: [],
    destinationPorts: [],
    sources: [],
    destinations: [],
    members: interfaces.map((index) => ({ interface: index, metric: 1 })),
    policy: null,
    sticky: null,
    ...more,
  };
}

/** A rule that needs no set: it takes every flow that it fits. */
export function plainRule(interfaces: readonly number[], more: Partial<PlanRule> = {}): PlanRule {
  return rule(interfaces, { set: null, match: [], ...more });
}

/** A rule that puts the flows in its set out of scope. */
export function exemptRule(more: Partial<PlanRule> = {}): PlanRule {
  return rule([], { exempt: 'required', ...more });
}

export function plan(interfaces: readonly PlanInterface[], rules: readonly PlanRule[]): Plan {
  return {
    markMask: 0x3f00,
    interfaces,
    rules,
    exempt: { destinations: [], sources: [], ports: [] },
    recheckMs: [500, 1000],
    sweepMs: 300_000,
    limits: { resetsPerSecond: 200, resetsPerClientPerSecond: 20, pendingFlows: 1024, cooldownMs: 60_000 },
    dryRun: false,
  };
}

/** A flow as every pure part sees it, its addresses behind three bytes of something else. */
export function flow(
  source: string,
  destination: string,
  more: Partial<Omit<RuleFacts, 'bytes' | 'family'> & Placement> = {},
): RuleFacts & Placement {
  const [from, to] = [parseAddress(source)!, parseAddress(destination)!];
  const bytes = new Uint8Array(3 + from.length + to.length).fill(0xa5);
  bytes.set(from, 3);
  bytes.set(to, 3 + from.length);
  return {
    family: from.length === 4 ? INET : INET6,
    protocol: 6,
    sourcePort: 40_000,
    destinationPort: 443,
    interface: 0,
    firstSeen: 0,
    age: 0,
    isEstablished: false,
    bytes,
    sourceAt: 3,
    destinationAt: 3 + from.length,
    ...more,
  };
}
