import {
  IPSET_CADT_FLAG,
  IPSET_ERR,
  IPSET_ERR_HASH,
  type ListedElementWire,
  type ListedOptionsWire,
  type RequestedElementWire,
  type SetType,
} from '../ipset/index.ts';
import { AF, formatAddress, parseAddress, toHex } from '../nfnetlink/index.ts';

/** What the model's set keeps of an element. */
interface Stored {
  readonly wire: ListedElementWire;
  /** Milliseconds of the model's clock; Infinity for never. */
  readonly expiresAt: number;
}

/** A field of a key that is a network, and where its prefix length stands. */
interface NetField {
  readonly ip: 'ip' | 'ip2';
  readonly cidr: 'cidr' | 'cidr2';
}

/** The longest timeout that the kernel keeps; it shortens others without a word. */
const LONGEST_TIMEOUT = 2_147_482;

/**
 * One set of the model: elements by key, networks found by their longest prefix, each with its end.
 * Ranges, which the kernel adds one by one, are not known. Sources: net/netfilter/ipset/ip_set_hash_gen.h.
 */
export class ModelSet {
  readonly type: SetType;
  readonly family: number;
  readonly revision: number;
  /** The header's options; `timeout` where elements have one. */
  readonly options: ListedOptionsWire;
  readonly #now: () => number;
  readonly #elements = new Map<string, Stored>();
  readonly #nets: readonly NetField[];
  /** By net field: how many elements have each prefix length. */
  readonly #prefixes: readonly Map<number, number>[];

  constructor(
    type: SetType,
    family: number,
    revision: number,
    options: ListedOptionsWire,
    now: () => number,
  ) {
    this.type = type;
    this.family = family;
    this.revision = revision;
    this.options = options;
    this.#now = now;
    const addresses = type.dimensions.filter((each) => each === 'ip' || each === 'net');
    const fields: readonly NetField[] = [
      { ip: 'ip', cidr: 'cidr' },
      { ip: 'ip2', cidr: 'cidr2' },
    ];
    this.#nets = fields.filter((_, index) => addresses[index] === 'net');
    this.#prefixes = this.#nets.map(() => new Map());
  }

  get size(): number {
    return this.#elements.size;
  }

  /** Adds an element; returns the errno of the refusal, or 0. */
  add(asked: RequestedElementWire, isExclusive: boolean): number {
    const refusal = this.#check(asked);
    if (refusal !== 0) return refusal;
    const wire = this.#whole(asked);
    const key = this.#keyOf(wire);
    if (this.#alive(key) && isExclusive) return IPSET_ERR.EXIST;
    const most = this.options.maxElements ?? Number.POSITIVE_INFINITY;
    if (!this.#elements.has(key) && this.size >= most) {
      this.collect();
      if (this.size >= most) return IPSET_ERR_HASH.HASH_FULL;
    }
    this.#remove(key);
    const timeout = asked.timeout ?? this.options.timeout;
    this.#elements.set(key, { wire, expiresAt: this.#endOf(timeout) });
    this.#countPrefixes(wire, 1);
    return 0;
  }

  /** Deletes an element; returns the errno, EXIST where there is none. */
  delete(asked: RequestedElementWire): number {
    const refusal = this.#check(asked);
    if (refusal !== 0) return refusal;
    const key = this.#keyOf(this.#whole(asked));
    if (!this.#alive(key)) return IPSET_ERR.EXIST;
    this.#remove(key);
    return 0;
  }

  /** Whether the element is in the set. Whatever is wrong with the question is 'no' (ip_set_utest()). */
  test(asked: RequestedElementWire): boolean {
    if (this.#check(asked) !== 0) return false;
    const wantsException = ((asked.flags ?? 0) & IPSET_CADT_FLAG.NOMATCH) !== 0;
    const whole = this.#whole(asked);
    const found = this.#nets.length === 0 ? this.#alive(this.#keyOf(whole)) : this.#longest(whole, 0);
    if (!found) return false;
    return (((found.wire.flags ?? 0) & IPSET_CADT_FLAG.NOMATCH) !== 0) === wantsException;
  }

  /** Empties the set. */
  flush(): void {
    this.#elements.clear();
    for (const counts of this.#prefixes) counts.clear();
  }

  /** Lets go of the elements whose time is over. */
  collect(): void {
    for (const [key, { expiresAt }] of this.#elements) if (expiresAt <= this.#now()) this.#remove(key);
  }

  /** The elements as a listing tells them. */
  *listed(): Generator<ListedElementWire> {
    for (const { wire, expiresAt } of this.#elements.values()) {
      const left = expiresAt - this.#now();
      if (left > 0) yield this.options.timeout === undefined ? wire : { ...wire, timeout: secondsOf(left) };
    }
  }

  /** Whether the request has what makes a key of the set. */
  #check(asked: RequestedElementWire): number {
    const { dimensions, name } = this.type;
    let addresses = 0;
    for (const dimension of dimensions) {
      if (dimension === 'ip' || dimension === 'net') {
        const refusal = this.#checkAddress(asked, addresses++ === 0 ? 'ip' : 'ip2', dimension);
        if (refusal !== 0) return refusal;
      } else if (dimension === 'port') {
        if (asked.port === undefined) return IPSET_ERR.PROTOCOL;
        if (name === 'bitmap:port') continue;
        if (asked.protocol === undefined) return IPSET_ERR_HASH.MISSING_PROTO;
        if (asked.protocol === 0) return IPSET_ERR_HASH.INVALID_PROTO;
      } else if (dimension === 'mark' && asked.mark === undefined) return IPSET_ERR.PROTOCOL;
      else if (dimension === 'iface' && asked.iface === undefined) return IPSET_ERR.PROTOCOL;
      else if (dimension === 'set' && asked.name === undefined) return IPSET_ERR.PROTOCOL;
    }
    const hasTimeout = asked.timeout !== undefined;
    return hasTimeout && this.options.timeout === undefined ? IPSET_ERR.TIMEOUT : 0;
  }

  #checkAddress(asked: RequestedElementWire, field: 'ip' | 'ip2', dimension: 'ip' | 'net'): number {
    const address = asked[field];
    if (address === undefined) return IPSET_ERR.PROTOCOL;
    const is6 = typeof address === 'string' ? address.includes(':') : address.length === 16;
    if (is6 !== (this.family === AF.INET6)) return IPSET_ERR.PROTOCOL;
    const cidr = asked[field === 'ip' ? 'cidr' : 'cidr2'];
    if (dimension === 'net' && cidr !== undefined && (cidr > (is6 ? 128 : 32) || !this.#allows(cidr)))
      return IPSET_ERR.INVALID_CIDR;
    const isZero = address === '0.0.0.0' || address === '::';
    return this.type.name === 'hash:ip' && isZero ? IPSET_ERR_HASH.HASH_ELEM : 0;
  }

  /** Only some types hold a network of prefix length 0. */
  #allows(cidr: number): boolean {
    return cidr > 0 || this.type.name === 'hash:net,iface' || this.type.name === 'hash:net,port,net';
  }

  /** The element as it is listed: addresses as text without host bits, prefixes where there are networks. */
  #whole(asked: RequestedElementWire): ListedElementWire {
    const { port, protocol, mark, ether, iface, name, comment } = asked;
    const wire: ListedElementWire = { port, protocol, mark, ether, iface, name, comment };
    const shown = (asked.flags ?? 0) & (IPSET_CADT_FLAG.NOMATCH | IPSET_CADT_FLAG.PHYSDEV);
    if (shown !== 0) wire.flags = shown;
    for (const field of ['ip', 'ip2'] as const) {
      const address = asked[field];
      if (address === undefined) continue;
      const bytes = typeof address === 'string' ? parseAddress(address)! : address;
      const net = this.#nets.find(({ ip }) => ip === field);
      const mask = field === 'ip' ? this.options.netmask : undefined;
      const prefix = net ? (asked[net.cidr] ?? 8 * bytes.length) : (mask ?? 8 * bytes.length);
      wire[field] = formatAddress(withoutHostBits(bytes, prefix));
      if (net) wire[net.cidr] = prefix;
    }
    return wire;
  }

  #keyOf(wire: ListedElementWire): string {
    const { ip = '', cidr = '', ip2 = '', cidr2 = '', protocol = '', port = '', mark = '', ether } = wire;
    const mac = ether ? toHex(ether) : '';
    const device =
      wire.iface === undefined ? '' : `${wire.iface} ${(wire.flags ?? 0) & IPSET_CADT_FLAG.PHYSDEV}`;
    return `${ip}/${cidr},${protocol}:${port},${ip2}/${cidr2},${mark},${mac},${device},${wire.name ?? ''}`;
  }

  #alive(key: string): Stored | undefined {
    const stored = this.#elements.get(key);
    return stored && stored.expiresAt > this.#now() ? stored : undefined;
  }

  /** The element with the longest prefixes that holds the address; an explicit prefix is compared exactly. */
  #longest(whole: ListedElementWire, index: number): Stored | undefined {
    const net = this.#nets[index];
    if (!net) return this.#alive(this.#keyOf(whole));
    const bytes = parseAddress(whole[net.ip]!)!;
    if (whole[net.cidr]! < 8 * bytes.length) return this.#longest(whole, index + 1);
    for (const prefix of [...this.#prefixes[index]!.keys()].sort((a, b) => b - a)) {
      const masked = formatAddress(withoutHostBits(bytes, prefix));
      const found = this.#longest({ ...whole, [net.ip]: masked, [net.cidr]: prefix }, index + 1);
      if (found) return found;
    }
    return undefined;
  }

  #remove(key: string): void {
    const stored = this.#elements.get(key);
    if (!stored) return;
    this.#elements.delete(key);
    this.#countPrefixes(stored.wire, -1);
  }

  #countPrefixes(wire: ListedElementWire, by: 1 | -1): void {
    this.#nets.forEach(({ cidr }, index) => {
      const counts = this.#prefixes[index]!;
      const count = (counts.get(wire[cidr]!) ?? 0) + by;
      if (count === 0) counts.delete(wire[cidr]!);
      else counts.set(wire[cidr]!, count);
    });
  }

  #endOf(timeout: number | undefined): number {
    if (!timeout) return Number.POSITIVE_INFINITY;
    return this.#now() + Math.min(timeout, LONGEST_TIMEOUT) * 1000;
  }
}

/** What is left, as ip_set_timeout_get() tells it: 0 is for ever, and the last second is 1 to its end. */
function secondsOf(left: number): number {
  return left === Number.POSITIVE_INFINITY ? 0 : Math.max(1, Math.floor(left / 1000));
}

function withoutHostBits(bytes: Uint8Array, prefix: number): Uint8Array {
  return bytes.map((byte, index) => {
    const bits = Math.min(8, Math.max(0, prefix - 8 * index));
    return byte & (0xff << (8 - bits));
  });
}
