import { hasPortNumbers } from '../ctnetlink/protocol.ts';
import { addressLength } from './flowStore.ts';
import { contains } from './network.ts';
import type { Network, PlanRule, PortRange } from './plan.ts';
import type { ScopeFacts } from './scope.ts';
import type { Placement, Standing } from './standing.ts';

/** What a rule may look at beside the set. */
export interface RuleFacts extends ScopeFacts {
  /** Looked at for protocols with port numbers only. */
  readonly sourcePort: number;
}

/**
 * The rules whose sets must be asked about a flow, in order, into `into`; returns how many.
 * A rule's answer can matter only up to the last rule that would call the flow misplaced: behind it a hit
 * and a miss lead to the same deed, which is none.
 */
export function candidatesOf(standing: Standing, flow: RuleFacts & Placement, into: number[]): number {
  let count = 0;
  let matter = 0;
  const { rules } = standing.plan;
  for (let r = 0; r < rules.length; r++) {
    if (!fits(rules[r]!, flow)) continue;
    into[count++] = r;
    if (!standing.stays(r, flow)) matter = count;
    // it takes the flow: no rule behind it is reached
    if (rules[r]!.set === null) break;
  }
  return matter;
}

/** Whether everything of the rule but its set fits the flow. */
export function fits(rule: PlanRule, flow: RuleFacts): boolean {
  if (rule.family !== undefined && (rule.family === 'ipv6') !== (flow.family === 10)) return false;
  if (rule.protocol !== undefined && rule.protocol !== flow.protocol) return false;
  if (!portFits(rule.destinationPorts, flow.protocol, flow.destinationPort)) return false;
  if (!portFits(rule.sourcePorts, flow.protocol, flow.sourcePort)) return false;
  return (
    addressFits(rule.sources, flow, flow.sourceAt) && addressFits(rule.destinations, flow, flow.destinationAt)
  );
}

/** No network means any address. */
function addressFits(networks: readonly Network[], { family, bytes }: RuleFacts, at: number): boolean {
  if (networks.length === 0) return true;
  const length = addressLength(family);
  for (const network of networks)
    if (network.address.length === length && contains(network, bytes, at)) return true;
  return false;
}

/** No range means any port, and no port. */
function portFits(ranges: readonly PortRange[], protocol: number, port: number): boolean {
  if (ranges.length === 0) return true;
  if (!hasPortNumbers(protocol)) return false;
  for (const { from, to } of ranges) if (port >= from && port <= to) return true;
  return false;
}
