import { CaptureError } from './captureError.ts';
import type { CapturedDatagram } from './datagram.ts';

/** A file format as a sequence of blocks, each read when all of it is there. */
export interface Format {
  /**
   * How long the block at `start` is; undefined where what is there, up to `end`, does not tell yet.
   * @param offset how far into the file that is, for errors
   * @throws CaptureError where no block can begin so
   */
  blockLength(view: DataView, start: number, end: number, offset: number): number | undefined;
  /** Reads a whole block; the datagram that it holds, 'other' for a packet of another kind, or undefined. */
  readBlock(
    view: DataView,
    start: number,
    end: number,
    offset: number,
  ): CapturedDatagram | 'other' | undefined;
  /** The link type of the packets that were 'other', for the error. */
  readonly otherLinkType: number | undefined;
}

/** The longest block that is read, which bounds the memory of a reader: 16 MiB, as libpcap and Wireshark have it. */
const MOST_BLOCK_BYTES = 1 << 24;

/** @throws CaptureError */
export function checkBlockLength(length: number, least: number, what: string, offset: number): void {
  if (length < least) {
    throw new CaptureError(`${what} of ${length} bytes, where ${least} are the least`, offset);
  }
  if (length > MOST_BLOCK_BYTES) {
    throw new CaptureError(`${what} of ${length} bytes, where ${MOST_BLOCK_BYTES} are the most`, offset);
  }
}
