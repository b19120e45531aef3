import { formatIpv4, formatIpv6 } from '../nfnetlink/address.ts';
import { ATTRIBUTE_HEADER, align4 } from '../nfnetlink/attribute.ts';
import { DecodeError } from '../nfnetlink/errors.ts';
import { attributeWord, lengthIn, locate, typeIn } from './attributeWord.ts';
import { CTA_IP, CTA_PROTO, CTA_TUPLE } from './constants.ts';
import type { Tuple } from './tuple.ts';

const NO_BYTES: Uint8Array = new Uint8Array(0);
const NO_DATA: DataView = new DataView(NO_BYTES.buffer);

// one table of offsets for both nests and the zone: a slot is the attribute's number behind its nest's base
const IP = 0;
const PROTO = IP + CTA_IP.V6_DST;
const ZONE = PROTO + CTA_PROTO.ICMPV6_CODE + 1;
const IP_SLOTS = 0b11110;
const PROTO_SLOTS = ((1 << ZONE) - 1) & ~IP_SLOTS & ~1;

const SOURCE_IPV4 = IP + CTA_IP.V4_SRC;
const DESTINATION_IPV4 = IP + CTA_IP.V4_DST;
const SOURCE_IPV6 = IP + CTA_IP.V6_SRC;
const DESTINATION_IPV6 = IP + CTA_IP.V6_DST;
const PROTOCOL = PROTO + CTA_PROTO.NUM;
const SOURCE_PORT = PROTO + CTA_PROTO.SRC_PORT;
const DESTINATION_PORT = PROTO + CTA_PROTO.DST_PORT;

/** Bytes that the payload in a slot needs, of the addresses and of both nests. */
const neededOfIp = Uint8Array.of(0, 4, 4, 16, 16);
const neededOfProto = Uint8Array.of(...neededOfIp, 1, 2, 2, 2, 1, 1, 2, 1, 1);

/**
 * One direction of a flow, read in place: no text, no allocation. Valid as long as the bytes that it was
 * attached to; what the tuple lacks reads as 0, except where a getter says otherwise.
 */
export class TupleView {
  private bytes = NO_BYTES;
  private data = NO_DATA;
  /** Payload offsets by slot; what stands there counts only where `present` has the slot's bit. */
  private readonly at = new Int32Array(ZONE + 1);
  private present = 0;

  /**
   * Reads the attributes from `start` to `end`, the payload of a CTA_TUPLE_*; `data` shows the same bytes.
   * @throws DecodeError where they are malformed.
   */
  attach(bytes: Uint8Array, data: DataView, start: number, end: number): this {
    this.bytes = bytes;
    this.data = data;
    let present = 0;
    for (let offset = start; offset < end; ) {
      const word = attributeWord(data, offset, end);
      const payload = offset + ATTRIBUTE_HEADER;
      const stop = offset + lengthIn(word);
      const type = typeIn(word);
      if (type === CTA_TUPLE.IP) {
        present = (present & ~IP_SLOTS) | locate(data, payload, stop, neededOfIp, this.at, IP);
      } else if (type === CTA_TUPLE.PROTO) {
        present = (present & ~PROTO_SLOTS) | locate(data, payload, stop, neededOfProto, this.at, PROTO);
      } else if (type === CTA_TUPLE.ZONE) {
        if (stop - payload >= 2) {
          this.at[ZONE] = payload;
          present |= 1 << ZONE;
        } else if (stop !== payload) {
          throw new DecodeError(`${stop - payload} bytes where 2 are needed`, payload, 'CTA_TUPLE_ZONE');
        }
      }
      offset += align4(lengthIn(word));
    }
    this.present = present;
    return this;
  }

  private has(slot: number): boolean {
    return (this.present & (1 << slot)) !== 0;
  }
  private u8(slot: number): number | undefined {
    return this.has(slot) ? this.data.getUint8(this.at[slot]!) : undefined;
  }
  private u16(slot: number): number | undefined {
    return this.has(slot) ? this.data.getUint16(this.at[slot]!) : undefined;
  }

  /** Whether both addresses and the protocol are there, as in everything that the kernel sends of a flow. */
  get isComplete(): boolean {
    const hasSource = this.has(SOURCE_IPV4) || this.has(SOURCE_IPV6);
    return hasSource && (this.has(DESTINATION_IPV4) || this.has(DESTINATION_IPV6)) && this.has(PROTOCOL);
  }
  /** The IPv4 source as an unsigned 32-bit integer, its first byte uppermost; 0 for another family. */
  get sourceIpv4(): number {
    return this.has(SOURCE_IPV4) ? this.data.getUint32(this.at[SOURCE_IPV4]!) : 0;
  }
  get destinationIpv4(): number {
    return this.has(DESTINATION_IPV4) ? this.data.getUint32(this.at[DESTINATION_IPV4]!) : 0;
  }
  /** IP protocol number. */
  get protocol(): number {
    return this.has(PROTOCOL) ? this.data.getUint8(this.at[PROTOCOL]!) : 0;
  }
  get sourcePort(): number {
    return this.has(SOURCE_PORT) ? this.data.getUint16(this.at[SOURCE_PORT]!) : 0;
  }
  get destinationPort(): number {
    return this.has(DESTINATION_PORT) ? this.data.getUint16(this.at[DESTINATION_PORT]!) : 0;
  }
  /** Whether the protocol has ports; a port may be 0. */
  get hasPorts(): boolean {
    return this.has(DESTINATION_PORT);
  }
  /** Of ICMP and ICMPv6 alike; undefined for other protocols. */
  get icmpId(): number | undefined {
    return this.u16(PROTO + CTA_PROTO.ICMP_ID) ?? this.u16(PROTO + CTA_PROTO.ICMPV6_ID);
  }
  get icmpType(): number | undefined {
    return this.u8(PROTO + CTA_PROTO.ICMP_TYPE) ?? this.u8(PROTO + CTA_PROTO.ICMPV6_TYPE);
  }
  get icmpCode(): number | undefined {
    return this.u8(PROTO + CTA_PROTO.ICMP_CODE) ?? this.u8(PROTO + CTA_PROTO.ICMPV6_CODE);
  }
  /** The zone of this direction alone; undefined where it has none. */
  get zone(): number | undefined {
    return this.u16(ZONE);
  }

  /** Bytes of the source address: 4, 16, or 0 where there is none. */
  get sourceLength(): number {
    return this.has(SOURCE_IPV4) ? 4 : this.has(SOURCE_IPV6) ? 16 : 0;
  }
  get destinationLength(): number {
    return this.has(DESTINATION_IPV4) ? 4 : this.has(DESTINATION_IPV6) ? 16 : 0;
  }
  /** Copies the source address to `target` and returns its length. */
  copySource(target: Uint8Array, offset: number): number {
    return this.copy(SOURCE_IPV4, this.sourceLength, target, offset);
  }
  copyDestination(target: Uint8Array, offset: number): number {
    return this.copy(DESTINATION_IPV4, this.destinationLength, target, offset);
  }
  /** Whether the first `prefix` bits of the source are those of `address` (4 or 16 bytes), family included. */
  isSourceIn(address: Uint8Array, prefix: number): boolean {
    return this.matches(SOURCE_IPV4, this.sourceLength, address, prefix);
  }
  isDestinationIn(address: Uint8Array, prefix: number): boolean {
    return this.matches(DESTINATION_IPV4, this.destinationLength, address, prefix);
  }

  /** The tuple as an object of its own, addresses as text. */
  toTuple(): Tuple {
    return {
      source: this.text(SOURCE_IPV4, this.sourceLength),
      destination: this.text(DESTINATION_IPV4, this.destinationLength),
      protocol: this.u8(PROTOCOL),
      sourcePort: this.u16(SOURCE_PORT),
      destinationPort: this.u16(DESTINATION_PORT),
      icmpId: this.icmpId,
      icmpType: this.icmpType,
      icmpCode: this.icmpCode,
      zone: this.zone,
    };
  }

  private addressAt(ipv4Slot: number, length: number): number {
    return this.at[length === 4 ? ipv4Slot : ipv4Slot + SOURCE_IPV6 - SOURCE_IPV4]!;
  }

  private copy(ipv4Slot: number, length: number, target: Uint8Array, offset: number): number {
    const at = this.addressAt(ipv4Slot, length);
    for (let i = 0; i < length; i++) target[offset + i] = this.data.getUint8(at + i);
    return length;
  }

  private matches(ipv4Slot: number, length: number, address: Uint8Array, prefix: number): boolean {
    if (length === 0 || length !== address.length) return false;
    const at = this.addressAt(ipv4Slot, length);
    const whole = prefix >> 3;
    for (let i = 0; i < whole; i++) if (this.data.getUint8(at + i) !== address[i]) return false;
    const mask = (0xff00 >> (prefix & 7)) & 0xff;
    return mask === 0 || ((this.data.getUint8(at + whole) ^ address[whole]!) & mask) === 0;
  }

  private text(ipv4Slot: number, length: number): string | undefined {
    if (length === 0) return undefined;
    const at = this.addressAt(ipv4Slot, length);
    return length === 4 ? formatIpv4(this.bytes, at) : formatIpv6(this.bytes, at);
  }
}
