import type { Network } from './plan.ts';

/** Whether the address at `offset` (as long as the network's) lies in the network. */
export function contains(network: Network, bytes: Uint8Array, offset: number): boolean {
  const whole = network.prefix >>> 3;
  for (let i = 0; i < whole; i++) if (bytes[offset + i] !== network.address[i]) return false;
  const rest = network.prefix & 7;
  if (rest === 0) return true;
  return (bytes[offset + whole]! ^ network.address[whole]!) >>> (8 - rest) === 0;
}

/** The address with every bit behind the prefix cleared, in bytes of its own. */
export function withoutHostBits(address: Uint8Array, prefix: number): Uint8Array {
  return address.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, prefix - 8 * i))));
}

/**
 * Networks of both families, to be asked whether one holds an address. Built once, asked for every flow:
 * IPv4 by one look-up a prefix length, IPv6, of which a router has few, one network after the other.
 */
export class NetworkSet {
  readonly #ipv4: ReadonlyMap<number, ReadonlySet<number>>;
  readonly #ipv6: readonly Network[];

  constructor(networks: Iterable<Network>) {
    const ipv4 = new Map<number, Set<number>>();
    const ipv6: Network[] = [];
    for (const network of networks) {
      if (network.address.length === 16) {
        ipv6.push(network);
        continue;
      }
      const addresses = ipv4.get(network.prefix) ?? new Set();
      addresses.add(masked(network.address, 0, network.prefix));
      ipv4.set(network.prefix, addresses);
    }
    this.#ipv4 = ipv4;
    this.#ipv6 = ipv6;
  }

  has(family: number, bytes: Uint8Array, offset: number): boolean {
    if (family === 10) {
      for (const network of this.#ipv6) if (contains(network, bytes, offset)) return true;
      return false;
    }
    for (const [prefix, addresses] of this.#ipv4) {
      if (addresses.has(masked(bytes, offset, prefix))) return true;
    }
    return false;
  }
}

function masked(bytes: Uint8Array, offset: number, prefix: number): number {
  if (prefix === 0) return 0;
  const word =
    (bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!;
  return (word & (-1 << (32 - prefix))) >>> 0;
}
