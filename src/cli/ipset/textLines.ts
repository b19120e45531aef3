import type { Readable } from 'node:stream';

/**
 * The lines of a stream, each with its end, as fgets(3) reads them: one that is longer than `most` comes
 * in several. They come by the pieces of the stream, since waiting for each would cost more than reading it.
 */
export async function* textLines(stream: Readable, most: number): AsyncGenerator<string[], void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const lines: string[] = [];
    let start = 0;
    for (;;) {
      const end = rest.indexOf('\n', start);
      const stop = end === -1 || end + 1 - start > most ? start + most : end + 1;
      if (stop > rest.length || (end === -1 && stop === rest.length)) break;
      lines.push(rest.slice(start, stop));
      start = stop;
    }
    if (lines.length > 0) yield lines;
    rest = rest.slice(start);
  }
  for (let start = 0; start < rest.length; start += most) yield [rest.slice(start, start + most)];
}
