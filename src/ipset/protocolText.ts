/**
 * Names of protocols and of ICMP messages, as ipset(8) reads and prints them.
 * Sources: /etc/protocols (IANA); lib/icmp.c and lib/icmpv6.c of ipset 7.17, `ipset help hash:ip,port`.
 */

/** Protocol numbers; the first name of a number is the one to print. */
const protocols: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  dccp: 33,
  gre: 47,
  esp: 50,
  ah: 51,
  'ipv6-icmp': 58,
  icmpv6: 58,
  ospf: 89,
  vrrp: 112,
  sctp: 132,
  udplite: 136,
};

/** Type times 256 plus code; the first name of a number is the one to print. */
const icmp: Readonly<Record<string, number>> = {
  'echo-reply': 0x0000,
  pong: 0x0000,
  'network-unreachable': 0x0300,
  'host-unreachable': 0x0301,
  'protocol-unreachable': 0x0302,
  'port-unreachable': 0x0303,
  'fragmentation-needed': 0x0304,
  'source-route-failed': 0x0305,
  'network-unknown': 0x0306,
  'host-unknown': 0x0307,
  'network-prohibited': 0x0309,
  'host-prohibited': 0x030a,
  'TOS-network-unreachable': 0x030b,
  'TOS-host-unreachable': 0x030c,
  'communication-prohibited': 0x030d,
  'host-precedence-violation': 0x030e,
  'precedence-cutoff': 0x030f,
  'source-quench': 0x0400,
  'network-redirect': 0x0500,
  'host-redirect': 0x0501,
  'TOS-network-redirect': 0x0502,
  'TOS-host-redirect': 0x0503,
  'echo-request': 0x0800,
  ping: 0x0800,
  'router-advertisement': 0x0900,
  'router-solicitation': 0x0a00,
  'ttl-zero-during-transit': 0x0b00,
  'ttl-zero-during-reassembly': 0x0b01,
  'ip-header-bad': 0x0c00,
  'required-option-missing': 0x0c01,
  'timestamp-request': 0x0d00,
  'timestamp-reply': 0x0e00,
  'address-mask-request': 0x1100,
  'address-mask-reply': 0x1200,
};

const icmpv6: Readonly<Record<string, number>> = {
  'no-route': 0x0100,
  'communication-prohibited': 0x0101,
  'address-unreachable': 0x0103,
  'port-unreachable': 0x0104,
  'packet-too-big': 0x0200,
  'ttl-zero-during-transit': 0x0300,
  'ttl-zero-during-reassembly': 0x0301,
  'bad-header': 0x0400,
  'unknown-header-type': 0x0401,
  'unknown-option': 0x0402,
  'echo-request': 0x8000,
  ping: 0x8000,
  'echo-reply': 0x8100,
  pong: 0x8100,
  'router-solicitation': 0x8500,
  'router-advertisement': 0x8600,
  'neighbour-solicitation': 0x8700,
  'neigbour-solicitation': 0x8700,
  'neighbour-advertisement': 0x8800,
  'neigbour-advertisement': 0x8800,
  redirect: 0x8900,
};

const ICMP = 1;
const ICMPV6 = 58;

function nameOf(names: Readonly<Record<string, number>>, wanted: number): string | undefined {
  return Object.keys(names).find((name) => names[name] === wanted);
}

function isNumber(text: string, most: number): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= most;
}

/** A protocol's number by name or decimal text, or undefined. */
export function parseProtocol(text: string): number | undefined {
  const known = Object.hasOwn(protocols, text) ? protocols[text] : undefined;
  return known ?? (isNumber(text, 255) ? Number(text) : undefined);
}

/** A protocol's name, or its number in decimal. */
export function formatProtocol(protocol: number): string {
  return nameOf(protocols, protocol) ?? String(protocol);
}

/** What stands for a port: a number; for ICMP a name or type/code; or undefined where the text is neither. */
export function parsePort(text: string, protocol: number): number | undefined {
  const names = protocol === ICMP ? icmp : protocol === ICMPV6 ? icmpv6 : undefined;
  if (!names) return isNumber(text, 65535) ? Number(text) : undefined;
  if (Object.hasOwn(names, text)) return names[text];
  const [type = '', code = '', more] = text.split('/');
  if (more !== undefined || !isNumber(type, 255) || !isNumber(code, 255)) return undefined;
  return Number(type) * 256 + Number(code);
}

/** Whether what stands in a port's place has names: the type and code of ICMP and ICMPv6. */
export function hasNamedPorts(protocol: number): boolean {
  return protocol === ICMP || protocol === ICMPV6;
}

/** A port in decimal; for ICMP the message's name, or type/code. */
export function formatPort(port: number, protocol: number): string {
  const names = protocol === ICMP ? icmp : protocol === ICMPV6 ? icmpv6 : undefined;
  if (!names) return String(port);
  return nameOf(names, port) ?? `${port >>> 8}/${port & 0xff}`;
}

/** Type times 256 plus code of an ICMP message's name, or undefined. */
export function icmpNumber(name: string): number | undefined {
  return Object.hasOwn(icmp, name) ? icmp[name] : undefined;
}

/** Type times 256 plus code of an ICMPv6 message's name, or undefined. */
export function icmpv6Number(name: string): number | undefined {
  return Object.hasOwn(icmpv6, name) ? icmpv6[name] : undefined;
}

/** The names of ICMP and of ICMPv6 messages, as `ipset help` lists them. */
export const icmpNames: readonly string[] = Object.keys(icmp);
export const icmpv6Names: readonly string[] = Object.keys(icmpv6);
