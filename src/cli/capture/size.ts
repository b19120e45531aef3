import { type Reader, Refusal } from '../../daemon/config/refusal.ts';

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1 << 10, M: 1 << 20, G: 1 << 30 };

/**
 * Reads a size into bytes: a whole number, or one with K, M or G, of 1024 each.
 * @param least, most the bounds as texts of the same kind
 */
export function size(least: string, most: string): Reader<number> {
  return (value) => {
    const length = bytes(String(value));
    if (length === undefined) throw new Refusal('is not a size: a whole number of bytes, or with K, M or G');
    if (length < bytes(least)! || length > bytes(most)!) {
      throw new Refusal(`is out of range: a size from ${least} to ${most}`);
    }
    return length;
  };
}

function bytes(text: string): number | undefined {
  const parts = /^(\d{1,12})([KMG]?)$/i.exec(text);
  return parts ? Number(parts[1]) * UNITS[parts[2]!.toUpperCase()]! : undefined;
}
