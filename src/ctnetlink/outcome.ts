import { KernelError } from '../nfnetlink/errors.ts';

/** Resolves with what was found, or undefined where the kernel says that there is no such thing. */
export async function foundOrAbsent<T>(asked: Promise<readonly T[]>): Promise<T | undefined> {
  try {
    return (await asked)[0];
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Resolves with `done`, or with 'absent' where the kernel says that there is no such thing. */
export async function doneOrAbsent<T extends string>(asked: Promise<void>, done: T): Promise<T | 'absent'> {
  try {
    await asked;
    return done;
  } catch (error) {
    if (isAbsent(error)) return 'absent';
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof KernelError && error.code === 'ENOENT';
}

/** All of a short list. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
