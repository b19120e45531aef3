/**
 * What is to become of a flow, told anew in plain words and without the daemon's code: the first rule that the
 * flow fits and whose set holds it decides; right are its online interfaces of the lowest metric.
 */
import type { Plan, PlanRule } from '../../src/daemon/plan.ts';
import { type Host, host, isWithin, type Net, netOf } from './host.ts';

/** A flow as the world knows it. */
export interface OracleFlow {
  readonly protocol: number;
  readonly source: Host;
  readonly destination: Host;
  /** TCP's and UDP's; for ICMP `port` is type and code. */
  readonly sourcePort: number | undefined;
  readonly port: number | undefined;
  readonly mark: number;
}

export type OracleVerdict = 'ignored' | 'unclassified' | 'no-target' | 'placed' | 'misplaced';

/** The state of the world at one moment, or what may be taken for it. */
export interface WorldState {
  /** Whether a rule's set holds the flow; 'maybe' where the daemon may not know yet. */
  readonly holds: (rule: PlanRule, flow: OracleFlow) => boolean | 'maybe';
  readonly online: readonly boolean[];
  /** As `online`; of interfaces whose last change has not settled, what they were before. */
  readonly before: readonly boolean[];
  /** As `online`, but for those that came so recently that the firewall may not send flows there yet. */
  readonly followed: readonly boolean[];
  readonly connected: readonly Net[];
}

const special: readonly Net[] = [
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 4],
  ['255.255.255.255', 32],
  ['::1', 128],
  ['fe80::', 10],
  ['ff00::', 8],
].map(([text, prefix]) => ({ host: host(text as string), prefix: prefix as number }));

/** Which interface the mark names; undefined for none. */
export function interfaceOf({ markMask, interfaces }: Plan, mark: number): number | undefined {
  const index = interfaces.findIndex((each) => each.mark === (mark & markMask) >>> 0);
  return index === -1 ? undefined : index;
}

function isOutOfScope(
  plan: Plan,
  { source, destination, protocol, port }: OracleFlow,
  around: readonly Net[],
) {
  const { destinations, sources, ports } = plan.exempt;
  if ([...special, ...around, ...destinations.map(netOf)].some((net) => isWithin(destination, net)))
    return true;
  if (sources.some((net) => isWithin(source, netOf(net)))) return true;
  const hasPorts = protocol === 6 || protocol === 17;
  return ports.some(
    (exempt) =>
      (exempt.protocol === undefined ? hasPorts : exempt.protocol === protocol) &&
      hasPorts &&
      port! >= exempt.ports.from &&
      port! <= exempt.ports.to,
  );
}

/** Whether all of the rule but its set fits. */
export function fitsRule(rule: PlanRule, flow: OracleFlow): boolean {
  const { protocol, source, destination, sourcePort, port } = flow;
  const family = destination.bits === 32 ? 'ipv4' : 'ipv6';
  if (rule.family !== undefined && rule.family !== family) return false;
  if (rule.protocol !== undefined && rule.protocol !== protocol) return false;
  const hasPorts = protocol === 6 || protocol === 17;
  const isPortIn = (ranges: PlanRule['sourcePorts'], value: number | undefined) =>
    ranges.length === 0 || (hasPorts && ranges.some(({ from, to }) => value! >= from && value! <= to));
  if (!isPortIn(rule.sourcePorts, sourcePort) || !isPortIn(rule.destinationPorts, port)) return false;
  const isIn = (nets: PlanRule['sources'], address: Host) =>
    nets.length === 0 || nets.some((net) => isWithin(address, netOf(net)));
  return isIn(rule.sources, source) && isIn(rule.destinations, destination);
}

/** The rule's interfaces that are online and carry the family. */
function usable(plan: Plan, rule: PlanRule, isIpv6: boolean, online: readonly boolean[]) {
  return rule.members.filter(({ interface: index }) => {
    const { family } = plan.interfaces[index]!;
    return online[index] && (family === undefined || (family === 'ipv6') === isIpv6);
  });
}

/** The best of them: those that new flows are sent by. */
export function best(plan: Plan, rule: PlanRule, isIpv6: boolean, online: readonly boolean[]): number[] {
  const members = usable(plan, rule, isIpv6, online);
  return members
    .filter(({ metric }) => members.every((other) => other.metric >= metric))
    .map((member) => member.interface);
}

function staysOn(
  plan: Plan,
  rule: PlanRule,
  isIpv6: boolean,
  online: readonly boolean[],
  on: number,
): boolean {
  if (!online[on]) return rule.failover === 'preserve';
  const isPreserving = (rule.failback ?? (rule.set === null ? 'preserve' : 'reset')) === 'preserve';
  if (!isPreserving) return best(plan, rule, isIpv6, online).includes(on);
  return rule.set === null || usable(plan, rule, isIpv6, online).some((member) => member.interface === on);
}

/** A verdict, and the rule that it follows from. */
export interface OracleDecision {
  readonly verdict: OracleVerdict;
  readonly rule?: PlanRule;
}

/** Every decision that can follow where not all is known; one where it is. */
export function decisionsOf(plan: Plan, flow: OracleFlow, state: WorldState): OracleDecision[] {
  const on = interfaceOf(plan, flow.mark);
  if (on === undefined || isOutOfScope(plan, flow, state.connected)) return [{ verdict: 'ignored' }];
  const isIpv6 = flow.destination.bits === 128;
  const decisions: OracleDecision[] = [];
  for (const rule of plan.rules) {
    if (!fitsRule(rule, flow)) continue;
    const held = rule.set === null ? true : state.holds(rule, flow);
    if (held === false) continue;
    decisions.push({ verdict: verdictUnder(plan, rule, isIpv6, state, on), rule });
    if (held === true) return decisions;
  }
  return [...decisions, { verdict: 'unclassified' }];
}

function verdictUnder(
  plan: Plan,
  rule: PlanRule,
  isIpv6: boolean,
  state: WorldState,
  on: number,
): OracleVerdict {
  if (rule.exempt) return 'ignored';
  if (best(plan, rule, isIpv6, state.online).length === 0) return 'no-target';
  if (best(plan, rule, isIpv6, state.followed).length === 0) return 'placed';
  const stays = [state.online, state.before].some((online) => staysOn(plan, rule, isIpv6, online, on));
  // none of them has proved itself: each is good for the flows that it carries
  const areAllNew = best(plan, rule, isIpv6, state.before).length === 0;
  const isGood =
    areAllNew && usable(plan, rule, isIpv6, state.followed).some((each) => each.interface === on);
  return stays || isGood ? 'placed' : 'misplaced';
}
