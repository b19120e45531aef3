import { IPPROTO } from '../ctnetlink/constants.ts';
import { protocolName } from '../ctnetlink/protocol.ts';
import { draftNote, type RuleEnd, type RuleText } from './draftText.ts';

const CHAIN = 'resteer-seen';

const how = [
  '',
  'Load it with --noflush, always: without it the other rules of the table "filter" go.',
  '  ipset restore < SETS                # the draft in the format ipset, of the same flows, where rules name sets',
  '  iptables-restore --noflush < FILE',
  '  ip6tables-restore --noflush < FILE',
  `That changes nothing yet: nothing leads to the chain. To use it: iptables -A FORWARD -j ${CHAIN}, and behind`,
  'that what is to become of the rest. Loading it again replaces the rules.',
];

/** A file for iptables-restore and ip6tables-restore: each skips the rules of the other family. */
export function* iptablesDraft(texts: readonly RuleText[]): Iterable<string> {
  yield `${draftNote(texts, how)}\n*filter\n:${CHAIN} - [0:0]\n`;
  yield `-A ${CHAIN} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n`;
  // neighbour discovery, without which there is no IPv6: the kernel leaves it untracked
  yield `-6 -A ${CHAIN} -p ipv6-icmp -m conntrack --ctstate UNTRACKED -j ACCEPT\n`;
  yield `-A ${CHAIN} -m conntrack ! --ctstate NEW -j RETURN\n`;
  for (const text of texts) {
    const family = text.rule.isIpv6 ? '-6' : '-4';
    for (const ends of endsOf(text)) {
      yield `${family} -A ${CHAIN} ${ends} ${service(text)} -m comment --comment "${text.comment}" -j ACCEPT\n`;
    }
  }
  yield 'COMMIT\n';
}

/** The original destination of a flow is compared with one network only: a rule for each. */
function endsOf({ rule, from, to }: RuleText): string[] {
  const source = oneEnd(from, '-s', 'src');
  if (!rule.isTranslated) return [`${source} ${oneEnd(to, '-d', 'dst')}`];
  return to.prefixes.map((prefix) => `${source} -m conntrack --ctorigdst ${prefix}`);
}

function oneEnd({ set, prefixes }: RuleEnd, option: string, direction: string): string {
  return set === undefined ? `${option} ${prefixes.join(',')}` : `-m set --match-set ${set} ${direction}`;
}

function service({ rule }: RuleText): string {
  const { protocol, port, icmp } = rule;
  const name = protocolName(protocol);
  if (icmp && rule.isIpv6) return `-p ipv6-icmp --icmpv6-type ${icmp.type}/${icmp.code}`;
  if (icmp) return `-p icmp --icmp-type ${icmp.type}/${icmp.code}`;
  if (port === undefined) return `-p ${protocol}`;
  if (rule.isTranslated) return `-p ${protocol} -m conntrack --ctorigdstport ${port}`;
  if (protocol === IPPROTO.TCP || protocol === IPPROTO.UDP) return `-p ${name} --dport ${port}`;
  return `-p ${protocol} -m multiport --dports ${port}`;
}
