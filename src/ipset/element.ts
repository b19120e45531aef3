import { EncodeError } from '../nfnetlink/index.ts';
import type { ListedElementWire, RequestedElementWire } from './attributes.ts';
import { IPSET_CADT_FLAG } from './constants.ts';
import { addressBytes, checkKey } from './elementKey.ts';
import { formatMac, parseMac } from './mac.ts';
import type { SetType } from './setType.ts';
import { checkTimeout } from './timeout.ts';

/**
 * One element of a set. Which fields make its key is told by the set's type (`elementFields`); the rest
 * are extensions, which the set must have been created with.
 */
export interface Element {
  /** The first address, or a network's address, as text. */
  readonly ip?: string;
  /** The last address of a range that begins at `ip`; in requests for IPv4 only. */
  readonly ipTo?: string;
  /** Prefix length of `ip`. For types that hold hosts, requests may name an IPv4 network to add all of it. */
  readonly cidr?: number;
  /** The second address of a type that has two. */
  readonly ip2?: string;
  readonly ip2To?: string;
  readonly cidr2?: number;
  /** A port; for ICMP and ICMPv6 the type times 256 plus the code; 0 for protocols without ports. */
  readonly port?: number;
  /** The last port of a range that begins at `port`, in requests. */
  readonly portTo?: number;
  /** The number of the protocol that `port` belongs to: 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6, ... */
  readonly protocol?: number;
  /** A MAC address: '02:00:00:00:00:01'. */
  readonly mac?: string;
  /** A packet mark, 32 bits. */
  readonly mark?: number;
  /** An interface's name, or the beginning of names with `wildcard`. */
  readonly iface?: string;
  /** Whether `iface` is the port of a bridge rather than the bridge. */
  readonly physdev?: boolean;
  /** Whether `iface` is the beginning of the names that it stands for. */
  readonly wildcard?: boolean;
  /** The name of a set that is a member of a list:set. */
  readonly name?: string;
  /** The member that `name` is to stand before, or stands before, in requests. */
  readonly before?: string;
  /** The member that `name` is to stand behind, or stands behind, in requests. */
  readonly after?: string;
  /** An exception: addresses in it are not in the set. */
  readonly nomatch?: boolean;
  /** Seconds to live; 0 is for ever. A listing shows what is left. */
  readonly timeout?: number;
  readonly packets?: bigint;
  readonly bytes?: bigint;
  /** At most 255 bytes. */
  readonly comment?: string;
  /** The mark to give to packets that match, and the bits of it that count. */
  readonly skbMark?: { readonly mark: number; readonly mask: number };
  /** The traffic control class to give to packets that match: major number times 65536 plus minor. */
  readonly skbPriority?: number;
  readonly skbQueue?: number;
}

/** What of a set decides how its elements are written. */
export interface SetShape {
  readonly name: string;
  readonly type: SetType;
  readonly revision: number;
  /** AF.INET, AF.INET6, or 0 for types without addresses. */
  readonly family: number;
}

/** What an element is written for: what is allowed in it differs. */
export type ElementUse = 'add' | 'del' | 'test';

/**
 * Writes an element for a set. The kernel answers 'not in the set' to a TEST of a key that it cannot
 * read (ip_set_utest() maps every failure to IPSET_ERR_EXIST), so a key that does not fit the set's type
 * and family is refused here. A deletion and a test name an element by its key: extensions are left out.
 * @throws EncodeError with the field's name as path.
 */
export function encodeElement(element: Element, set: SetShape, use: ElementUse): RequestedElementWire {
  checkKey(element, set, use);
  const wire: RequestedElementWire = {};
  if (element.ip !== undefined) wire.ip = addressBytes(element.ip, set, 'ip');
  if (element.ipTo !== undefined) wire.ipTo = addressBytes(element.ipTo, set, 'ipTo');
  if (element.cidr !== undefined) wire.cidr = element.cidr;
  if (element.port !== undefined) wire.port = element.port;
  if (element.portTo !== undefined) wire.portTo = element.portTo;
  if (element.protocol !== undefined) wire.protocol = element.protocol;
  const flags = encodeFlags(element);
  if (flags !== 0) wire.flags = flags;
  if (element.mark !== undefined) wire.mark = element.mark;
  if (element.mac !== undefined) wire.ether = parseMac(element.mac);
  if (element.name !== undefined) wire.name = element.name;
  const neighbour = element.before ?? element.after;
  if (neighbour !== undefined) wire.nameReference = neighbour;
  if (element.ip2 !== undefined) wire.ip2 = addressBytes(element.ip2, set, 'ip2');
  if (element.cidr2 !== undefined) wire.cidr2 = element.cidr2;
  if (element.ip2To !== undefined) wire.ip2To = addressBytes(element.ip2To, set, 'ip2To');
  if (element.iface !== undefined) wire.iface = element.iface;
  if (use === 'add') encodeExtensions(element, wire);
  return wire;
}

function encodeFlags(element: Element): number {
  return (
    (element.before === undefined ? 0 : IPSET_CADT_FLAG.BEFORE) |
    (element.physdev ? IPSET_CADT_FLAG.PHYSDEV : 0) |
    (element.nomatch ? IPSET_CADT_FLAG.NOMATCH : 0) |
    (element.wildcard ? IPSET_CADT_FLAG.IFACE_WILDCARD : 0)
  );
}

function encodeExtensions(element: Element, wire: RequestedElementWire): void {
  if (element.timeout !== undefined) {
    checkTimeout(element.timeout);
    wire.timeout = element.timeout;
  }
  if (element.packets !== undefined) wire.packets = element.packets;
  if (element.bytes !== undefined) wire.bytes = element.bytes;
  if (element.comment !== undefined) wire.comment = element.comment;
  if (element.skbMark !== undefined) wire.skbMark = encodeSkbMark(element.skbMark);
  if (element.skbPriority !== undefined) wire.skbPriority = element.skbPriority;
  if (element.skbQueue !== undefined) wire.skbQueue = element.skbQueue;
}

function encodeSkbMark({ mark, mask }: { mark: number; mask: number }): bigint {
  checkU32(mark, 'skbMark.mark');
  checkU32(mask, 'skbMark.mask');
  return (BigInt(mark) << 32n) | BigInt(mask);
}

function checkU32(value: number, path: string): void {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
    throw new EncodeError(`${value} is not an integer from 0 to 4294967295`, path);
  }
}

/** An element of a listing. */
export function decodeElement(wire: ListedElementWire): Element {
  const element: { -readonly [K in keyof Element]: Element[K] } = {};
  const { flags = 0 } = wire;
  if (wire.ip !== undefined) element.ip = wire.ip;
  if (wire.cidr !== undefined) element.cidr = wire.cidr;
  if (wire.port !== undefined) element.port = wire.port;
  if (wire.protocol !== undefined) element.protocol = wire.protocol;
  if (wire.ip2 !== undefined) element.ip2 = wire.ip2;
  if (wire.cidr2 !== undefined) element.cidr2 = wire.cidr2;
  if (wire.ether !== undefined) element.mac = formatMac(wire.ether);
  if (wire.mark !== undefined) element.mark = wire.mark;
  if (wire.iface !== undefined) element.iface = wire.iface;
  if (flags & IPSET_CADT_FLAG.PHYSDEV) element.physdev = true;
  if (flags & IPSET_CADT_FLAG.IFACE_WILDCARD) element.wildcard = true;
  if (wire.name !== undefined) element.name = wire.name;
  if (flags & IPSET_CADT_FLAG.NOMATCH) element.nomatch = true;
  if (wire.timeout !== undefined) element.timeout = wire.timeout;
  if (wire.packets !== undefined) element.packets = wire.packets;
  if (wire.bytes !== undefined) element.bytes = wire.bytes;
  if (wire.comment !== undefined) element.comment = wire.comment;
  if (wire.skbMark !== undefined) element.skbMark = decodeSkbMark(wire.skbMark);
  if (wire.skbPriority !== undefined) element.skbPriority = wire.skbPriority;
  if (wire.skbQueue !== undefined) element.skbQueue = wire.skbQueue;
  return element;
}

function decodeSkbMark(value: bigint): { mark: number; mask: number } {
  return { mark: Number(value >> 32n), mask: Number(value & 0xffffffffn) };
}
