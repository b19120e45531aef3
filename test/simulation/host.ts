import type { Network } from '../../src/daemon/plan.ts';
import { parseAddress } from '../../src/nfnetlink/index.ts';

/** An address of the simulated world. */
export interface Host {
  readonly text: string;
  readonly value: bigint;
  readonly bits: 32 | 128;
}

/** An address and how many of its leading bits count. */
export interface Net {
  readonly host: Host;
  readonly prefix: number;
}

export function host(text: string): Host {
  const bytes = parseAddress(text)!;
  const bits = bytes.length === 4 ? 32 : 128;
  return { text, value: numberOf(bytes), bits };
}

export function numberOf(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

export function isWithin({ value, bits }: Host, net: Net): boolean {
  if (bits !== net.host.bits) return false;
  const rest = BigInt(bits - net.prefix);
  return value >> rest === net.host.value >> rest;
}

/** A network of the plan as the world's. */
export function netOf({ address, prefix }: Network): Net {
  const bits = address.length === 4 ? 32 : 128;
  return { host: { text: '', value: numberOf(address), bits }, prefix };
}
