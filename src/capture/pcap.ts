import { CaptureError } from './captureError.ts';
import { LINKTYPE, PCAP_MAGIC } from './constants.ts';
import { type CapturedDatagram, datagramOf } from './datagram.ts';
import { checkBlockLength, type Format } from './format.ts';

/** u32 magic, u16 and u16 version, u32 time zone, u32 accuracy, u32 longest packet, u32 link type. */
const FILE_HEADER = 24;
/** u32 seconds, u32 microseconds or nanoseconds, u32 captured length, u32 original length. */
const RECORD_HEADER = 16;

const noComments: readonly string[] = [];

/** The older format: a header with one link type, then records, all in the byte order of its writer. */
export class Pcap implements Format {
  otherLinkType: number | undefined;
  readonly #isLittle: boolean;
  /** Nanoseconds in a unit of the records' fractions. */
  readonly #unit: bigint;
  #hasHeader = false;

  /** @param magic PCAP_MAGIC; @param isLittle the byte order in which it was found */
  constructor(magic: number, isLittle: boolean) {
    this.#isLittle = isLittle;
    this.#unit = magic === PCAP_MAGIC.NANOSECONDS ? 1n : 1000n;
  }

  blockLength(view: DataView, start: number, end: number, offset: number): number | undefined {
    if (!this.#hasHeader) return FILE_HEADER;
    if (end - start < RECORD_HEADER) return undefined;
    const length = RECORD_HEADER + view.getUint32(start + 8, this.#isLittle);
    checkBlockLength(length, RECORD_HEADER, 'a record', offset);
    return length;
  }

  readBlock(
    view: DataView,
    start: number,
    end: number,
    offset: number,
  ): CapturedDatagram | 'other' | undefined {
    if (!this.#hasHeader) {
      this.#readHeader(view, start, offset);
      return undefined;
    }
    const u32 = (at: number) => view.getUint32(start + at, this.#isLittle);
    const time = BigInt(u32(0)) * 1_000_000_000n + BigInt(u32(4)) * this.#unit;
    const facts = { time, offset, lost: 0, comments: noComments };
    return datagramOf(view, start + RECORD_HEADER, end, u32(12), facts) ?? 'other';
  }

  #readHeader(view: DataView, start: number, offset: number): void {
    const major = view.getUint16(start + 4, this.#isLittle);
    if (major !== 2) throw new CaptureError(`pcap version ${major}, where 2 is known`, offset + 4);
    // the upper half tells of checksums behind Ethernet frames
    const linkType = view.getUint32(start + 20, this.#isLittle) & 0xffff;
    if (linkType !== LINKTYPE.NETLINK) {
      const why = `the packets are of link type ${linkType}, not ${LINKTYPE.NETLINK} (netlink)`;
      throw new CaptureError(why, offset + 20);
    }
    this.#hasHeader = true;
  }
}
