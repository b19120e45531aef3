/**
 * A value that the configuration may not hold. The message follows the value in a sentence: 'is not a
 * duration: ...', and says what is allowed.
 */
export class Refusal extends Error {}

/** Reads one value of the configuration. Throws Refusal, and nothing else, on any value. */
export type Reader<T> = (value: unknown) => T;

const LONGEST = 60;

/** A value as the file writes it, shortened. */
export function valueText(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}...`;
}

/** Texts as a list for a sentence: '"wan", "wanb"'. */
export function listText(items: readonly string[]): string {
  return items.map((item) => JSON.stringify(item)).join(', ');
}
