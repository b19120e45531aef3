import { IPPROTO } from '../ctnetlink/constants.ts';
import { hasPortNumbers, isIcmp, protocolName } from '../ctnetlink/protocol.ts';
import { AF } from '../nfnetlink/constants.ts';
import { addressLength } from './flowStore.ts';
import type { Family, Network, Plan, PlanRule } from './plan.ts';
import { familiesOf } from './planJson.ts';

/** What is allowed in a plan and hardly meant: one sentence each. */
export function planWarnings(plan: Plan): string[] {
  const warnings: string[] = [];
  const seen = new Set<string>();
  for (const rule of plan.rules) {
    if (rule.exempt) continue;
    const say = (what: string) => warnings.push(`rule ${rule.name}: ${what}`);
    if (seen.has(rule.name)) say('another rule has the same name: logs cannot tell them apart');
    seen.add(rule.name);
    if (!carries(plan, rule)) say(`none of its interfaces carries ${rule.family}: it can never apply`);
    for (const end of ['sources', 'destinations'] as const) {
      if (!hasAddresses(rule.family, rule[end]))
        say(`none of its ${end} is ${rule.family}: it can never apply`);
    }
    if (asksPort(rule) && !hasSetPort(rule)) {
      say(`sets hold no ports of protocol ${protocolName(rule.protocol!)}: it can never apply`);
    }
  }
  return warnings;
}

function carries(plan: Plan, rule: PlanRule): boolean {
  if (rule.members.length === 0) return true;
  return rule.members.some(({ interface: index }) => {
    const { family } = plan.interfaces[index]!;
    return family === undefined || familiesOf(rule).includes(family);
  });
}

function hasAddresses(family: Family | undefined, networks: readonly Network[]): boolean {
  if (family === undefined || networks.length === 0) return true;
  const length = addressLength(family === 'ipv6' ? AF.INET6 : AF.INET);
  return networks.some(({ address }) => address.length === length);
}

function asksPort({ match }: PlanRule): boolean {
  return match.includes('dport') || match.includes('sport');
}

// ip_set_get_ip4_port() in net/netfilter/ipset/ip_set_getport.c: ICMP's type and code stand in a port's
// place, and DCCP's ports are not read
function hasSetPort({ protocol }: PlanRule): boolean {
  if (protocol === undefined || isIcmp(protocol)) return true;
  return hasPortNumbers(protocol) && protocol !== IPPROTO.DCCP;
}
