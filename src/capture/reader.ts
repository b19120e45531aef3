import { ByteQueue } from './byteQueue.ts';
import { CaptureError } from './captureError.ts';
import { BLOCK, LINKTYPE, PCAP_MAGIC } from './constants.ts';
import type { CapturedDatagram } from './datagram.ts';
import type { Format } from './format.ts';
import { Pcap } from './pcap.ts';
import { Pcapng } from './pcapng.ts';

/** What a reader has counted. */
export interface CaptureTotals {
  datagrams: number;
  /** Datagrams that are missing, by what the file says. */
  lost: number;
  /** Packets that are no netlink datagrams; they are passed over. */
  others: number;
  /** The file ends in the middle of a block: what is missing, and where that block begins. */
  cut: CaptureError | undefined;
}

/** How much of a file tells its format. */
export const MAGIC_BYTES = 4;

/** Whether a file that begins with these bytes, MAGIC_BYTES at least, is a capture file. */
export function isCapture(bytes: Uint8Array): boolean {
  return (
    bytes.length >= MAGIC_BYTES && formatOf(new DataView(bytes.buffer, bytes.byteOffset), 0) !== undefined
  );
}

function formatOf(view: DataView, start: number): Format | undefined {
  for (const isLittle of [true, false]) {
    const magic = view.getUint32(start, isLittle);
    if (magic === PCAP_MAGIC.MICROSECONDS || magic === PCAP_MAGIC.NANOSECONDS)
      return new Pcap(magic, isLittle);
  }
  return view.getUint32(start) === BLOCK.SECTION_HEADER ? new Pcapng() : undefined;
}

/**
 * Reads a pcap or pcapng file of netlink datagrams, in either byte order, piece by piece as it comes. Memory: twice
 * the longest block, which has 16 MiB at most.
 */
export class CaptureReader {
  readonly totals: CaptureTotals = { datagrams: 0, lost: 0, others: 0, cut: undefined };
  readonly #queue = new ByteQueue();
  #format: Format | undefined;

  /**
   * The datagrams whose blocks end in this piece, which may be reused when all of them are taken.
   * @throws CaptureError where the file is no capture, or is malformed: what came before is good
   */
  *push(piece: Uint8Array): Generator<CapturedDatagram> {
    const { totals } = this;
    const queue = this.#queue;
    queue.append(piece);
    if (!this.#format && queue.length >= MAGIC_BYTES) {
      this.#format = formatOf(queue.view, queue.start);
      if (!this.#format) throw new CaptureError('neither pcap nor pcapng', 0);
    }
    for (let found = this.#next(); found; found = this.#next()) {
      if (found === 'other') {
        totals.others += 1;
        continue;
      }
      totals.datagrams += 1;
      totals.lost += found.lost;
      yield found;
    }
    queue.keep();
  }

  /** The next packet that is there as a whole. */
  #next(): CapturedDatagram | 'other' | undefined {
    const queue = this.#queue;
    const format = this.#format;
    if (!format) return undefined;
    for (;;) {
      const { view, start, end, offset } = queue;
      if (start === end) return undefined;
      const length = format.blockLength(view, start, end, offset);
      if (length === undefined || length > end - start) return undefined;
      queue.skip(length);
      const found = format.readBlock(view, start, start + length, offset);
      if (found) return found;
    }
  }

  /**
   * The end of the file. Where it comes in the middle of a block, as after a killed capture, `totals.cut` says so.
   * @throws CaptureError where the file is no capture at all, or holds packets and no netlink datagram
   */
  end(): void {
    const { totals } = this;
    const { offset, length } = this.#queue;
    if (!this.#format) throw new CaptureError(`neither pcap nor pcapng: the file has ${length} bytes`, 0);
    if (length > 0)
      totals.cut = new CaptureError(
        `the file ends within a block, of which ${length} bytes are there`,
        offset,
      );
    if (totals.datagrams > 0 || totals.others === 0) return;
    const type = this.#format.otherLinkType;
    const what =
      type === undefined ? 'packets that are no netlink datagrams' : `packets of link type ${type}`;
    throw new CaptureError(`holds ${what}, and none of ${LINKTYPE.NETLINK} (netlink)`, 0);
  }
}

/**
 * The datagrams of a file. The bytes of each are valid until the next is asked for.
 * @param source the file in pieces of any size
 * @param reader counts, and knows in the end whether the file was cut off
 * @throws CaptureError where the file is no capture, is malformed, or holds nothing of netlink; and what the
 *   source throws
 */
export async function* readCapture(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  reader = new CaptureReader(),
): AsyncGenerator<CapturedDatagram> {
  for await (const piece of source) yield* reader.push(piece);
  reader.end();
}
