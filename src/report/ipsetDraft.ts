import { draftNote, type RuleText, setsOf } from './draftText.ts';

/** What a set has room for unless it is told otherwise. */
const USUAL_ROOM = 65_536;

const how = [
  '',
  'The sets that the draft in the format iptables names, of the same flows: ipset restore < FILE',
  'Loading it again replaces their elements.',
];

/** A file for ipset restore. */
export function* ipsetDraft(texts: readonly RuleText[]): Iterable<string> {
  yield `${draftNote(texts, how)}\n`;
  for (const { set, isIpv6, prefixes } of setsOf(texts)) {
    const room = Math.max(USUAL_ROOM, prefixes.length);
    yield `create ${set} hash:net family ${isIpv6 ? 'inet6' : 'inet'} maxelem ${room} -exist\nflush ${set}\n`;
    for (const prefix of prefixes) yield `add ${set} ${prefix}\n`;
  }
}
