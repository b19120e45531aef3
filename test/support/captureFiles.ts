/**
 * Capture files written field by field, in either byte order, as the format's documents have them: what the
 * readers are tried on where no program can be made to write such a file.
 */
import { LINKTYPE } from '../../src/capture/constants.ts';

/** A field: an integer and its width in bits, or bytes as they are. */
export type Field = readonly [value: number | bigint, bits: 8 | 16 | 32 | 64] | Uint8Array;

/** Writes files in one byte order. */
export class FileBuilder {
  readonly isLittle: boolean;

  constructor(isLittle: boolean) {
    this.isLittle = isLittle;
  }

  fields(...fields: readonly Field[]): Uint8Array {
    return joined(fields.map((field) => (field instanceof Uint8Array ? field : this.#integer(...field))));
  }

  #integer(value: number | bigint, bits: number): Uint8Array {
    const bytes = new Uint8Array(bits / 8);
    const view = new DataView(bytes.buffer);
    if (bits === 8) view.setUint8(0, Number(value));
    else if (bits === 16) view.setUint16(0, Number(value), this.isLittle);
    else if (bits === 32) view.setUint32(0, Number(value), this.isLittle);
    else view.setBigUint64(0, BigInt.asUintN(64, BigInt(value)), this.isLittle);
    return bytes;
  }

  pcapHeader(magic: number, linkType: number = LINKTYPE.NETLINK, major = 2): Uint8Array {
    return this.fields([magic, 32], [major, 16], [4, 16], [0, 32], [0, 32], [0x40000, 32], [linkType, 32]);
  }

  pcapRecord(seconds: number, fraction: number, packet: Uint8Array, original = packet.length): Uint8Array {
    return this.fields([seconds, 32], [fraction, 32], [packet.length, 32], [original, 32], packet);
  }

  block(type: number, body: Uint8Array): Uint8Array {
    const length = 12 + padded(body).length;
    return this.fields([type, 32], [length, 32], padded(body), [length, 32]);
  }

  option(code: number, value: Uint8Array): Uint8Array {
    return this.fields([code, 16], [value.length, 16], padded(value));
  }

  section(major = 1): Uint8Array {
    return this.block(0x0a0d0d0a, this.fields([0x1a2b3c4d, 32], [major, 16], [0, 16], [-1n, 64]));
  }

  interface(linkType: number = LINKTYPE.NETLINK, longest = 0, ...options: Uint8Array[]): Uint8Array {
    return this.block(1, this.fields([linkType, 16], [0, 16], [longest, 32], ...options));
  }

  enhanced(units: bigint, packet: Uint8Array, more: EnhancedFields = {}): Uint8Array {
    const { interfaceId = 0, original = packet.length, options = [] } = more;
    return this.block(
      6,
      this.fields(
        [interfaceId, 32],
        [units >> 32n, 32],
        [units & 0xffffffffn, 32],
        [packet.length, 32],
        [original, 32],
        padded(packet),
        ...options,
      ),
    );
  }

  obsolete(units: bigint, packet: Uint8Array, drops: number): Uint8Array {
    const ids = this.fields([0, 16], [drops, 16], [units >> 32n, 32], [units & 0xffffffffn, 32]);
    return this.block(2, this.fields(ids, [packet.length, 32], [packet.length, 32], padded(packet)));
  }

  simple(packet: Uint8Array, original = packet.length): Uint8Array {
    return this.block(3, this.fields([original, 32], padded(packet)));
  }
}

export interface EnhancedFields {
  readonly interfaceId?: number;
  readonly original?: number;
  readonly options?: readonly Uint8Array[];
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

function padded(bytes: Uint8Array): Uint8Array {
  return joined([bytes, new Uint8Array(-bytes.length & 3)]);
}

/** The cooked header, which is in network order whatever the file's, and a datagram. */
export function cooked(datagram: Uint8Array, protocol = 12): Uint8Array {
  return joined([
    new FileBuilder(false).fields([0, 16], [824, 16], new Uint8Array(10), [protocol, 16]),
    datagram,
  ]);
}
