import { ackAttributes, ackErrno, ECHO_AT, echoLength, tlvStart } from './ack.ts';
import { ATTRIBUTE_HEADER, align4, payloadEnd } from './attribute.ts';
import { readU16host, toHex } from './bytes.ts';
import { type Codec, isNest, type NestCodec } from './codec.ts';
import { NLA, NLM_F, NLMSG } from './constants.ts';
import { errnoName } from './errno.ts';
import { DecodeError } from './errors.ts';
import { ATTRIBUTES_AT, commandOf, MESSAGE_HEADER, subsystemOf, walkMessages } from './message.ts';
import { decodeNfGenMsg, decodeNlMsgHdr, type NfGenMsg, type NlMsgHdr } from './structs.ts';
import type { Subsystem } from './subsystem.ts';

/** Any netfilter datagram as a tree of kernel names and plain JSON values. */
export interface DatagramTree {
  readonly messages: readonly MessageTree[];
}

export interface MessageTree {
  readonly header: NlMsgHdr;
  /** The kernel's name of the message, 'short' for a header without nfgenmsg. */
  readonly kind: string;
  readonly subsys?: number;
  readonly nfgenmsg?: NfGenMsg;
  readonly attrs?: readonly AttributeTree[];
  /** NLMSG_ERROR and NLMSG_DONE: zero or a negative errno. */
  readonly error?: number;
  /** The errno's name; 'ACK' for zero, null where errno.h has none: a subsystem's describeErrno may. */
  readonly errno?: string | null;
  /** The header of the refused or acknowledged request. */
  readonly orig_header?: NlMsgHdr;
  /** Whether the kernel left out the request's payload. */
  readonly capped?: boolean;
  readonly orig_kind?: string;
  readonly orig_payload_len?: number;
  /** The extended acknowledgement. */
  readonly tlvs?: readonly AttributeTree[];
  /**
   * Payload of a message that netlink itself defines, or of an unknown subsystem, in hexadecimal; of rtnetlink the
   * structure before the attributes.
   */
  readonly payload?: string;
}

export interface AttributeTree {
  readonly attr: string;
  /** The attribute's number. */
  readonly type: number;
  /** The length field: header and payload. */
  readonly len: number;
  readonly nested_flag?: true;
  readonly net_byteorder_flag?: true;
  readonly nested?: readonly AttributeTree[];
  /** The wire format of `value`. */
  readonly fmt?: string;
  readonly value?: unknown;
}

/** Hears where each attribute begins: for output that shows byte offsets. */
export type OffsetListener = (node: AttributeTree | MessageTree, offset: number) => void;

/**
 * Decodes one datagram of any of the given subsystems.
 * @throws DecodeError at the first byte that does not fit the protocol.
 */
export function decodeTree(
  datagram: Uint8Array,
  subsystems: readonly Subsystem[],
  heard?: OffsetListener,
): DatagramTree {
  const decodeBody: BodyDecoder = (source, start, end, header) =>
    decodeNetfilterMessage(source, start, end, header, subsystems, heard);
  return decodeTreeBy(decodeBody, datagram, subsystems, heard);
}

/** Decodes a message whose type is none of netlink's own. */
export type BodyDecoder = (source: Uint8Array, start: number, end: number, header: NlMsgHdr) => MessageTree;

/**
 * Decodes one datagram of any netlink family.
 * @param subsystems what names the requests in acknowledgements
 * @throws DecodeError at the first byte that does not fit the protocol.
 */
export function decodeTreeBy(
  decodeBody: BodyDecoder,
  datagram: Uint8Array,
  subsystems: readonly Subsystem[],
  heard?: OffsetListener,
): DatagramTree {
  const messages: MessageTree[] = [];
  walkMessages(datagram, 0, datagram.length, (source, start, end) => {
    const message = decodeMessage(decodeBody, source, start, end, subsystems, heard);
    heard?.(message, start);
    messages.push(message);
  });
  return { messages };
}

function decodeMessage(
  decodeBody: BodyDecoder,
  source: Uint8Array,
  start: number,
  end: number,
  subsystems: readonly Subsystem[],
  heard?: OffsetListener,
): MessageTree {
  const header = decodeNlMsgHdr(source, start);
  if (header.nlmsg_type === NLMSG.ERROR) return decodeAck(source, start, end, subsystems, heard);
  if (header.nlmsg_type === NLMSG.DONE) {
    return { header, kind: 'NLMSG_DONE', error: signed(ackErrno(source, start, end)) };
  }
  if (header.nlmsg_type < 16) {
    const name = Object.entries(NLMSG).find(([, type]) => type === header.nlmsg_type)?.[0];
    const payload = toHex(source, start + MESSAGE_HEADER, end);
    return { header, kind: name ? `NLMSG_${name}` : `message type ${header.nlmsg_type}`, payload };
  }
  return decodeBody(source, start, end, header);
}

function decodeNetfilterMessage(
  source: Uint8Array,
  start: number,
  end: number,
  header: NlMsgHdr,
  subsystems: readonly Subsystem[],
  heard?: OffsetListener,
): MessageTree {
  if (end - start < ATTRIBUTES_AT) return { header, kind: 'short' };
  const nfgenmsg = decodeNfGenMsg(source, start + MESSAGE_HEADER);
  const subsys = subsystemOf(header.nlmsg_type);
  const shape = shapeOf(header, subsystems);
  const kind = shape?.name ?? `message type ${header.nlmsg_type}`;
  const at = start + ATTRIBUTES_AT;
  if (!shape) return { header, kind, subsys, nfgenmsg, payload: toHex(source, at, end) };
  return {
    header,
    kind,
    subsys,
    nfgenmsg,
    attrs: decodeAttributes(shape.attributes, source, at, end, heard),
  };
}

function decodeAck(
  source: Uint8Array,
  start: number,
  end: number,
  subsystems: readonly Subsystem[],
  heard?: OffsetListener,
): MessageTree {
  const header = decodeNlMsgHdr(source, start);
  const errno = ackErrno(source, start, end);
  const ack = { header, kind: 'NLMSG_ERROR', error: signed(errno) };
  const echo = start + ECHO_AT;
  const length = echoLength(source, start, end);
  if (length < MESSAGE_HEADER) return { ...ack, errno: treeErrno(errno) };
  const origHeader = decodeNlMsgHdr(source, echo);
  const origKind = requestKind(origHeader, subsystems);
  const tlvs = tlvStart(source, start, end);
  return {
    ...ack,
    errno: treeErrno(errno),
    orig_header: origHeader,
    capped: (header.nlmsg_flags & NLM_F.CAPPED) !== 0,
    ...(origKind !== undefined && { orig_kind: origKind }),
    ...(length > MESSAGE_HEADER && { orig_payload_len: length - MESSAGE_HEADER }),
    ...(tlvs < end && {
      tlvs: decodeAttributes(ackAttributes, source, tlvs, end, heard),
    }),
  };
}

// the JSON format has the other name of 95, EOPNOTSUPP, and its own name for one attribute
const ENOTSUP = 95;
const formatNames: Readonly<Record<string, string>> = { NL_POLICY_TYPE_ATTR_MAX_LENGTH: 'MAX_LEN' };

// above 4095 a number means what the subsystem, and for ipset the type of the set, makes of it
function treeErrno(errno: number): string | null {
  if (errno === 0) return 'ACK';
  if (errno === ENOTSUP) return 'ENOTSUP';
  return errno < 4096 ? errnoName(errno) : null;
}

function shapeOf(header: NlMsgHdr, subsystems: readonly Subsystem[]) {
  const subsystem = subsystems.find(({ id }) => id === subsystemOf(header.nlmsg_type));
  return subsystem?.shapeOf(commandOf(header.nlmsg_type), header.nlmsg_flags);
}

/** The name of a refused request; a command that its subsystem lacks is shown by its number. */
function requestKind(header: NlMsgHdr, subsystems: readonly Subsystem[]): string | undefined {
  const known = subsystems.some(({ id }) => id === subsystemOf(header.nlmsg_type));
  return known ? (shapeOf(header, subsystems)?.name ?? `?${commandOf(header.nlmsg_type)}`) : undefined;
}

/** -0 is not 0 to JSON's readers and to deep comparisons. */
function signed(errno: number): number {
  return errno === 0 ? 0 : -errno;
}

/** The attributes from `start` to `end` by one table; a number that the table lacks is shown as bytes. */
export function decodeAttributes(
  nest: NestCodec<unknown>,
  source: Uint8Array,
  start: number,
  end: number,
  heard?: OffsetListener,
): AttributeTree[] {
  const nodes: AttributeTree[] = [];
  for (let offset = start; offset < end; ) {
    const stop = payloadEnd(source, offset, end);
    const node = decodeAttribute(nest, source, offset, stop, heard);
    heard?.(node, offset);
    nodes.push(node);
    offset = start + align4(stop - start);
  }
  return nodes;
}

function decodeAttribute(
  nest: NestCodec<unknown>,
  source: Uint8Array,
  offset: number,
  stop: number,
  heard?: OffsetListener,
): AttributeTree {
  const wireType = readU16host(source, offset + 2);
  const type = wireType & NLA.TYPE_MASK;
  const entry = nest.byType[type];
  const name = entry?.name ?? `${nest.group}_${type}`;
  const head = {
    attr: formatNames[name] ?? name,
    type,
    len: stop - offset,
    ...(wireType & NLA.F_NESTED ? { nested_flag: true as const } : {}),
    ...(wireType & NLA.F_NET_BYTEORDER ? { net_byteorder_flag: true as const } : {}),
  };
  const at = offset + ATTRIBUTE_HEADER;
  if (entry && isNest(entry.codec)) {
    try {
      return { ...head, nested: decodeAttributes(entry.codec, source, at, stop, heard) };
    } catch (error) {
      throw error instanceof DecodeError ? error.within(entry.name) : error;
    }
  }
  return { ...head, ...decodeLeaf(entry?.codec, source, at, stop) };
}

// a pad, or a value shorter than its format (which the kernel refuses), is shown as the bytes that it is
function decodeLeaf(codec: Codec<unknown> | undefined, source: Uint8Array, start: number, end: number) {
  if (!codec) return { fmt: 'binary', value: toHex(source, start, end) };
  try {
    return { fmt: codec.format, value: plain(codec.decode(source, start, end)) };
  } catch {
    return { fmt: codec.format, value: `BADLEN:${toHex(source, start, end)}` };
  }
}

/** A value as JSON can hold it: bigint as decimal text, bytes as hexadecimal, signed words as the wire's. */
function plain(value: unknown): unknown {
  if (typeof value === 'number' && value < 0) return value >>> 0;
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return toHex(value);
  return value;
}
