import type { Feature } from '../../ipset/setType.ts';
import type { KeywordName } from './keywords.ts';
import { grammar, type Keyword, type TypeGrammar } from './typeGrammar.ts';

const keyword = (name: KeywordName, feature?: Feature): Keyword => ({ name, ...(feature && { feature }) });

const family = [keyword('family'), keyword('-4'), keyword('-6')];
const size = [keyword('hashsize'), keyword('maxelem')];
const timeout = keyword('timeout', 'timeout');
const counters = keyword('counters', 'counters');
const comment = keyword('comment', 'comment');
const skbinfo = keyword('skbinfo', 'skbinfo');
const forceadd = keyword('forceadd', 'forceAdd');
const netmask = keyword('netmask', 'netmask');
const bitmask = keyword('bitmask', 'bitmask');
const bucket = [keyword('bucketsize', 'bucketSize'), keyword('initval', 'initialValue')];
const hashRest = [timeout, counters, comment, forceadd, skbinfo, ...bucket];
const plainRest = [timeout, counters, comment, skbinfo];
const obsolete = [keyword('probes'), keyword('resize')];
const obsoleteRange = [keyword('ignoredFrom'), keyword('ignoredTo'), keyword('ignoredNetwork')];
const oldRange = [keyword('fromIp'), keyword('toIp'), keyword('network')];

const nomatch = keyword('nomatch', 'nomatch');
const neighbours = [keyword('before'), keyword('after')];
const extensions = [
  keyword('packets', 'counters'),
  keyword('bytes', 'counters'),
  keyword('elementComment', 'comment'),
  keyword('skbmark', 'skbinfo'),
  keyword('skbprio', 'skbinfo'),
  keyword('skbqueue', 'skbinfo'),
];
const plainAdd = [timeout, ...extensions];
const netAdd = [timeout, nomatch, ...extensions];

const family46 = 'where depending on the INET family\n';
const oneIp = `${family46}      IP is a valid IPv4 or IPv6 address (or hostname)`;
const oneIpIs = `${family46}      IP is an IPv4 or IPv6 address (or hostname)`;
const manyIps = `${family46}      IP are valid IPv4 or IPv6 addresses (or hostnames)`;
const cidr = ',\n      CIDR is a valid IPv4 or IPv6 CIDR prefix.';
const ip4Range =
  'where IP, FROM and TO are IPv4 addresses (or hostnames),\n      CIDR is a valid IPv4 CIDR prefix.';
const many = '\n      Adding/deleting multiple elements in IP/CIDR or FROM-TO form\n      ';
const manyPorts =
  '\n      Adding/deleting multiple elements with TCP/SCTP/UDP/UDPLITE\n' +
  '      port range is supported both for IPv4 and IPv6.';

const plainRevisions = ['Initial revision', 'counters support', 'comment support', 'skbinfo support'];
const hashTail = ['forceadd support', 'skbinfo support', 'bucketsize, initval support'];
const hashHistory = ['counters support', 'comment support', ...hashTail];
const youngHistory = ['initial revision', ...hashTail];
const scopedHistory = [
  'SCTP and UDPLITE support',
  'Add/del range support',
  'nomatch flag support',
  ...hashHistory,
];

/**
 * The set types in the order of `help`, with what their command lines take.
 * Source: `ipset help TYPE` of ipset 7.17, and its behaviour.
 */
const table: readonly TypeGrammar[] = [
  grammar({
    name: 'list:set',
    oldName: 'setlist',
    parts: ['setName'],
    create: [keyword('size'), ...plainRest],
    add: [timeout, ...neighbours, ...extensions],
    del: neighbours,
    test: neighbours,
    needs: 'name',
    usage: 'NAME [before|after NAME]',
    where: 'where NAME are existing set names.',
    revisions: plainRevisions,
  }),
  grammar({
    name: 'hash:mac',
    oldName: 'machash',
    parts: ['mac'],
    create: [...size, ...hashRest],
    add: plainAdd,
    needs: 'ether',
    usage: 'MAC',
    where: '',
    revisions: ['Initial revision', 'bucketsize, initval support'],
  }),
  grammar({
    name: 'hash:ip,mac',
    oldName: 'ipmachash',
    parts: ['ip4Single6', 'mac'],
    create: [...family, ...size, ...hashRest],
    add: plainAdd,
    needs: 'ip ether',
    usage: 'IP,MAC',
    where: `${oneIp},\n      MAC is a MAC address.`,
    revisions: ['Initial revision', 'bucketsize, initval support'],
  }),
  grammar({
    name: 'hash:net,iface',
    oldName: 'netifacehash',
    parts: ['ip4Net6', 'iface'],
    create: [...family, ...size, ...hashRest],
    add: [timeout, nomatch, keyword('wildcard', 'wildcard'), ...extensions],
    test: [nomatch],
    needs: 'ip iface',
    allows: 'cidr ipTo',
    testAllows: 'cidr',
    usage: 'IP[/CIDR]|FROM-TO,[physdev:]IFACE',
    testUsage: 'IP[/CIDR],[physdev:]IFACE',
    where: `${oneIp}${cidr}\n      Adding/deleting multiple elements with IPv4 is supported.`,
    revisions: [
      'Initial revision',
      'nomatch flag support',
      '/0 network support',
      'counters support',
      'comment support',
      'forceadd support',
      'skbinfo support',
      'skbinfo and wildcard support',
      'bucketsize, initval support',
    ],
  }),
  grammar({
    name: 'hash:net,port',
    oldName: 'netporthash',
    parts: ['ip4Net6', 'protoPort'],
    create: [...family, ...size, ...hashRest],
    add: netAdd,
    test: [nomatch],
    needs: 'ip protocol port',
    allows: 'portTo cidr ipTo',
    testAllows: 'cidr',
    usage: 'IP[/CIDR]|FROM-TO,[PROTO:]PORT',
    testUsage: 'IP[/CIDR],[PROTO:]PORT',
    where: `${oneIp}${cidr}${manyPorts}`,
    revisions: scopedHistory,
    firstRevision: 1,
  }),
  grammar({
    name: 'hash:net,port,net',
    oldName: 'netportnethash',
    parts: ['ip4Net6', 'protoPort', 'ip4Net6'],
    create: [...family, ...size, ...hashRest],
    add: netAdd,
    test: [nomatch],
    needs: 'ip protocol port ip2',
    allows: 'portTo cidr ipTo cidr2 ip2To',
    testAllows: 'cidr cidr2',
    usage: 'IP[/CIDR],[PROTO:]PORT,IP[/CIDR]',
    where: `${manyIps}${cidr}${many}in both IP components are supported for IPv4.${manyPorts}`,
    revisions: youngHistory,
  }),
  grammar({
    name: 'hash:net,net',
    oldName: 'netnethash',
    parts: ['ip4Net6', 'ip4Net6'],
    create: [...family, ...size, ...hashRest, bitmask, netmask],
    add: netAdd,
    test: [nomatch],
    needs: 'ip ip2',
    allows: 'cidr ipTo cidr2 ip2To',
    testAllows: 'cidr cidr2',
    usage: 'IP[/CIDR]|FROM-TO,IP[/CIDR]|FROM-TO',
    testUsage: 'IP[/CIDR],IP[/CIDR]',
    where: `${oneIpIs}${cidr}\n      IP range is not supported with IPv6.`,
    revisions: [...youngHistory, 'netmask and bitmask support'],
  }),
  grammar({
    name: 'hash:net',
    oldName: 'nethash',
    parts: ['ip4Net6'],
    create: [...family, ...size, ...hashRest, ...obsolete],
    add: netAdd,
    test: [nomatch],
    needs: 'ip',
    allows: 'cidr ipTo',
    testAllows: 'cidr',
    usage: 'IP[/CIDR]',
    where: `${oneIpIs}${cidr}`,
    revisions: ['Initial revision', 'Add/del range support', 'nomatch flag support', ...hashHistory],
  }),
  grammar({
    name: 'hash:ip,port,net',
    oldName: 'ipportnethash',
    parts: ['ip4Single6', 'protoPort', 'ip4Net6'],
    create: [...family, ...size, ...hashRest, ...obsolete, ...obsoleteRange],
    add: netAdd,
    test: [nomatch],
    needs: 'ip protocol port ip2',
    allows: 'ipTo portTo cidr2 ip2To',
    testAllows: 'cidr2 ip2To',
    usage: 'IP,[PROTO:]PORT,IP[/CIDR]',
    where: `${manyIps}${cidr}${many}in the first IP component is supported for IPv4.${manyPorts}`,
    revisions: scopedHistory,
    firstRevision: 1,
  }),
  grammar({
    name: 'hash:ip,port,ip',
    oldName: 'ipportiphash',
    parts: ['ip4Single6', 'protoPort', 'singleIp'],
    create: [...family, ...size, ...hashRest, ...obsolete, ...obsoleteRange],
    add: plainAdd,
    needs: 'ip protocol port ip2',
    allows: 'ipTo portTo',
    usage: 'IP,[PROTO:]PORT,IP',
    where: `${oneIp}.${many}in the first IP component is supported for IPv4.${manyPorts}`,
    revisions: ['SCTP and UDPLITE support', ...hashHistory],
    firstRevision: 1,
  }),
  grammar({
    name: 'hash:ip,mark',
    oldName: 'ipmarkhash',
    parts: ['ip4Single6', 'mark'],
    create: [...family, keyword('markmask'), ...size, ...hashRest, ...obsolete, ...obsoleteRange],
    add: plainAdd,
    needs: 'ip mark',
    allows: 'ipTo',
    testAllows: 'ipTo',
    usage: 'IP,MARK',
    where: `${oneIp}.${many}is supported for IPv4.\n      Adding/deleting single mark element\n      is supported both for IPv4 and IPv6.`,
    revisions: youngHistory,
  }),
  grammar({
    name: 'hash:ip,port',
    oldName: 'ipporthash',
    parts: ['ip4Single6', 'protoPort'],
    create: [...family, ...size, ...hashRest, netmask, bitmask, ...obsolete, ...obsoleteRange],
    add: plainAdd,
    needs: 'ip protocol port',
    allows: 'ipTo portTo',
    usage: 'IP,[PROTO:]PORT',
    where: `${oneIp}.${many}is supported for IPv4.${manyPorts}`,
    revisions: ['SCTP and UDPLITE support', ...hashHistory, 'netmask and bitmask support'],
    firstRevision: 1,
  }),
  grammar({
    name: 'hash:ip',
    oldName: 'iphash',
    parts: ['ip4Single6'],
    create: [...family, ...size, netmask, bitmask, ...hashRest, ...obsolete, keyword('gc')],
    add: plainAdd,
    needs: 'ip',
    allows: 'ipTo',
    testAllows: 'ipTo',
    usage: 'IP',
    where: `${oneIp}${cidr}${many}is supported for IPv4.`,
    revisions: ['Initial revision', ...hashHistory, 'bitmask support'],
  }),
  grammar({
    name: 'bitmap:port',
    oldName: 'portmap',
    parts: ['port'],
    create: [keyword('portRange'), ...plainRest, keyword('fromPort'), keyword('toPort')],
    createNeeds: 'port portTo',
    createUsage: 'range [PROTO:]FROM-TO',
    add: plainAdd,
    needs: 'port',
    allows: 'portTo',
    usage: '[PROTO:]PORT|FROM-TO',
    testUsage: '[PROTO:]PORT',
    where:
      'where PORT, FROM and TO are port numbers or port names from /etc/services.\n' +
      '      PROTO is only needed if a service name is used and it does not exist\n' +
      '      as a TCP service; just the resolved service numer is stored in the set.',
    revisions: plainRevisions,
  }),
  grammar({
    name: 'bitmap:ip,mac',
    oldName: 'macipmap',
    parts: ['singleIp', 'mac'],
    isLastOptional: true,
    create: [keyword('ipRange'), ...plainRest, ...oldRange],
    createNeeds: 'ip ipTo',
    createUsage: 'range IP/CIDR|FROM-TO',
    add: plainAdd,
    needs: 'ip',
    allows: 'ether',
    testAllows: 'ether',
    usage: 'IP[,MAC]',
    where: `${ip4Range}\n      MAC is a valid MAC address.`,
    revisions: plainRevisions,
  }),
  grammar({
    name: 'bitmap:ip',
    oldName: 'ipmap',
    parts: ['ip'],
    create: [keyword('ipRange'), netmask, ...plainRest, ...oldRange],
    createNeeds: 'ip ipTo',
    createUsage: 'range IP/CIDR|FROM-TO',
    add: plainAdd,
    needs: 'ip',
    allows: 'ipTo',
    usage: 'IP|IP/CIDR|FROM-TO',
    testUsage: 'IP',
    where: ip4Range,
    revisions: plainRevisions,
  }),
];

/** Every set type, in the order of `help`. */
export const typeGrammars: readonly TypeGrammar[] = table;

const byName = new Map<string, TypeGrammar>(
  table.flatMap((each) => [
    [each.name, each],
    [each.oldName, each],
  ]),
);

/** The type of this name, or of the name that it had before ipset 5. */
export function findGrammar(name: string): TypeGrammar | undefined {
  return byName.get(name);
}
