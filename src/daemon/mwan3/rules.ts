import { decodeSetName } from '../config/names.ts';
import { suggestion } from '../config/nearest.ts';
import { Refusal } from '../config/refusal.ts';
import type { Family, Member, Network, PlanRule, PortRange, StickySets } from '../plan.ts';
import { readNetwork, readPorts, readProtocol } from './fits.ts';
import { isOn, itemsOf, optionOf } from './options.ts';
import { LONGEST_NAME, type Mwan3Policies } from './policies.ts';
import type { UciFile, UciSection, UciValue } from './uci.ts';
import { sectionText, type WarnOfLine, warnOfMisspelt } from './warnings.ts';

const KNOWN = [
  'family',
  'proto',
  'src_ip',
  'src_iface',
  'src_port',
  'dest_ip',
  'dest_port',
  'ipset',
  'sticky',
  'timeout',
  'use_policy',
  'logging',
];

/** Policies that every mwan3 has: they mark a flow with no interface's mark. */
const WITHOUT_MEMBERS: readonly string[] = ['default', 'unreachable', 'blackhole'];

/** A rule that mwan3 does not set, with the reason as a sentence. */
class Ignored extends Error {
  readonly line: number;
  constructor(sentence: string, line: number) {
    super(sentence);
    this.line = line;
  }
}

/**
 * Reads the rules in their order; those that mwan3 itself does not set are left out with a warning.
 * Source: mwan3_set_user_iptables_rule() in lib/mwan3/mwan3.sh.
 */
export function readRules(
  { file, sections }: UciFile,
  policies: Mwan3Policies,
  warn: WarnOfLine,
): PlanRule[] {
  const rules: PlanRule[] = [];
  let number = 0;
  for (const section of sections.filter(({ type }) => type === 'rule')) {
    warnOfMisspelt(section, KNOWN, warn);
    try {
      // in the words of the uci command
      const rule = readRule(section, section.name ?? `@rule[${number}]`, policies, warn);
      const at = optionOf(section, 'ipset')?.line;
      rules.push(at === undefined ? rule : { ...rule, source: `${file}: line ${at}` });
    } catch (error) {
      if (!(error instanceof Ignored)) throw error;
      warn(error.line, `${sectionText(section)}: ignored: ${error.message}`);
    }
    number++;
  }
  return rules;
}

function readRule(section: UciSection, name: string, policies: Mwan3Policies, warn: WarnOfLine): PlanRule {
  if (section.name !== undefined && name.length > LONGEST_NAME) {
    throw new Ignored(`its name has ${name.length} characters, at most ${LONGEST_NAME}`, section.line);
  }
  const { policy, members } = policyOf(section, policies);
  const set = setOf(section);
  const sources = itemsOf(section, 'src_ip').map(networkOf);
  const destinations = itemsOf(section, 'dest_ip').map(networkOf);
  const family = familyOf(section, [...sources, ...destinations], warn);
  const protocol = protocolOf(section);
  const isSeen = !comesFromInterface(section, warn);
  warnOfWords(section, warn);
  return {
    name,
    set,
    match: set === null ? [] : ['dst'],
    ...(family && { family }),
    ...(protocol !== undefined && { protocol }),
    sourcePorts: portsOf(section, 'src_port', warn),
    destinationPorts: portsOf(section, 'dest_port', warn),
    sources,
    destinations,
    members: isSeen ? members : [],
    policy,
    sticky: members.length > 0 ? stickyOf(section, warn) : null,
  };
}

function policyOf(
  section: UciSection,
  policies: Mwan3Policies,
): { readonly policy: string; readonly members: readonly Member[] } {
  const used = optionOf(section, 'use_policy');
  if (used === undefined) throw new Ignored('it has no use_policy', section.line);
  if (WITHOUT_MEMBERS.includes(used.text)) return { policy: used.text, members: [] };
  const members = policies.get(used.text);
  if (members) return { policy: used.text, members };
  const meant = suggestion(used.text, [...policies.keys(), ...WITHOUT_MEMBERS]);
  throw new Ignored(`there is no policy ${JSON.stringify(used.text)}${meant}`, used.line);
}

function setOf(section: UciSection): string | null {
  const set = optionOf(section, 'ipset');
  if (set === undefined) return null;
  try {
    return decodeSetName(set.text);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Ignored(`ipset ${JSON.stringify(set.text)} ${error.message}`, set.line);
  }
}

function networkOf({ text, line }: UciValue): Network {
  const network = readNetwork(text);
  if (!network) throw new Ignored(`${JSON.stringify(text)} is no address or network`, line);
  return network;
}

/** The family that the rule can be for: its own, narrowed by its addresses; undefined for both. */
function familyOf(section: UciSection, networks: readonly Network[], warn: WarnOfLine): Family | undefined {
  const value = optionOf(section, 'family');
  const wanted: Family | undefined =
    value?.text === 'ipv4' || value?.text === 'ipv6' ? value.text : undefined;
  if (value && wanted === undefined && value.text !== 'any') {
    const said = JSON.stringify(value.text);
    warn(value.line, `${sectionText(section)}: family ${said} is none of any, ipv4, ipv6: taken as any`);
  }
  const found = new Set(networks.map(({ address }): Family => (address.length === 4 ? 'ipv4' : 'ipv6')));
  if (found.size > 1 || (wanted !== undefined && found.size === 1 && !found.has(wanted))) {
    throw new Ignored('its addresses are of another family than it, or of both', section.line);
  }
  return wanted ?? [...found][0];
}

function protocolOf(section: UciSection): number | undefined {
  const value = optionOf(section, 'proto');
  if (value === undefined) return undefined;
  const protocol = readProtocol(value.text);
  if (protocol === undefined) {
    throw new Ignored(`proto ${JSON.stringify(value.text)} is no protocol`, value.line);
  }
  return protocol ?? undefined;
}

/** mwan3 passes ports over unless the rule is for TCP or UDP, in these very words. */
function portsOf(section: UciSection, option: string, warn: WarnOfLine): readonly PortRange[] {
  const items = itemsOf(section, option);
  if (items.length === 0) return [];
  const protocol = optionOf(section, 'proto')?.text ?? 'all';
  if (protocol !== 'tcp' && protocol !== 'udp') {
    const why = `${option} is passed over: proto ${JSON.stringify(protocol)} is neither "tcp" nor "udp"`;
    warn(items[0]!.line, `${sectionText(section)}: ${why}`);
    return [];
  }
  return items.map(({ text, line }) => {
    const range = readPorts(text);
    if (!range)
      throw new Ignored(`${option} ${JSON.stringify(text)} is no port or range such as 80:90`, line);
    return range;
  });
}

/** mwan3 puts the words as they are into the input of iptables-restore, which then refuses all of it. */
function warnOfWords(section: UciSection, warn: WarnOfLine): void {
  for (const option of ['src_ip', 'dest_ip', 'src_port', 'dest_port']) {
    const value = optionOf(section, option);
    if (!value || !/\S\s+\S/.test(value.text)) continue;
    const why = `${option} is more than one word, so mwan3 can set none of its rules: put commas between`;
    warn(value.line, `${sectionText(section)}: ${why}`);
  }
}

/** Connection tracking does not tell on which interface a flow came in. */
function comesFromInterface(section: UciSection, warn: WarnOfLine): boolean {
  const iface = optionOf(section, 'src_iface');
  if (iface === undefined) return false;
  const why = 'src_iface cannot be told of a connection: flows that fit the rest are left where they are';
  warn(iface.line, `${sectionText(section)}: ${why}`);
  return true;
}

/** The names of the sets that mwan3 pins the rule's clients with: from 22.03 on, and before. */
function stickyOf(section: UciSection, warn: WarnOfLine): StickySets | null {
  const { name } = section;
  if (!isOn(section, 'sticky', warn)) return null;
  if (name === undefined) {
    const why = 'sticky and without a name: its sticky sets are not known, so flows may return';
    warn(section.line, `${sectionText(section)}: ${why}; give it a name`);
    return { ipv4: [], ipv6: [] };
  }
  return {
    ipv4: [`mwan3_rule_ipv4_${name}`, `mwan3_sticky_v4_${name}`],
    ipv6: [`mwan3_rule_ipv6_${name}`, `mwan3_sticky_v6_${name}`],
  };
}
