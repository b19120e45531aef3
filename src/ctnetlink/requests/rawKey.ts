import { payloadIn, type Span } from '../../nfnetlink/attribute.ts';
import { writeU16be, writeU32be } from '../../nfnetlink/bytes.ts';
import { AF } from '../../nfnetlink/constants.ts';
import { ATTRIBUTES_AT } from '../../nfnetlink/message.ts';
import { CTA, CTA_IP, CTA_PROTO, CTA_TUPLE } from '../constants.ts';
import { hasPorts, isIcmp } from '../protocol.ts';
import { encodeDeleteFlow } from './delete.ts';
import { encodeGetFlow } from './get.ts';

/**
 * What names one flow by its original tuple, as bytes and numbers: for who holds many flows and makes no
 * objects of them. Nothing of it may be left out, so that no message without a tuple can be made. Values are
 * not checked: they come from the kernel's own messages.
 */
export interface RawFlowKey {
  /** AF.INET or AF.INET6: 4 or 16 bytes an address. */
  readonly family: number;
  readonly protocol: number;
  /** Holds both addresses, in network order, at the offsets that follow. */
  readonly bytes: Uint8Array;
  readonly sourceAt: number;
  readonly destinationAt: number;
  /** For ICMP its id. Not looked at where tuples of the protocol have no ports. */
  readonly sourcePort: number;
  /** For ICMP type << 8 | code. */
  readonly destinationPort: number;
  /** 0 is the default zone. */
  readonly zone: number;
  /** Whether the zone is that of the tuple alone (CTA_TUPLE_ZONE), not of both directions (CTA_ZONE). */
  readonly isTupleZone: boolean;
}

/** The most bytes that a message about a raw key takes. */
export const LONGEST_RAW_REQUEST = 120;

/**
 * Writes what encodeGetFlow() makes of such a key, sequence number 0, at `offset`, and returns where it ends:
 * a multiple of four later. Allocates nothing.
 */
export function writeGetFlow(target: Uint8Array, offset: number, key: RawFlowKey): number {
  return writeKey(target, offset, key, templateOf(key, false));
}

/** Writes what encodeDeleteFlow() makes of such a key and an id, likewise. */
export function writeDeleteFlow(target: Uint8Array, offset: number, key: RawFlowKey, id: number): number {
  const template = templateOf(key, true);
  const end = writeKey(target, offset, key, template);
  writeU32be(target, offset + template.id, id);
  return end;
}

/** A message of one protocol with zeros where flows differ, and where that is: 0 for what it lacks. */
interface Template {
  readonly message: Uint8Array;
  readonly addressLength: number;
  readonly source: number;
  readonly destination: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly icmpId: number;
  readonly icmpType: number;
  readonly icmpCode: number;
  readonly zone: number;
  readonly id: number;
}

function writeKey(target: Uint8Array, offset: number, key: RawFlowKey, template: Template): number {
  const { message, addressLength, icmpId, sourcePort, zone } = template;
  const { bytes, sourceAt, destinationAt } = key;
  target.set(message, offset);
  const source = offset + template.source;
  const destination = offset + template.destination;
  for (let i = 0; i < addressLength; i++) {
    target[source + i] = bytes[sourceAt + i]!;
    target[destination + i] = bytes[destinationAt + i]!;
  }
  if (icmpId !== 0) {
    writeU16be(target, offset + icmpId, key.sourcePort);
    target[offset + template.icmpType] = key.destinationPort >>> 8;
    target[offset + template.icmpCode] = key.destinationPort;
  } else if (sourcePort !== 0) {
    writeU16be(target, offset + sourcePort, key.sourcePort);
    writeU16be(target, offset + template.destinationPort, key.destinationPort);
  }
  if (zone !== 0) writeU16be(target, offset + zone, key.zone);
  return offset + message.length;
}

/** By protocol and form; each made when it is first needed. */
const templates = new Map<number, Template>();

function templateOf(key: RawFlowKey, isDelete: boolean): Template {
  const zoneForm = key.isTupleZone ? 2 : key.zone === 0 ? 0 : 1;
  const form = (zoneForm << 2) | (key.family === AF.INET6 ? 2 : 0) | (isDelete ? 1 : 0);
  const index = (key.protocol << 4) | form;
  let template = templates.get(index);
  if (!template) {
    template = makeTemplate(key, isDelete);
    templates.set(index, template);
  }
  return template;
}

/** From a message that the ordinary builders make: the tables alone say what one looks like. */
function makeTemplate({ family, protocol, zone, isTupleZone }: RawFlowKey, isDelete: boolean): Template {
  const isIpv6 = family === AF.INET6;
  const address = isIpv6 ? '::' : '0.0.0.0';
  const key = {
    originalTuple: {
      ...{ source: address, destination: address, protocol },
      ...(isIcmp(protocol) && { icmpId: 0, icmpType: 0, icmpCode: 0 }),
      ...(hasPorts(protocol) && { sourcePort: 0, destinationPort: 0 }),
      ...(isTupleZone && { zone }),
    },
    ...(!isTupleZone && zone !== 0 && { zone }),
  };
  const message = isDelete ? encodeDeleteFlow({ ...key, id: 0 }) : encodeGetFlow(key);
  const within = (nest: Span | undefined, type: number) => nest && payloadIn(message, nest, type);
  const at = (nest: Span | undefined, type: number) => within(nest, type)?.start ?? 0;
  const whole = { start: ATTRIBUTES_AT, end: message.length };
  const tuple = within(whole, CTA.TUPLE_ORIG);
  const ip = within(tuple, CTA_TUPLE.IP);
  const proto = within(tuple, CTA_TUPLE.PROTO);
  return {
    message,
    addressLength: isIpv6 ? 16 : 4,
    source: at(ip, isIpv6 ? CTA_IP.V6_SRC : CTA_IP.V4_SRC),
    destination: at(ip, isIpv6 ? CTA_IP.V6_DST : CTA_IP.V4_DST),
    sourcePort: at(proto, CTA_PROTO.SRC_PORT),
    destinationPort: at(proto, CTA_PROTO.DST_PORT),
    icmpId: at(proto, CTA_PROTO.ICMP_ID) || at(proto, CTA_PROTO.ICMPV6_ID),
    icmpType: at(proto, CTA_PROTO.ICMP_TYPE) || at(proto, CTA_PROTO.ICMPV6_TYPE),
    icmpCode: at(proto, CTA_PROTO.ICMP_CODE) || at(proto, CTA_PROTO.ICMPV6_CODE),
    zone: isTupleZone ? at(tuple, CTA_TUPLE.ZONE) : at(whole, CTA.ZONE),
    id: at(whole, CTA.ID),
  };
}
