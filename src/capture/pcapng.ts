import { CaptureError } from './captureError.ts';
import { BLOCK, BYTE_ORDER_MAGIC, EPB, LINKTYPE, OPT } from './constants.ts';
import { type CapturedDatagram, datagramOf, type PacketFacts } from './datagram.ts';
import { checkBlockLength, type Format } from './format.ts';
import { decodeInterface, type Interface, MOST_INTERFACES, nanoseconds } from './interface.ts';
import { walkOptions } from './options.ts';

/** u32 type, u32 length, ..., u32 length again. */
const BLOCK_HEADER = 8;
const BLOCK_TRAILER = 4;

/** Bytes of each kind of block without packet and options, header and trailer included. */
const leastBytes: Readonly<Record<number, number>> = {
  [BLOCK.SECTION_HEADER]: 28,
  [BLOCK.INTERFACE_DESCRIPTION]: 20,
  [BLOCK.PACKET]: 32,
  [BLOCK.SIMPLE_PACKET]: 16,
  [BLOCK.ENHANCED_PACKET]: 32,
};

/** Where the packet begins in an enhanced or obsolete packet block, and in a simple one. */
const PACKET_AT = 28;
const SIMPLE_PACKET_AT = 12;
/** The obsolete packet block's count of losses where it knows none. */
const UNKNOWN_DROPS = 0xffff;

const noFacts: PacketFacts = { time: undefined, offset: 0, lost: 0, comments: [] };

/**
 * The newer format: sections, each in the byte order of its writer and with interfaces of its own, to which its
 * packets belong.
 */
export class Pcapng implements Format {
  otherLinkType: number | undefined;
  #isLittle = true;
  #interfaces: Interface[] = [];

  blockLength(view: DataView, start: number, end: number, offset: number): number | undefined {
    if (end - start < BLOCK_HEADER + 4) return undefined;
    const type = view.getUint32(start, this.#isLittle);
    if (type === BLOCK.SECTION_HEADER) this.#readByteOrder(view, start, offset);
    const length = view.getUint32(start + 4, this.#isLittle);
    checkBlockLength(
      length,
      leastBytes[type] ?? BLOCK_HEADER + BLOCK_TRAILER,
      `a block of type ${type}`,
      offset,
    );
    if (length % 4 !== 0) throw new CaptureError(`a block of ${length} bytes, no multiple of 4`, offset);
    return length;
  }

  #readByteOrder(view: DataView, start: number, offset: number): void {
    for (const isLittle of [true, false]) {
      if (view.getUint32(start + BLOCK_HEADER, isLittle) !== BYTE_ORDER_MAGIC) continue;
      this.#isLittle = isLittle;
      return;
    }
    throw new CaptureError('a section header without the byte order magic', offset + BLOCK_HEADER);
  }

  readBlock(
    view: DataView,
    start: number,
    end: number,
    offset: number,
  ): CapturedDatagram | 'other' | undefined {
    const stop = end - BLOCK_TRAILER;
    const again = view.getUint32(stop, this.#isLittle);
    if (again !== end - start) {
      const why = `a block of ${end - start} bytes that at its end is said to have ${again}`;
      throw new CaptureError(why, offset);
    }
    switch (view.getUint32(start, this.#isLittle)) {
      case BLOCK.SECTION_HEADER:
        this.#beginSection(view, start, offset);
        return undefined;
      case BLOCK.INTERFACE_DESCRIPTION:
        this.#addInterface(view, start, stop, offset);
        return undefined;
      case BLOCK.PACKET:
        return this.#packet(view, start, stop, offset, view.getUint16(start + 8, this.#isLittle));
      case BLOCK.ENHANCED_PACKET:
        return this.#packet(view, start, stop, offset, view.getUint32(start + 8, this.#isLittle));
      case BLOCK.SIMPLE_PACKET:
        return this.#simplePacket(view, start, stop, offset);
      default:
        return undefined;
    }
  }

  #beginSection(view: DataView, start: number, offset: number): void {
    const major = view.getUint16(start + 12, this.#isLittle);
    if (major !== 1) throw new CaptureError(`pcapng version ${major}, where 1 is known`, offset + 12);
    this.#interfaces = [];
  }

  #addInterface(view: DataView, start: number, stop: number, offset: number): void {
    if (this.#interfaces.length === MOST_INTERFACES) {
      throw new CaptureError(`more than ${MOST_INTERFACES} interfaces in a section`, offset);
    }
    this.#interfaces.push(decodeInterface(view, start, stop, offset, this.#isLittle));
  }

  #packet(
    view: DataView,
    start: number,
    stop: number,
    offset: number,
    interfaceId: number,
  ): CapturedDatagram | 'other' {
    const { linkType, clock } = this.#interface(interfaceId, offset);
    if (linkType !== LINKTYPE.NETLINK) return this.#other(linkType);
    const u32 = (at: number) => view.getUint32(start + at, this.#isLittle);
    const captured = u32(20);
    const at = start + PACKET_AT;
    if (captured > stop - at) {
      throw new CaptureError(`a packet of ${captured} bytes in a block with room for ${stop - at}`, offset);
    }
    const isObsolete = u32(0) === BLOCK.PACKET;
    const drops = isObsolete ? view.getUint16(start + 10, this.#isLittle) : 0;
    let lost = drops === UNKNOWN_DROPS ? 0 : drops;
    let comments = noFacts.comments;
    walkOptions(view, at + ((captured + 3) & ~3), stop, offset - start, this.#isLittle, (code, from, to) => {
      if (code === OPT.COMMENT) comments = [...comments, textOf(view, from, to)];
      else if (code === EPB.DROPCOUNT && !isObsolete && to - from === 8)
        lost = Number(view.getBigUint64(from, this.#isLittle));
    });
    const facts = { time: nanoseconds(clock, u32(12), u32(16)), offset, lost, comments };
    return datagramOf(view, at, at + captured, u32(24), facts) ?? 'other';
  }

  #simplePacket(view: DataView, start: number, stop: number, offset: number): CapturedDatagram | 'other' {
    const { linkType, longest } = this.#interface(0, offset);
    if (linkType !== LINKTYPE.NETLINK) return this.#other(linkType);
    const original = view.getUint32(start + 8, this.#isLittle);
    const at = start + SIMPLE_PACKET_AT;
    const captured = Math.min(original, stop - at, longest === 0 ? original : longest);
    return datagramOf(view, at, at + captured, original, { ...noFacts, offset }) ?? 'other';
  }

  #interface(id: number, offset: number): Interface {
    const found = this.#interfaces[id];
    if (found) return found;
    throw new CaptureError(`a packet of interface ${id}, which its section does not describe`, offset);
  }

  #other(linkType: number): 'other' {
    this.otherLinkType = linkType;
    return 'other';
  }
}

const utf8 = new TextDecoder();

function textOf(view: DataView, from: number, to: number): string {
  return utf8.decode(new Uint8Array(view.buffer, view.byteOffset + from, to - from));
}
