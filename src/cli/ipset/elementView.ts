import { IPSET_ATTR_ADT, IPSET_ATTR_CADT, IPSET_CADT_FLAG } from '../../ipset/constants.ts';
import { formatMac } from '../../ipset/mac.ts';
import { formatPort, hasNamedPorts } from '../../ipset/protocolText.ts';
import {
  align4,
  formatIpv4,
  formatIpv6,
  NLA,
  readU16be,
  readU16host,
  readU32be,
} from '../../nfnetlink/index.ts';
import { ascii, type ByteSink } from '../byteSink.ts';
import type { NetworkDatabase } from './netdb.ts';

const HIGHEST = 31;
const SLASH = 47;
const physdev = ascii('physdev:');

/** How addresses are shown: by number, or by name. */
export type ShowAddress = (address: string) => string;

/**
 * One element of a listing, read in place: `load` notes where each attribute stands, the others print
 * them. Listings are little else than elements, so nothing is made of them but the bytes of their text.
 */
export class ElementView {
  #bytes: Uint8Array = new Uint8Array();
  /** Where the payload of each attribute begins; 0 where it is absent. */
  readonly #at = new Int32Array(HIGHEST);
  readonly #end = new Int32Array(HIGHEST);
  readonly #database: NetworkDatabase;
  readonly #protocols: (Uint8Array | undefined)[] = [];
  #show: ShowAddress | undefined;
  #flags = 0;

  constructor(database: NetworkDatabase) {
    this.#database = database;
  }

  /** Shows addresses by name from now on, or by number. */
  showWith(show: ShowAddress | undefined): void {
    this.#show = show;
  }

  /** Takes the attributes between two offsets; malformed ones end the element. */
  load(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at.fill(0);
    for (let offset = start; offset + 4 <= end; ) {
      const length = readU16host(bytes, offset);
      if (length < 4 || offset + length > end) break;
      const type = readU16host(bytes, offset + 2) & NLA.TYPE_MASK;
      if (type < HIGHEST) {
        this.#at[type] = offset + 4;
        this.#end[type] = offset + length;
      }
      offset += align4(length);
    }
    this.#flags = this.has(IPSET_ATTR_CADT.CADT_FLAGS) ? this.number(IPSET_ATTR_CADT.CADT_FLAGS) : 0;
  }

  has(type: number): boolean {
    return this.#at[type] !== 0;
  }

  hasFlag(flag: number): boolean {
    return (this.#flags & flag) !== 0;
  }

  /** A number of 32 bits in network order. */
  number(type: number): number {
    return readU32be(this.#bytes, this.#at[type]!);
  }

  /** A number of 16 bits in network order. */
  short(type: number): number {
    return readU16be(this.#bytes, this.#at[type]!);
  }

  /** A number of 64 bits in network order, in decimal. */
  counter(type: number, sink: ByteSink): void {
    sink.u64(this.#bytes, this.#at[type]!);
  }

  /** The upper or the lower half of a number of 64 bits in network order. */
  half(type: number, which: 'upper' | 'lower'): number {
    return readU32be(this.#bytes, this.#at[type]! + (which === 'upper' ? 0 : 4));
  }

  byte(type: number): number {
    return this.#bytes[this.#at[type]!]!;
  }

  /** A string without its terminating zero, byte by byte as the kernel has it. */
  text(type: number, sink: ByteSink): void {
    const start = this.#at[type]!;
    let end = this.#end[type]!;
    while (end > start && this.#bytes[end - 1] === 0) end--;
    sink.copy(this.#bytes, start, end);
  }

  /** The address inside the nest, by number. */
  address(type: number): string {
    const at = this.#addressAt(type);
    return this.#isIpv6(type) ? formatIpv6(this.#bytes, at) : formatIpv4(this.#bytes, at);
  }

  #addressAt(type: number): number {
    return this.#at[type]! + 4;
  }

  #isIpv6(type: number): boolean {
    return this.#end[type]! - this.#at[type]! >= 20;
  }

  /** An address with its prefix length, where that is not the whole address. */
  extent(type: number, cidrType: number, sink: ByteSink): void {
    const isIpv6 = this.#isIpv6(type);
    if (this.#show) sink.text(this.#show(this.address(type)));
    else if (isIpv6) sink.ipv6(this.#bytes, this.#addressAt(type));
    else sink.ipv4(readU32be(this.#bytes, this.#addressAt(type)));
    if (!this.has(cidrType)) return;
    const cidr = this.byte(cidrType);
    if (cidr === (isIpv6 ? 128 : 32)) return;
    sink.character(SLASH);
    sink.number(cidr);
  }

  mac(sink: ByteSink): void {
    const at = this.#at[IPSET_ATTR_ADT.ETHER]!;
    sink.put(ascii(formatMac(this.#bytes.subarray(at, at + 6))));
  }

  /** tcp:80, icmp:echo-request, or the port alone. */
  port(sink: ByteSink): void {
    const port = this.short(IPSET_ATTR_CADT.PORT);
    if (!this.has(IPSET_ATTR_CADT.PROTO)) {
      sink.number(port);
      return;
    }
    const protocol = this.byte(IPSET_ATTR_CADT.PROTO);
    sink.put(this.#protocolWord(protocol));
    if (hasNamedPorts(protocol)) sink.put(ascii(formatPort(port, protocol)));
    else sink.number(port);
  }

  /** The protocol's name and a colon. */
  #protocolWord(protocol: number): Uint8Array {
    this.#protocols[protocol] ??= ascii(`${this.#database.protocolByNumber(protocol) ?? protocol}:`);
    return this.#protocols[protocol]!;
  }

  iface(sink: ByteSink): void {
    if (this.hasFlag(IPSET_CADT_FLAG.PHYSDEV)) sink.put(physdev);
    this.text(IPSET_ATTR_ADT.IFACE, sink);
  }
}
