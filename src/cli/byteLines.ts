import type { Readable } from 'node:stream';

const NEWLINE = 10;
const nothing = new Uint8Array();

/**
 * A stream in pieces that hold whole lines, as fgets(3) reads them: one that is longer than `most` bytes is
 * several. The pieces are as large as the stream's own, and `lineEnd` tells the lines in them apart; the last
 * line may lack its end.
 */
export async function* byteLines(
  stream: Readable,
  most: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let rest: Uint8Array = nothing;
  for await (const chunk of stream) {
    const read = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array);
    const bytes = rest.length === 0 ? read : Buffer.concat([rest, read]);
    const begun = bytes.lastIndexOf(NEWLINE) + 1;
    const end = bytes.length - ((bytes.length - begun) % most);
    if (end > 0) yield bytes.subarray(0, end);
    rest = bytes.subarray(end);
  }
  if (rest.length > 0) yield rest;
}

/** Where the line that begins at `start` ends. */
export function lineEnd(bytes: Uint8Array, start: number, most: number): number {
  const newline = bytes.indexOf(NEWLINE, start);
  const end = newline === -1 ? bytes.length : newline + 1;
  return Math.min(end, start + most);
}
