import { protocolName } from '../ctnetlink/protocol.ts';
import { markText } from './config/marks.ts';
import { networkText } from './config/networks.ts';
import type { Plan, PlanRule, PortExemption, PortRange } from './plan.ts';
import { makeStanding } from './standing.ts';

/** The plan in words, for `check`. */
export function planText(plan: Plan, online: readonly boolean[], warnings: readonly string[]): string {
  return [
    ...interfaceLines(plan, online),
    ...ruleLines(plan, online),
    ...exemptLines(plan),
    ...limitLines(plan),
    ...(plan.dryRun ? ['Dry run: misplaced flows are reported and left alone.'] : []),
    ...warnings.map((warning) => `Warning: ${warning}`),
    '',
  ].join('\n');
}

function interfaceLines({ interfaces, markMask }: Plan, online: readonly boolean[]): string[] {
  const width = Math.max(0, ...interfaces.map(({ name }) => name.length));
  return [
    `Interfaces, told by the mark's bits ${markText(markMask)}:`,
    ...interfaces.map(({ name, mark, family, stateFile }, index) => {
      const state = online[index] ? 'online ' : 'offline';
      const source = stateFile ? `  (${stateFile})` : '';
      return `  ${name.padEnd(width)}  ${markText(mark).padEnd(10)}  ${state}  ${family ?? 'both families'}${source}`;
    }),
    '',
  ];
}

function ruleLines(plan: Plan, online: readonly boolean[]): string[] {
  const standing = makeStanding(plan, online);
  const names = (indices: readonly number[]) => indices.map((index) => plan.interfaces[index]!.name);
  const lines = ['Rules; the first whose set holds a flow decides:'];
  let number = 0;
  plan.rules.forEach((rule, r) => {
    if (rule.exempt) return;
    const inSet = rule.set === null ? '' : ` with ${rule.match.join(',')} in set ${rule.set}`;
    lines.push(`  ${++number}. ${rule.name}: ${flowsText(rule)}${inSet}`);
    if (rule.members.length === 0) {
      lines.push(`     stay where they are${policyText(rule)}`);
      return;
    }
    const now = (['ipv4', 'ipv6'] as const)
      .filter((family) => rule.family === undefined || rule.family === family)
      .map((family) => ({ family, list: names(standing.expected(r, family)).join(' or ') }));
    const [first] = now;
    const isSame = now.every(({ list }) => list === first!.list);
    const said = isSame
      ? expectation(first!.list)
      : now.map(({ family, list }) => `${family}: ${expectation(list)}`).join('; ');
    const ways = [
      rule.sticky !== null && '; sticky',
      rule.failover && `; failover: ${rule.failover}`,
      typeof rule.failback === 'string' && `; failback: ${rule.failback}`,
    ].filter(Boolean);
    lines.push(`     belong on ${membersText(plan, rule)}; now ${said}${ways.join('')}`);
  });
  return [...lines, ''];
}

function expectation(list: string): string {
  return list === '' ? 'none is online, so they stay where they are' : list;
}

function flowsText(rule: PlanRule): string {
  const words = [
    rule.family,
    rule.protocol === undefined ? undefined : protocolText(rule.protocol),
    'flows',
    rule.sources.length > 0 ? `from ${listed(rule.sources.map(networkText))}` : undefined,
    rule.destinations.length > 0 ? `to ${listed(rule.destinations.map(networkText))}` : undefined,
    rule.sourcePorts.length > 0 ? `from port ${listed(rule.sourcePorts.map(rangeText))}` : undefined,
    rule.destinationPorts.length > 0 ? `to port ${listed(rule.destinationPorts.map(rangeText))}` : undefined,
  ];
  return words.filter((word) => word !== undefined).join(' ');
}

function protocolText(protocol: number): string {
  const name = protocolName(protocol);
  return name === String(protocol) ? `protocol ${protocol}` : name;
}

function membersText(plan: Plan, rule: PlanRule): string {
  const { members } = rule;
  const isRanked = members.some(({ metric }) => metric !== members[0]!.metric);
  const list = members.map(({ interface: index, metric }) => {
    const { name } = plan.interfaces[index]!;
    return isRanked ? `${name} (metric ${metric})` : name;
  });
  return `${list.join(' or ')}${policyText(rule)}`;
}

function policyText({ policy }: PlanRule): string {
  return policy === null ? '' : ` (policy ${policy})`;
}

function exemptLines({ exempt, rules }: Plan): string[] {
  const lines = [
    ['to', exempt.destinations.map(networkText)],
    ['from', exempt.sources.map(networkText)],
    ['to what is in set', rules.flatMap((rule) => (rule.exempt && rule.set !== null ? rule.set : []))],
    ['to port', exempt.ports.map(exemptionText)],
  ] as const;
  const said = lines.filter(([, list]) => list.length > 0).map(([what, list]) => `  ${what} ${listed(list)}`);
  return said.length === 0
    ? []
    : ['Left alone, beside flows to networks on a link of this machine:', ...said, ''];
}

function limitLines({ recheckMs, sweepMs, limits }: Plan): string[] {
  const rechecks = recheckMs.map(durationText).join(', ');
  return [
    rechecks === ''
      ? 'Flows in no set are asked about once.'
      : `Flows in no set are asked about again ${rechecks} after they began; at most ${limits.pendingFlows} wait.`,
    `The whole table is looked through every ${durationText(sweepMs)}.`,
    `Resets: ${limitText(limits.resetsPerSecond)} a second, ${limitText(limits.resetsPerClientPerSecond)} of them ` +
      `for one client; a flow that returns rests for ${durationText(limits.cooldownMs)}, doubling up to 1h.`,
  ];
}

function limitText(limit: number): string {
  return limit === Number.POSITIVE_INFINITY ? 'any number' : `at most ${limit}`;
}

/** The largest unit that leaves a whole number: '5m', '1500ms'. */
function durationText(milliseconds: number): string {
  for (const [unit, length] of [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (milliseconds >= length && milliseconds % length === 0) return `${milliseconds / length}${unit}`;
  }
  return `${milliseconds}ms`;
}

function listed(items: readonly string[]): string {
  return items.join(', ');
}

function rangeText({ from, to }: PortRange): string {
  return from === to ? String(from) : `${from}-${to}`;
}

function exemptionText({ protocol, ports }: PortExemption): string {
  return protocol === undefined ? rangeText(ports) : `${protocolName(protocol)}/${rangeText(ports)}`;
}
