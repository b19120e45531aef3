import { readU32host, writeU16be, writeU16host, writeU32host } from '../nfnetlink/bytes.ts';
import { ARPHRD, BLOCK, BYTE_ORDER_MAGIC, EPB, IF, ISB, LINKTYPE, OPT, SHB } from './constants.ts';
import { COOKED_HEADER } from './datagram.ts';

/** What a file says of where it comes from; each text is an option of at most 65,535 bytes. */
export interface CaptureOrigin {
  readonly hardware?: string;
  readonly os?: string;
  /** The program that wrote the file. */
  readonly application: string;
  readonly interfaceName: string;
  readonly interfaceDescription?: string;
}

/** What is counted of an interface since its capture began. */
export interface InterfaceCounts {
  readonly received: number;
  /** Datagrams that the kernel had no room for. */
  readonly dropped: number;
}

/** What happened before a datagram. */
export interface DatagramNote {
  /** Datagrams that are missing before it. */
  readonly lost: number;
  readonly comment: string;
}

/** Section length that says nothing: readers go from block to block. */
const UNKNOWN = 0xffffffff;
const NANOSECONDS = 9;
const ENHANCED_PACKET_HEADER = 28;
const BLOCK_TRAILER = 4;

/**
 * Writes pcapng blocks, one behind the other, into memory that its owner takes away in large pieces. Every block
 * is whole when its method returns. In the byte order of this machine, as netlink's headers are.
 */
export class CaptureWriter {
  /** What was written since the last `take` is from 0 to `length`. */
  bytes: Uint8Array;
  length = 0;
  #timeHigh = 0;
  #timeLow = 0;

  /** @param capacity of the memory at first; a block that does not fit makes it larger */
  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Gives what was written to the caller, and goes on in other memory. */
  take(next: Uint8Array): Uint8Array {
    const taken = this.bytes.subarray(0, this.length);
    this.bytes = next;
    this.length = 0;
    return taken;
  }

  /** The time of the datagrams that follow, since 1970: whole seconds below 2^32, and nanoseconds. */
  setTime(seconds: number, nanoseconds: number): void {
    // in halves, since the product has more bits than a number and bigints would be made for each datagram
    const upper = (seconds >>> 16) * 1e9;
    const low = (upper % 0x10000) * 0x10000 + (seconds & 0xffff) * 1e9 + nanoseconds;
    this.#timeHigh = Math.floor(upper / 0x10000) + Math.floor(low / 0x1_0000_0000);
    this.#timeLow = low % 0x1_0000_0000;
  }

  /** Begins a file: the section header, and the description of its one interface. */
  begin(origin: CaptureOrigin): void {
    const start = this.#beginBlock(BLOCK.SECTION_HEADER);
    this.#u32(BYTE_ORDER_MAGIC);
    this.#u16(1);
    this.#u16(0);
    this.#u32(UNKNOWN);
    this.#u32(UNKNOWN);
    this.#textOption(SHB.HARDWARE, origin.hardware);
    this.#textOption(SHB.OS, origin.os);
    this.#textOption(SHB.USERAPPL, origin.application);
    this.#endOptions();
    this.#endBlock(start);
    this.#describeInterface(origin);
  }

  #describeInterface({ interfaceName, interfaceDescription, os }: CaptureOrigin): void {
    const start = this.#beginBlock(BLOCK.INTERFACE_DESCRIPTION);
    this.#u16(LINKTYPE.NETLINK);
    this.#u16(0);
    this.#u32(0);
    this.#textOption(IF.NAME, interfaceName);
    this.#textOption(IF.DESCRIPTION, interfaceDescription);
    this.#option(IF.TSRESOL, Uint8Array.of(NANOSECONDS));
    this.#textOption(IF.OS, os);
    this.#endOptions();
    this.#endBlock(start);
  }

  /**
   * Adds a datagram: bytes `start` to `end` of `source`, at the time of the last `setTime`.
   * @param protocol the netlink family
   */
  datagram(protocol: number, source: Uint8Array, start: number, end: number, note?: DatagramNote): void {
    const packet = COOKED_HEADER + end - start;
    this.#ensure(ENHANCED_PACKET_HEADER + packet + 64);
    const { bytes, length: at } = this;
    writeU32host(bytes, at, BLOCK.ENHANCED_PACKET);
    writeU32host(bytes, at + 8, 0);
    writeU32host(bytes, at + 12, this.#timeHigh);
    writeU32host(bytes, at + 16, this.#timeLow);
    writeU32host(bytes, at + 20, packet);
    writeU32host(bytes, at + 24, packet);
    const cooked = at + ENHANCED_PACKET_HEADER;
    bytes.fill(0, cooked, cooked + COOKED_HEADER);
    writeU16be(bytes, cooked + 2, ARPHRD.NETLINK);
    writeU16be(bytes, cooked + 14, protocol);
    bytes.set(source.subarray(start, end), cooked + COOKED_HEADER);
    this.length = cooked + packet;
    this.#pad();
    if (note) this.#noteOptions(note);
    this.#endBlock(at);
  }

  #noteOptions({ lost, comment }: DatagramNote): void {
    this.#option(EPB.DROPCOUNT, u64(lost));
    this.#textOption(OPT.COMMENT, comment);
    this.#endOptions();
  }

  /** Adds what was counted up to now, at the time of the last `setTime`. */
  statistics({ received, dropped }: InterfaceCounts): void {
    const start = this.#beginBlock(BLOCK.INTERFACE_STATISTICS);
    this.#u32(0);
    this.#u32(this.#timeHigh);
    this.#u32(this.#timeLow);
    this.#option(ISB.IFRECV, u64(received));
    this.#option(ISB.OSDROP, u64(dropped));
    this.#endOptions();
    this.#endBlock(start);
  }

  #beginBlock(type: number): number {
    const start = this.length;
    this.#u32(type);
    this.#u32(0);
    return start;
  }

  /** Writes the length of the block that begins at `start`, at both of its ends. */
  #endBlock(start: number): void {
    const length = this.length + BLOCK_TRAILER - start;
    writeU32host(this.bytes, start + 4, length);
    this.#u32(length);
  }

  #textOption(code: number, text: string | undefined): void {
    if (text !== undefined) this.#option(code, Buffer.from(text));
  }

  #option(code: number, value: Uint8Array): void {
    this.#u16(code);
    this.#u16(value.length);
    this.#ensure(value.length + 4);
    this.bytes.set(value, this.length);
    this.length += value.length;
    this.#pad();
  }

  #endOptions(): void {
    this.#u32(OPT.ENDOFOPT);
  }

  #pad(): void {
    while (this.length % 4 !== 0) this.bytes[this.length++] = 0;
  }

  #u16(value: number): void {
    this.#ensure(2);
    writeU16host(this.bytes, this.length, value);
    this.length += 2;
  }

  #u32(value: number): void {
    this.#ensure(4);
    writeU32host(this.bytes, this.length, value);
    this.length += 4;
  }

  #ensure(room: number): void {
    if (this.length + room <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.bytes.length, this.length + room));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}

function u64(value: number): Uint8Array {
  const words = new BigUint64Array([BigInt(value)]);
  return new Uint8Array(words.buffer);
}

/**
 * How much of some bytes of a file is whole blocks: the bytes begin with a block, `length` of them were written.
 */
export function wholeBlocks(bytes: Uint8Array, length: number): number {
  let end = 0;
  while (end + 8 <= length) {
    const next = end + readU32host(bytes, end + 4);
    if (next > length) return end;
    end = next;
  }
  return end;
}
