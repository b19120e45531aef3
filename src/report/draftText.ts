import { protocolName } from '../ctnetlink/protocol.ts';
import type { DraftRule } from './draft.ts';
import { prefixText } from './prefixText.ts';
import type { Prefix } from './prefixTree.ts';

/** A list of so many networks is a set of its own, that rules name. */
const SET_FROM = 5;

/** The sources or the destinations of a rule. */
export interface RuleEnd {
  readonly side: 'from' | 'to';
  readonly prefixes: readonly string[];
  /** The name of the set that holds them, where they are many; at most 31 bytes, as ipset has it. */
  readonly set: string | undefined;
}

/** A rule with its parts as texts, as far as the formats have them in common. */
export interface RuleText {
  readonly rule: DraftRule;
  readonly from: RuleEnd;
  readonly to: RuleEnd;
  /** Within the 128 characters of nft; no quotes in it. */
  readonly comment: string;
}

export function ruleTexts(rules: readonly DraftRule[]): RuleText[] {
  return rules.map((rule) => ({
    rule,
    from: endOf(rule, 'from', rule.sources),
    to: endOf(rule, 'to', rule.destinations),
    comment: commentOf(rule),
  }));
}

/** The sets of all rules. */
export function setsOf(texts: readonly RuleText[]): (RuleEnd & { set: string; isIpv6: boolean })[] {
  return texts.flatMap(({ rule, from, to }) =>
    [from, to].flatMap((end) =>
      end.set === undefined ? [] : [{ ...end, set: end.set, isIpv6: rule.isIpv6 }],
    ),
  );
}

function endOf(rule: DraftRule, side: RuleEnd['side'], prefixes: readonly Prefix[]): RuleEnd {
  const set = prefixes.length < SET_FROM ? undefined : `seen-${serviceName(rule)}-${side}`;
  return { side, prefixes: prefixes.map(prefixText), set };
}

/** 'tcp4-443', 'icmp6-128-0', '47v4', 'tcp4-443-nat'. */
function serviceName({ protocol, isIpv6, port, icmp, isTranslated }: DraftRule): string {
  const name = protocolName(protocol).replace(/^icmpv6$/, 'icmp');
  const family = `${/\d$/.test(name) ? 'v' : ''}${isIpv6 ? 6 : 4}`;
  const rest = [port, icmp?.type, icmp?.code, isTranslated ? 'nat' : undefined];
  return [name + family, ...rest.filter((part) => part !== undefined)].join('-');
}

function commentOf({ counts }: DraftRule): string {
  const { flows, sources, destinations, pairs, added } = counts;
  return (
    `seen: flows ${flows}, sources ${sources}, destinations ${destinations}, ` +
    `pairs ${pairs} of ${sources * destinations}; hosts added ${added}`
  );
}

/** What stands at the head of every draft. */
export function draftNote(texts: readonly RuleText[], how: readonly string[]): string {
  const total = (count: (text: RuleText) => number) => texts.reduce((sum, text) => sum + count(text), 0);
  const flows = total(({ rule }) => rule.counts.flows);
  const added = total(({ rule }) => rule.counts.added);
  const lines = [
    `Drafted by resteer report: flows seen ${flows}, rules ${texts.length}, hosts added ${added}.`,
    'A rule accepts each of its sources to each of its destinations, whether seen together or not.',
    ...how,
  ];
  return lines.map((line) => `# ${line}`.trimEnd()).join('\n');
}
