import { lookup, lookupService } from 'node:dns/promises';
import { parseAddress, parseIpv6 } from '../../nfnetlink/address.ts';
import { AF } from '../../nfnetlink/constants.ts';
import { Pending } from './finish.ts';

/** What a host's name stands for: its addresses, none where it cannot be resolved. */
type Addresses = readonly Uint8Array[];

const nowhere: Addresses = [];

/**
 * Addresses by text or by name, as gethostbyname2(3) finds them, and names by address. What has to be
 * asked for is asked once.
 */
export class Hosts {
  readonly #addresses = new Map<string, Addresses>();
  readonly #names = new Map<string, string>();

  /**
   * The addresses of the family that a text or name stands for.
   * @throws Pending where a name must be resolved first
   */
  addresses(text: string, family: number): Addresses {
    const numeric = parseDotted(text);
    if (numeric === false) return nowhere;
    if (numeric) return family === AF.INET ? [numeric] : nowhere;
    if (text.includes(':')) {
      const bytes = family === AF.INET6 && !text.includes('%') ? parseIpv6(text) : undefined;
      return bytes ? [bytes] : nowhere;
    }
    if (!mayBeName(text)) return nowhere;
    const key = `${family} ${text}`;
    const known = this.#addresses.get(key);
    if (known) return known;
    throw new Pending(async () => {
      this.#addresses.set(key, await resolve(text, family === AF.INET6 ? 6 : 4));
    });
  }

  /** The name of an address where it was asked for and has one, else the address. */
  nameOf(address: string): string | undefined {
    return this.#names.get(address);
  }

  /** Asks for the name of an address. */
  async learnName(address: string): Promise<void> {
    if (this.#names.has(address)) return;
    const name = await lookupService(address, 0).then(
      ({ hostname }) => hostname,
      () => address,
    );
    // a dash would read as a range
    this.#names.set(address, name.includes('-') ? `[${name}]` : name);
  }
}

/** Digits and dots only: an address as inet_aton(3) reads it, false where it is none; undefined for others. */
function parseDotted(text: string): Uint8Array | false | undefined {
  return parseQuad(text) ?? parseAton(text);
}

/** Four plain decimal numbers: what nearly every address is. */
function parseQuad(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(4);
  let index = 0;
  let octet = -1;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit === -2 && octet !== -1 && index < 3) {
      bytes[index++] = octet;
      octet = -1;
    } else if (digit >= 0 && digit <= 9 && octet !== 0) {
      octet = octet === -1 ? digit : octet * 10 + digit;
      if (octet > 255) return undefined;
    } else {
      return undefined;
    }
  }
  if (index !== 3 || octet === -1) return undefined;
  bytes[3] = octet;
  return bytes;
}

function parseAton(text: string): Uint8Array | false | undefined {
  if (!/^\d[\d.]*$/.test(text) || text.endsWith('.')) return undefined;
  const parts = text.split('.');
  if (parts.length > 4) return false;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < parts.length; i++) {
    const value = parseAtonPart(parts[i]!);
    const room = i === parts.length - 1 ? 4 - i : 1;
    if (value === undefined || value >= 256 ** room) return false;
    for (let k = 0; k < room; k++) bytes[i + k] = Math.floor(value / 256 ** (room - 1 - k));
  }
  return bytes;
}

function parseAtonPart(part: string): number | undefined {
  if (/^(?:0|[1-9]\d{0,9})$/.test(part)) return Number(part);
  return /^0[0-7]{1,11}$/.test(part) ? Number.parseInt(part, 8) : undefined;
}

// getaddrinfo(3) would read hexadecimal numbers as addresses, which gethostbyname2(3) takes for names
function mayBeName(text: string): boolean {
  return /^[A-Za-z0-9_]([A-Za-z0-9._-]*)$/.test(text) && !/^0[xX][0-9a-fA-F]*(\.|$)/.test(text);
}

async function resolve(name: string, family: 4 | 6): Promise<Addresses> {
  try {
    const found = await lookup(name, { family, all: true, verbatim: true });
    return found.map(({ address }) => parseAddress(address)!);
  } catch {
    return nowhere;
  }
}
