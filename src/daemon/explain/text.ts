import { flowText } from '../flowDescription.ts';
import { durationText, listText, padded } from '../plainText.ts';
import type { FlowExplanation, RuleExplanation } from './explain.ts';
import type { Explanation } from './gather.ts';

/** The explanation in words, step by step. */
export function explanationText(explanation: Explanation): string {
  const { destination, flows, hasMore, assumed } = explanation;
  const inTable = flows.filter((flow) => flow.inTable).length;
  const what =
    inTable === 0
      ? `No such flow to ${destination} is in the table; what would happen to one${assumed.length > 0 ? ` (assumed: ${assumed.join(', ')})` : ''}:`
      : `${inTable} flow${inTable === 1 ? '' : 's'} to ${destination} in the table${hasMore ? ', and more that are not shown' : ''}:`;
  return [...aroundLines(explanation), what, ...flows.map((flow) => flowLines(flow, explanation)), ''].join(
    '\n',
  );
}

function aroundLines({ daemon, hold, interfaces }: Explanation): string[] {
  const asked =
    daemon === null
      ? 'No daemon was asked: what it remembers of flows that came back is not known here.'
      : `Asked the running daemon (${daemon}).`;
  const rows = interfaces.map(
    ({ name, mark, online }) => [name, `mark ${hex(mark)}, ${online ? 'online' : 'offline'}`] as const,
  );
  return [
    asked,
    ...(hold === null ? [] : [`But ${hold}.`]),
    '',
    'Interfaces',
    ...padded(rows).map((line) => `  ${line}`),
    '',
  ];
}

function flowLines(flow: FlowExplanation, explanation: Explanation): string {
  const head = flow.inTable
    ? flowText({ ...flow.flow, id: flow.flow.id! })
    : `one on ${flow.interface ?? 'no interface'}`;
  const rows: (readonly [string, string])[] = [
    ['mark', markText(flow)],
    ['scope', scopeText(flow)],
    ...flow.rules.map((rule) => [`rule ${rule.rule}`, ruleText(rule)] as const),
    ['verdict', verdictText(flow)],
    ['action', actionText(flow, explanation)],
    ...flow.obstacles.map((obstacle) => ['but', obstacle] as const),
  ];
  return ['', head, ...padded(rows).map((line) => `  ${line}`)].join('\n');
}

function markText({ flow, interface: name, reason }: FlowExplanation): string {
  const mark = hex(flow.mark);
  if (name !== null) return `${mark}: interface ${name}`;
  return reason === 'unmarked'
    ? `${mark}: no bit of the mask is set`
    : `${mark}: no interface of the configuration`;
}

const reasonTexts: Readonly<Record<string, string>> = {
  multicast: 'the destination is a multicast address',
  broadcast: 'the destination is the broadcast address',
  loopback: 'the destination is this machine',
  'link-local': 'the destination is link-local',
  connected: 'the destination is in a directly connected network',
  'exempt-destination': 'the destination is exempt',
  'exempt-source': 'the source is exempt',
  'exempt-port': 'the destination port is exempt',
  unmarked: 'the flow has no mark',
  'foreign-mark': 'the mark is of no interface',
  'unsupported-family': 'neither IPv4 nor IPv6',
};

function scopeText({ reason, network, rules }: FlowExplanation): string {
  if (rules.length > 0 || reason === null) return 'in scope: neither connected nor exempt';
  return `out of scope: ${reasonTexts[reason]}${network === null ? '' : ` (${network})`}`;
}

function ruleText(rule: RuleExplanation): string {
  if (rule.unfit !== null && rule.answer === null) return unaskedText(rule);
  const wants = listText(rule.expected, 'or') || 'none that is online';
  const set = rule.set === null ? 'takes every flow that it fits' : setText(rule);
  if (rule.exempts) return `leaves alone what is in it: ${set}${rule.decides ? '; it decides' : ''}`;
  const decides = rule.decides ? '; it decides' : '';
  const asked = rule.matters || rule.asked === null ? '' : '; the daemon need not ask it';
  return `wants ${wants}: ${set}${decides}${asked}`;
}

function unaskedText({ set, setType, unfit }: RuleExplanation): string {
  const type = setType === null ? '' : ` (${setType})`;
  return `does not apply: ${unfit}${set === null ? '' : `; set ${set}${type} is not asked`}`;
}

function setText({ set, setType, asked, answer }: RuleExplanation): string {
  const said = { in: 'is in', 'not in': 'is not in', 'no answer': 'got no answer from' }[
    answer ?? 'no answer'
  ];
  return `${asked} ${said} set ${set} (${setType})`;
}

function verdictText({ verdict, reason, decidedBy, expected, interface: name }: FlowExplanation): string {
  const wants = listText(expected, 'or');
  switch (verdict) {
    case 'ignored':
      return `ignored: ${reasonTexts[reason!]}${decidedBy === null ? '' : ` (rule ${decidedBy})`}`;
    case 'unclassified':
      return 'unclassified: no rule takes it';
    case 'no-target':
      return `no target: rule ${decidedBy} takes it, and none of its interfaces is online`;
    case 'placed':
      if (decidedBy === null) return `placed: no rule could want it elsewhere than on ${name}`;
      return expected.includes(name!)
        ? `placed: rule ${decidedBy} wants it on ${wants}, and it is on ${name}`
        : `placed: rule ${decidedBy} prefers ${wants}, and leaves it on ${name} (failover and failback)`;
    case 'misplaced':
      return `MISPLACED: rule ${decidedBy} wants it on ${wants}, and it is on ${name}`;
  }
}

function actionText(
  { action, effect, inTable }: FlowExplanation,
  { recheckMs, sweepMs }: Explanation,
): string {
  if (action === 'reset') return `its entry is deleted${inTable ? '' : ' once it is seen'}: ${effect}`;
  const sweeps = `every sweep, each ${durationText(sweepMs)}`;
  if (action === 'recheck') {
    const times = recheckMs.map((ms) => (ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`));
    return `asked about again ${listText(times, 'and')} after it began, by new elements of watched sets, and by ${sweeps}`;
  }
  return `left alone; looked at again by ${sweeps}`;
}

const hex = (mark: number) => `0x${mark.toString(16)}`;
