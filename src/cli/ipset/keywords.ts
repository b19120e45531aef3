import { IPSET_CADT_FLAG } from '../../ipset/constants.ts';
import { readBitmask, readIpRange, readLastIp, readNetwork, readSingleIp } from './addressReader.ts';
import type { Draft } from './draft.ts';
import { readCounter, readInto, readNetmask, readSkbMark, readSkbPriority } from './numberReaders.ts';
import { readTcpPort, readTcpUdpPort } from './portReader.ts';
import type { Reader } from './reading.ts';
import { readComment, readFamily, readFlag, readNeighbour, readObsolete } from './textReaders.ts';

/** An option of create, add, del or test. */
export interface KeywordSpec {
  /** As it is written on the command line. */
  readonly word: string;
  readonly takesValue: boolean;
  /** What it gives; a second time is an error. Flags may be repeated. */
  readonly field?: keyof Draft;
  readonly read: Reader;
  /** What `help TYPE` shows; nothing for those of old. */
  readonly help?: string;
}

const U8 = 0xff;
const U16 = 0xffff;
const U32 = 0xffffffff;
/** Seconds: the kernel counts in milliseconds of 31 bits. */
const MOST_TIMEOUT = 2147483;

const value = (word: string, field: keyof Draft, read: Reader, help?: string): KeywordSpec => ({
  word,
  takesValue: true,
  field,
  read,
  ...(help !== undefined && { help }),
});

const flag = (word: string, bit: number): KeywordSpec => ({
  word,
  takesValue: false,
  read: readFlag(bit),
  help: `[${word}]`,
});

// the field of an obsolete option is that of a new one, or none that can be set
const obsolete = (word: string, name = word): KeywordSpec => ({
  word,
  takesValue: true,
  read: readObsolete(name),
});

const familyFlag = (word: string): KeywordSpec => ({
  word,
  takesValue: false,
  field: 'family',
  read: readFamily,
});

const table = {
  family: value('family', 'family', readFamily, '[family inet|inet6]|[-4|-6]'),
  '-4': familyFlag('-4'),
  '-6': familyFlag('-6'),
  hashsize: value('hashsize', 'hashSize', readInto('hashSize', U32), '[hashsize VALUE]'),
  maxelem: value('maxelem', 'maxElements', readInto('maxElements', U32), '[maxelem VALUE]'),
  probes: obsolete('probes'),
  resize: obsolete('resize'),
  gc: obsolete('gc'),
  ignoredFrom: obsolete('from'),
  ignoredTo: obsolete('to'),
  ignoredNetwork: obsolete('network', 'from'),
  size: value('size', 'size', readInto('size', U32), '[size VALUE]'),
  ipRange: value('range', 'ip', readIpRange),
  netmask: value('netmask', 'netmask', readNetmask, '[netmask CIDR]'),
  bitmask: value('bitmask', 'bitmask', readBitmask, '[bitmask bitmask]'),
  portRange: value('range', 'port', readTcpUdpPort),
  before: value('before', 'nameReference', readNeighbour(true), '[before|after NAME]'),
  after: value('after', 'nameReference', readNeighbour(false)),
  fromIp: value('from', 'ip', readSingleIp('ip')),
  toIp: value('to', 'ipTo', readLastIp),
  network: value('network', 'ip', readNetwork),
  fromPort: value('from', 'port', readTcpPort('port')),
  toPort: value('to', 'portTo', readTcpPort('portTo')),
  forceadd: flag('forceadd', IPSET_CADT_FLAG.WITH_FORCEADD),
  markmask: value('markmask', 'markMask', readInto('markMask', U32), 'markmask VALUE'),
  nomatch: flag('nomatch', IPSET_CADT_FLAG.NOMATCH),
  wildcard: flag('wildcard', IPSET_CADT_FLAG.IFACE_WILDCARD),
  timeout: value('timeout', 'timeout', readInto('timeout', MOST_TIMEOUT), '[timeout VALUE]'),
  counters: flag('counters', IPSET_CADT_FLAG.WITH_COUNTERS),
  packets: value('packets', 'packets', readCounter('packets'), '[packets VALUE]'),
  bytes: value('bytes', 'bytes', readCounter('bytes'), '[bytes VALUE]'),
  comment: flag('comment', IPSET_CADT_FLAG.WITH_COMMENT),
  elementComment: value('comment', 'comment', readComment, '[comment "string"]'),
  skbinfo: flag('skbinfo', IPSET_CADT_FLAG.WITH_SKBINFO),
  skbmark: value('skbmark', 'skbMark', readSkbMark, '[skbmark VALUE]'),
  skbprio: value('skbprio', 'skbPriority', readSkbPriority, '[skbprio VALUE]'),
  skbqueue: value('skbqueue', 'skbQueue', readInto('skbQueue', U16), '[skbqueue VALUE]'),
  bucketsize: value('bucketsize', 'bucketSize', readInto('bucketSize', U8), '[bucketsize VALUE]'),
  initval: value('initval', 'initialValue', readInto('initialValue', U32), '[initval VALUE]'),
} as const satisfies Record<string, KeywordSpec>;

export type KeywordName = keyof typeof table;

/** Every option, by a name that tells those of equal words apart. */
export const keywords: Readonly<Record<KeywordName, KeywordSpec>> = table;
