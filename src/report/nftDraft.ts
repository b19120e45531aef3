import { protocolName } from '../ctnetlink/protocol.ts';
import { draftNote, type RuleEnd, type RuleText, setsOf } from './draftText.ts';

const TABLE = 'inet resteer';
const WIDTH = 100;

const how = [
  '',
  `Loading this (nft -f FILE) changes nothing yet: no hook leads to the chain "seen". To let it decide what is`,
  'forwarded, take the # from the chain "forward" at the end, and load it again. Or put the name of the table of',
  `your own firewall in place of "${TABLE}", and "jump seen" into its chains. Loading it again replaces the rules.`,
];

const forward = `
#	chain forward {
#		type filter hook forward priority filter; policy drop;
#		jump seen
#	}`;

/** A file for nft -f: sets, and a chain without a hook. */
export function* nftDraft(texts: readonly RuleText[]): Iterable<string> {
  yield `#!/usr/sbin/nft -f\n${draftNote(texts, how)}\n\n`;
  const sets = setsOf(texts);
  yield `table ${TABLE} {\n\tchain seen {\n\t}\n`;
  for (const { set, isIpv6 } of sets)
    yield `\tset ${set} {\n\t\ttype ${isIpv6 ? 'ipv6' : 'ipv4'}_addr\n\t\tflags interval\n\t}\n`;
  yield `}\nflush chain ${TABLE} seen\n`;
  for (const { set } of sets) yield `flush set ${TABLE} ${set}\n`;
  for (const { set, prefixes } of sets) yield `add element ${TABLE} ${set} {\n${wrapped(prefixes)}\n}\n`;
  yield `\ntable ${TABLE} {\n`;
  yield '\tchain seen {\n\t\tct state established,related accept\n';
  // neighbour discovery, without which there is no IPv6: the kernel leaves it untracked
  if (texts.some(({ rule }) => rule.isIpv6)) yield '\t\tmeta l4proto ipv6-icmp ct state untracked accept\n';
  yield '\t\tct state != new return\n';
  for (const text of texts) yield `\t\t${matches(text)} accept comment "${text.comment}"\n`;
  yield `\t}\n${forward}\n}\n`;
}

function matches({ rule, from, to }: RuleText): string {
  const ip = rule.isIpv6 ? 'ip6' : 'ip';
  const ends = `${ip} saddr ${elements(from)} ${rule.isTranslated ? 'ct original ' : ''}${ip} daddr ${elements(to)}`;
  const { protocol, port, icmp } = rule;
  const name = protocolName(protocol);
  if (icmp) {
    const icmpName = rule.isIpv6 ? 'icmpv6' : 'icmp';
    return `${ends} ${icmpName} type ${icmp.type} ${icmpName} code ${icmp.code}`;
  }
  if (port === undefined) return `${ends} meta l4proto ${protocol}`;
  if (rule.isTranslated) return `${ends} meta l4proto ${protocol} ct original proto-dst ${port}`;
  return `${ends} ${name} dport ${port}`;
}

function elements({ prefixes, set }: RuleEnd): string {
  if (set !== undefined) return `@${set}`;
  return prefixes.length === 1 ? prefixes[0]! : `{ ${prefixes.join(', ')} }`;
}

/** Elements in lines of a length that an editor shows. */
function wrapped(prefixes: readonly string[]): string {
  const lines: string[] = [];
  let line = '';
  for (const prefix of prefixes) {
    if (line !== '' && line.length + prefix.length > WIDTH) {
      lines.push(line);
      line = '';
    }
    line += `${line === '' ? '\t' : ' '}${prefix},`;
  }
  return [...lines, line].join('\n');
}
