import { formatAddress, parseAddress } from '../../nfnetlink/address.ts';
import { withoutHostBits } from '../network.ts';
import type { Network } from '../plan.ts';
import { Refusal } from './refusal.ts';

/** Reads a network, `198.51.100.0/24` or `2001:db8::/32`, or one address, which is its own network. */
export function decodeNetwork(value: unknown): Network {
  const parts = typeof value === 'string' ? /^([^/]+)(?:\/(\d{1,3}))?$/.exec(value) : null;
  const address = parts ? parseAddress(parts[1]!) : undefined;
  if (!parts || !address) {
    throw new Refusal(
      'is not a network: an address such as "192.0.2.7", or "198.51.100.0/24", "2001:db8::/32"',
    );
  }
  const longest = address.length * 8;
  const prefix = parts[2] === undefined ? longest : Number(parts[2]);
  if (prefix > longest) throw new Refusal(`has too long a prefix: 0 to ${longest}`);
  const masked = withoutHostBits(address, prefix);
  if (masked.some((byte, i) => byte !== address[i])) {
    throw new Refusal(
      `has bits behind its prefix: ${JSON.stringify(networkText({ address: masked, prefix }))}`,
    );
  }
  return { address, prefix };
}

/** '198.51.100.0/24'. */
export function networkText({ address, prefix }: Network): string {
  return `${formatAddress(address)}/${prefix}`;
}
