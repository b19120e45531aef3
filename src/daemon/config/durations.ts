import { type Reader, Refusal } from './refusal.ts';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Reads a duration into milliseconds: a whole number and its unit, `500ms`, `2s`, `5m`, `1h`. A number
 * without a unit is refused, since nothing says which was meant.
 * @param least, most the bounds as texts of the same kind
 */
export function duration(least: string, most: string): Reader<number> {
  const lowest = milliseconds(least)!;
  const highest = milliseconds(most)!;
  return (value) => {
    const length = typeof value === 'string' ? milliseconds(value) : undefined;
    if (length === undefined) {
      throw new Refusal('is not a duration: a whole number with ms, s, m or h, such as "500ms" or "5m"');
    }
    if (length < lowest || length > highest) {
      throw new Refusal(`is out of range: a duration from "${least}" to "${most}"`);
    }
    return length;
  };
}

function milliseconds(text: string): number | undefined {
  const parts = /^(\d{1,9})(ms|s|m|h)$/.exec(text);
  return parts ? Number(parts[1]) * UNITS[parts[2]!]! : undefined;
}
