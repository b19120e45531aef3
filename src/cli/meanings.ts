import {
  CTA_FILTER_FLAG,
  IP_CT_TCP_FLAG,
  IPCTNL_MSG_CT,
  IPCTNL_MSG_EXP,
  IPPROTO,
  IPS,
  NF_CT_EXPECT,
  SCTP_CONNTRACK,
  TCP_CONNTRACK,
} from '../ctnetlink/constants.ts';
import { IPSET_CADT_FLAG, IPSET_CMD, IPSET_FLAG } from '../ipset/constants.ts';
import { AF, NFNL_SUBSYS, NLM_F } from '../nfnetlink/constants.ts';

/** What a value says to a reader, beside its number: flags by name, states, protocols, times. */
type Meaning = (value: unknown) => string | undefined;

type Constants = Readonly<Record<string, number>>;

/** Names of the bits that are set; a bit without a name stands as a number. */
export function flagNames(flags: number, names: Constants): string {
  let rest = flags;
  const set: string[] = [];
  for (const [name, bit] of Object.entries(names)) {
    if ((flags & bit) !== bit) continue;
    set.push(name);
    rest &= ~bit;
  }
  if (rest !== 0) set.push(`0x${(rest >>> 0).toString(16)}`);
  return set.join('|');
}

/** Seconds as a person says them: 431999 is '4d 23h 59m 59s'. */
export function duration(seconds: number): string {
  const parts: [number, string][] = [
    [Math.floor(seconds / 86400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  const text = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count}${unit}`);
  return text.join(' ') || '0s';
}

const named =
  (names: Constants): Meaning =>
  (value) =>
    Object.entries(names).find(([, number]) => number === value)?.[0];
const flags =
  (names: Constants): Meaning =>
  (value) =>
    typeof value === 'number' ? flagNames(value, names) : undefined;
const hex: Meaning = (value) => (typeof value === 'number' ? `0x${value.toString(16)}` : undefined);
const seconds: Meaning = (value) => (typeof value === 'number' && value >= 60 ? duration(value) : undefined);
const signed: Meaning = (value) =>
  typeof value === 'number' && value > 0x7fffffff ? String(value | 0) : undefined;

// the tree carries 64 bits as decimal text; Date holds times up to the year 275760
const nanoseconds: Meaning = (value) => {
  if (typeof value !== 'string' || !/^\d+$/.test(value)) return undefined;
  const date = new Date(Number(BigInt(value) / 1_000_000n));
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
};

const tcpFlags: Meaning = (value) => {
  const { flags: set, mask } = (value ?? {}) as { flags?: number; mask?: number };
  if (set === undefined || mask === undefined) return undefined;
  return `${flagNames(set, IP_CT_TCP_FLAG) || '-'} mask ${flagNames(mask, IP_CT_TCP_FLAG) || '-'}`;
};

const icmpTypes: Constants = {
  ECHO_REPLY: 0,
  DEST_UNREACH: 3,
  REDIRECT: 5,
  ECHO: 8,
  TIME_EXCEEDED: 11,
  TIMESTAMP: 13,
  TIMESTAMP_REPLY: 14,
  INFO_REQUEST: 15,
  INFO_REPLY: 16,
  ADDRESS: 17,
  ADDRESS_REPLY: 18,
};
const icmpv6Types: Constants = { ECHO_REQUEST: 128, ECHO_REPLY: 129, NI_QUERY: 139, NI_REPLY: 140 };
const directions: Constants = { ORIGINAL: 0, REPLY: 1 };

const meanings: Readonly<Record<string, Meaning>> = {
  CTA_STATUS: flags(IPS),
  CTA_STATUS_MASK: flags(IPS),
  CTA_TIMEOUT: seconds,
  CTA_MARK: hex,
  CTA_MARK_MASK: hex,
  CTA_ID: hex,
  CTA_PROTO_NUM: named(IPPROTO),
  CTA_PROTO_ICMP_TYPE: named(icmpTypes),
  CTA_PROTO_ICMPV6_TYPE: named(icmpv6Types),
  CTA_PROTOINFO_TCP_STATE: named(TCP_CONNTRACK),
  CTA_PROTOINFO_TCP_FLAGS_ORIGINAL: tcpFlags,
  CTA_PROTOINFO_TCP_FLAGS_REPLY: tcpFlags,
  CTA_PROTOINFO_SCTP_STATE: named(SCTP_CONNTRACK),
  CTA_TIMESTAMP_START: nanoseconds,
  CTA_TIMESTAMP_STOP: nanoseconds,
  CTA_TIMESTAMP_EVENT: nanoseconds,
  CTA_FILTER_ORIG_FLAGS: flags(CTA_FILTER_FLAG),
  CTA_FILTER_REPLY_FLAGS: flags(CTA_FILTER_FLAG),
  CTA_SEQADJ_OFFSET_BEFORE: signed,
  CTA_SEQADJ_OFFSET_AFTER: signed,
  CTA_EXPECT_TIMEOUT: seconds,
  CTA_EXPECT_ID: hex,
  CTA_EXPECT_FLAGS: flags(NF_CT_EXPECT),
  CTA_EXPECT_NAT_DIR: named(directions),
  IPSET_ATTR_FAMILY: named(AF),
  IPSET_ATTR_FLAGS: flags(IPSET_FLAG),
  IPSET_ATTR_CADT_FLAGS: flags(IPSET_CADT_FLAG),
  IPSET_ATTR_PROTO: named(IPPROTO),
  IPSET_ATTR_TIMEOUT: seconds,
  IPSET_ATTR_MARK: hex,
  IPSET_ATTR_MARKMASK: hex,
  IPSET_ATTR_INITVAL: hex,
};

/** What the value of an attribute means, where it says more than the value does. */
export function meaningOf(attribute: string, value: unknown): string | undefined {
  return meanings[attribute]?.(value) || undefined;
}

export const familyName = named(AF);

const { REQUEST, MULTI, ACK, ECHO, DUMP_INTR, DUMP_FILTERED, CAPPED, ACK_TLVS, DUMP } = NLM_F;
const { ROOT, MATCH, REPLACE, EXCL, CREATE, APPEND } = NLM_F;
const common = { REQUEST, MULTI, ACK, ECHO, DUMP_INTR, DUMP_FILTERED };
const ofAck = { ...common, CAPPED, ACK_TLVS };
const ofGet = { ...common, DUMP };
const ofGetPart = { ...common, ROOT, MATCH };
const ofNew = { ...common, REPLACE, EXCL, CREATE, APPEND };

const gets: Readonly<Record<number, ReadonlySet<number>>> = {
  [NFNL_SUBSYS.CTNETLINK]: new Set(
    Object.entries(IPCTNL_MSG_CT)
      .filter(([name]) => name.startsWith('GET'))
      .map(([, command]) => command),
  ),
  [NFNL_SUBSYS.CTNETLINK_EXP]: new Set([IPCTNL_MSG_EXP.GET, IPCTNL_MSG_EXP.GET_STATS_CPU]),
  [NFNL_SUBSYS.IPSET]: new Set([
    IPSET_CMD.PROTOCOL,
    IPSET_CMD.LIST,
    IPSET_CMD.SAVE,
    IPSET_CMD.HEADER,
    IPSET_CMD.TYPE,
    IPSET_CMD.GET_BYNAME,
    IPSET_CMD.GET_BYINDEX,
  ]),
};

/** nlmsg_flags by name. The upper bits mean other things in GET, in NEW and in acknowledgements. */
export function messageFlagNames(type: number, flags: number): string {
  if (type < 16) return flagNames(flags, ofAck);
  if (!gets[type >> 8]?.has(type & 0xff)) return flagNames(flags, ofNew);
  return flagNames(flags, (flags & DUMP) === DUMP ? ofGet : ofGetPart);
}
