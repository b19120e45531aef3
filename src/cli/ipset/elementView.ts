import { IPSET_ATTR_ADT, IPSET_ATTR_CADT, IPSET_CADT_FLAG } from '../../ipset/constants.ts';
import { formatPort } from '../../ipset/protocolText.ts';
import {
  align4,
  formatIpv4,
  formatIpv6,
  NLA,
  readU16be,
  readU16host,
  readU32be,
  readU64be,
} from '../../nfnetlink/index.ts';
import type { NetworkDatabase } from './netdb.ts';

const HIGHEST = 31;

/** How addresses are shown: by number, or by name. */
export type ShowAddress = (address: string) => string;

/**
 * One element of a listing, read in place: `load` notes where each attribute stands, the others print
 * them. Listings are little else than elements, so nothing is made of them but their text.
 */
export class ElementView {
  #bytes: Uint8Array = new Uint8Array();
  /** Where the payload of each attribute begins; 0 where it is absent. */
  readonly #at = new Int32Array(HIGHEST);
  readonly #end = new Int32Array(HIGHEST);
  readonly #database: NetworkDatabase;
  readonly #protocols: (string | undefined)[] = [];
  readonly #decoder = new TextDecoder();
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

  counter(type: number): bigint {
    return readU64be(this.#bytes, this.#at[type]!);
  }

  byte(type: number): number {
    return this.#bytes[this.#at[type]!]!;
  }

  /** A string without its terminating zero. */
  text(type: number): string {
    const start = this.#at[type]!;
    let end = this.#end[type]!;
    while (end > start && this.#bytes[end - 1] === 0) end--;
    return this.#decoder.decode(this.#bytes.subarray(start, end));
  }

  /** The address inside the nest, by number. */
  address(type: number): string {
    const at = this.#at[type]! + 4;
    return this.#end[type]! - at >= 16 ? formatIpv6(this.#bytes, at) : formatIpv4(this.#bytes, at);
  }

  /** An address with its prefix length, where that is not the whole address. */
  extent(type: number, cidrType: number): string {
    const address = this.address(type);
    const shown = this.#show ? this.#show(address) : address;
    if (!this.has(cidrType)) return shown;
    const cidr = this.byte(cidrType);
    return cidr === (this.#end[type]! - this.#at[type]! >= 20 ? 128 : 32) ? shown : `${shown}/${cidr}`;
  }

  mac(): string {
    const at = this.#at[IPSET_ATTR_ADT.ETHER]!;
    let text = '';
    for (let i = at; i < at + 6; i++) {
      const byte = this.#bytes[i]!;
      text += `${i === at ? '' : ':'}${byte < 16 ? '0' : ''}${byte.toString(16).toUpperCase()}`;
    }
    return text;
  }

  /** tcp:80, icmp:echo-request, or the port alone. */
  port(): string {
    const port = this.short(IPSET_ATTR_CADT.PORT);
    if (!this.has(IPSET_ATTR_CADT.PROTO)) return String(port);
    const protocol = this.byte(IPSET_ATTR_CADT.PROTO);
    return `${this.#protocolName(protocol)}:${formatPort(port, protocol)}`;
  }

  #protocolName(protocol: number): string {
    this.#protocols[protocol] ??= this.#database.protocolByNumber(protocol) ?? String(protocol);
    return this.#protocols[protocol]!;
  }

  iface(): string {
    const name = this.text(IPSET_ATTR_ADT.IFACE);
    return this.hasFlag(IPSET_CADT_FLAG.PHYSDEV) ? `physdev:${name}` : name;
  }
}
