import { IPPROTO } from '../ctnetlink/constants.ts';
import { AF } from '../nfnetlink/constants.ts';
import { addressLength } from './flowStore.ts';
import type { Plan, PlanRule } from './plan.ts';
import { familiesOf } from './planJson.ts';
import { hasPortNumbers, isIcmp, protocolName } from './protocol.ts';

/** What is allowed in a plan and hardly meant: one sentence each. */
export function planWarnings(plan: Plan): string[] {
  const warnings: string[] = [];
  const seen = new Set<string>();
  for (const rule of plan.rules) {
    const say = (what: string) => warnings.push(`rule ${rule.name}: ${what}`);
    if (seen.has(rule.name)) say('another rule has the same name: logs cannot tell them apart');
    seen.add(rule.name);
    if (!carries(plan, rule)) say(`none of its interfaces carries ${rule.family}: it can never apply`);
    if (!hasSources(rule)) say(`none of its sources is ${rule.family}: it can never apply`);
    if (asksPort(rule) && !hasSetPort(rule)) {
      say(`sets hold no ports of protocol ${protocolName(rule.protocol!)}: it can never apply`);
    }
  }
  return warnings;
}

function carries(plan: Plan, rule: PlanRule): boolean {
  return rule.members.some(({ interface: index }) => {
    const { family } = plan.interfaces[index]!;
    return family === undefined || familiesOf(rule).includes(family);
  });
}

function hasSources({ family, sources }: PlanRule): boolean {
  if (family === undefined || sources.length === 0) return true;
  const length = addressLength(family === 'ipv6' ? AF.INET6 : AF.INET);
  return sources.some(({ address }) => address.length === length);
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
