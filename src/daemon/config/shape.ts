import * as v from 'valibot';
import { suggestion } from './nearest.ts';
import { listText, type Reader, Refusal, valueText } from './refusal.ts';

/** One value, read by a function of ours, whose Refusal is the problem. */
export function value<T>(read: Reader<T>) {
  return v.pipe(
    v.unknown(),
    v.rawTransform<unknown, T>(({ dataset, addIssue, NEVER }) => {
      try {
        return read(dataset.value);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        addIssue({ message: `${valueText(dataset.value)} ${error.message}` });
        return NEVER;
      }
    }),
  );
}

/** A list, each of its items read by `item`. */
export function list<S extends v.GenericSchema<unknown, unknown>>(item: S) {
  return v.array(item, ({ input }) => `${valueText(input)} is not a list: values in [ ]`);
}

/** An object with these keys and no others. */
export function object<E extends v.ObjectEntries>(entries: E) {
  const keys = Object.keys(entries);
  const known = v.object(entries, 'is missing');
  // valibot's strictObject tells of the first unknown key only: each gets an entry that refuses it
  return v.lazy((input): typeof known => {
    if (!isObject(input))
      return refused('is not an object: keys and values in { }') as unknown as typeof known;
    const unknown = Object.keys(input).filter((key) => !Object.hasOwn(entries, key));
    if (unknown.length === 0) return known;
    const refusals = unknown.map((key) => [key, v.never(unknownKey(key, keys))]);
    return v.object({ ...entries, ...Object.fromEntries(refusals) }, 'is missing') as typeof known;
  });
}

export function isObject(input: unknown): input is object {
  return typeof input === 'object' && input !== null && !Array.isArray(input);
}

function refused(sentence: string) {
  return v.never(({ input }) => `${valueText(input)} ${sentence}`);
}

function unknownKey(key: string, keys: readonly string[]): string {
  return `unknown key: one of ${listText(keys)}${suggestion(key, keys)}`;
}

/** An object whose keys are names chosen by the user. */
export function named<S extends v.GenericSchema<unknown, unknown>>(readName: Reader<string>, item: S) {
  const known = v.record(value(readName) as v.GenericSchema<string, string>, item);
  return v.lazy((input): typeof known =>
    isObject(input)
      ? known
      : (refused('is not an object: names and values in { }') as unknown as typeof known),
  );
}

/** One of a few texts. */
export function oneOf<const T extends string>(...allowed: readonly T[]): Reader<T> {
  return (input) => {
    if (allowed.includes(input as T)) return input as T;
    const meant = typeof input === 'string' ? suggestion(input, allowed) : '';
    throw new Refusal(`is not allowed: one of ${listText(allowed)}${meant}`);
  };
}

export function decodeBoolean(input: unknown): boolean {
  if (typeof input === 'boolean') return input;
  throw new Refusal('is not allowed: true or false');
}

/** A whole number within bounds. */
export function wholeNumber(least: number, most: number): Reader<number> {
  return (input) => {
    if (Number.isInteger(input) && (input as number) >= least && (input as number) <= most)
      return input as number;
    throw new Refusal(`is not allowed: a whole number from ${least} to ${most}`);
  };
}
