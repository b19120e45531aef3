import { readFileSync } from 'node:fs';
import { AF } from '../../nfnetlink/constants.ts';
import type { Requester } from '../../nfnetlink/requester.ts';
import { NFPROTO } from '../../nftables/constants.ts';
import { listRuleParts, type RuleParts } from '../../nftables/rules.ts';
import { isNetlinkError } from '../errors.ts';

/** The expressions of nf_tables, and the matches and targets of iptables, that have the kernel track flows. */
const TRACKING = new RegExp(
  '^(?:ct|nat|masq|redir|synproxy|connlimit|flow_offload' +
    '|match (?:conntrack|state|connmark|connbytes|connlabel|connlimit|helper|cluster)' +
    '|target (?:CT|CONNMARK|CONNSECMARK|MASQUERADE|SNAT|DNAT|REDIRECT|NETMAP|SYNPROXY|CLUSTERIP)' +
    // these two may hold one of the above out of sight
    '|dynset|objref)$',
);

/** What each family shows of itself in this network namespace, as files of /proc/net. */
const FAMILIES = [
  // the tables that the older iptables has: what rules they hold only it can tell
  { family: AF.INET, tables: 'ip_tables_names' },
  { family: AF.INET6, tables: 'ip6_tables_names' },
] as const;
const IPV6_ADDRESSES = 'if_inet6';

/** The text of a file of /proc/net. @throws the system's error */
export type ReadProc = (name: string) => string;

const systemProc: ReadProc = (name) => readFileSync(`/proc/net/${name}`, 'latin1');

/**
 * The families (AF) that are spoken here, and of which it is certain that no rule of nftables or iptables has the
 * kernel track their flows. Where that cannot be known there is none.
 */
export async function untrackedFamilies(requester: Requester, readProc = systemProc): Promise<number[]> {
  const rules = await readRules(requester);
  if (!rules) return [];
  const isTracked = (family: number) =>
    rules.some((rule) => isOfFamily(rule, family) && rule.parts.some((part) => TRACKING.test(part)));
  return FAMILIES.filter(({ tables }) => !mayHold(tables, readProc))
    .map(({ family }) => family)
    .filter((family) => !isTracked(family) && (family === AF.INET || hasIpv6(readProc)));
}

/** Undefined where they cannot be read as a whole. */
async function readRules(requester: Requester): Promise<RuleParts[] | undefined> {
  try {
    return await listRuleParts(requester);
  } catch (error) {
    // a kernel without nf_tables has no rules of it
    if (isNetlinkError(error) && error.kind === 'kernel') return [];
    if (isNetlinkError(error)) return undefined;
    throw error;
  }
}

function isOfFamily({ family }: RuleParts, wanted: number): boolean {
  const other = wanted === AF.INET ? NFPROTO.IPV6 : NFPROTO.IPV4;
  return family !== other && family !== NFPROTO.ARP;
}

/** Whether a list holds something, or cannot be read. */
function mayHold(name: string, readProc: ReadProc): boolean {
  try {
    return readProc(name).trim() !== '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

/** Whether an interface has an address of IPv6 that is valid everywhere: the fourth column is its scope. */
function hasIpv6(readProc: ReadProc): boolean {
  try {
    return /^(?:\S+\s+){3}00\s/m.test(readProc(IPV6_ADDRESSES));
  } catch {
    return false;
  }
}

/** What to say where flows of some families are not tracked. */
export function untrackedText(families: readonly number[]): string {
  const isBoth = families.length > 1;
  const withIpv4 = families.includes(AF.INET);
  const names = isBoth ? 'IPv4 and IPv6' : withIpv4 ? 'IPv4' : 'IPv6';
  const table = `${isBoth ? 'inet' : withIpv4 ? 'ip' : 'ip6'} resteer_track`;
  const tools = [...(withIpv4 ? ['iptables'] : []), ...(families.includes(AF.INET6) ? ['ip6tables'] : [])];
  return [
    `no flow of ${names} is tracked, since no rule of this network namespace asks for it: add one that changes ` +
      'nothing else, with nftables',
    `  nft 'add table ${table}; add chain ${table} track { type filter hook prerouting priority 0; }; ` +
      `add rule ${table} track ct state new'`,
    'or with iptables',
    ...tools.map((tool) => `  ${tool} -I FORWARD -m conntrack --ctstate NEW`),
  ].join('\n');
}
