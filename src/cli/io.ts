import type { Readable, Writable } from 'node:stream';

/** What a command may touch of its process; tests hand in their own. */
export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Exit codes of every command but conntrack and ipset, which keep those of the programs they stand for. */
export const EXIT = { DONE: 0, FAILED: 1, USAGE: 2, NOT_PERMITTED: 3 } as const;

/** Whether a terminal reads standard output and wants colour (https://no-color.org). */
export function wantsColour({ stdout, env }: Io): boolean {
  return stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}

/** Writes text and waits while the reader is slower than we are, so that memory does not grow. */
export function write(stream: Writable, text: string): Promise<void> | undefined {
  if (stream.write(text)) return undefined;
  return new Promise((resolve, reject) => {
    const settle = (error?: Error) => {
      stream.off('drain', settle).off('error', settle).off('close', settle);
      if (error) reject(error);
      else resolve();
    };
    stream.on('drain', settle).on('error', settle).on('close', settle);
  });
}
