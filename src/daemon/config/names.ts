import { Refusal } from './refusal.ts';

/** IPSET_MAXNAMELEN without its terminating zero. */
const LONGEST_SET_NAME = 31;
const LONGEST_NAME = 64;

// what a terminal or a log would not show as it is
const isPrintable = (text: string) => /^[^\p{C}\p{Z}]+$/u.test(text);

/** Reads the name of an ipset, which the kernel keeps in 31 bytes. */
export function decodeSetName(value: unknown): string {
  const length = typeof value === 'string' ? new TextEncoder().encode(value).length : 0;
  if (length === 0) throw new Refusal(`is not a set's name: text of 1 to ${LONGEST_SET_NAME} bytes`);
  if (length > LONGEST_SET_NAME) {
    throw new Refusal(`is longer than a set's name may be: ${length} bytes, at most ${LONGEST_SET_NAME}`);
  }
  if (!isPrintable(value as string))
    throw new Refusal("is not a set's name: no spaces or control characters");
  return value as string;
}

/** Reads the name of an interface or a rule: what logs and the command line will call it. */
export function decodeName(value: unknown): string {
  if (typeof value === 'string' && value.length <= LONGEST_NAME && isPrintable(value)) return value;
  throw new Refusal(`is not a name: text of 1 to ${LONGEST_NAME} characters without spaces`);
}

/** Reads the path of a file: absolute, since a daemon's working directory says nothing. */
export function decodePath(value: unknown): string {
  if (typeof value === 'string' && value.startsWith('/') && !value.includes('\0')) return value;
  throw new Refusal('is not a path: text that begins with "/"');
}
