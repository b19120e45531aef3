import { CaptureError } from './captureError.ts';
import { IF } from './constants.ts';
import { walkOptions } from './options.ts';

/** How an interface's times become nanoseconds since 1970. */
export interface InterfaceClock {
  /** Units in a second. */
  readonly unitsPerSecond: bigint;
  /** Seconds that are to be added. */
  readonly offset: bigint;
}

/** What a pcapng section says of one of its interfaces. */
export interface Interface {
  readonly linkType: number;
  /** Longest packet that was kept, 0 for no limit. */
  readonly longest: number;
  readonly clock: InterfaceClock;
}

/** A section that describes more is refused, so that memory has a bound. */
export const MOST_INTERFACES = 4096;

/**
 * Reads an interface description block, whose trailer is at `stop`.
 * @throws CaptureError where an option is malformed
 */
export function decodeInterface(
  view: DataView,
  start: number,
  stop: number,
  offset: number,
  isLittle: boolean,
): Interface {
  let unitsPerSecond = 1_000_000n;
  let secondsAdded = 0n;
  walkOptions(view, start + 16, stop, offset - start, isLittle, (code, from, to) => {
    if (code === IF.TSRESOL) {
      checkLength('if_tsresol', to - from, 1, offset + from - start);
      unitsPerSecond = resolution(view.getUint8(from));
    } else if (code === IF.TSOFFSET) {
      checkLength('if_tsoffset', to - from, 8, offset + from - start);
      secondsAdded = view.getBigInt64(from, isLittle);
    }
  });
  return {
    linkType: view.getUint16(start + 8, isLittle),
    longest: view.getUint32(start + 12, isLittle),
    clock: { unitsPerSecond, offset: secondsAdded },
  };
}

function checkLength(what: string, length: number, wanted: number, offset: number): void {
  if (length !== wanted) throw new CaptureError(`${what} of ${length} bytes, not ${wanted}`, offset);
}

/** A negative power of 10, or where the uppermost bit is set of 2. */
function resolution(byte: number): bigint {
  const exponent = BigInt(byte & 0x7f);
  return byte & 0x80 ? 2n ** exponent : 10n ** exponent;
}

/** A time in an interface's units, as two halves of 64 bits, in nanoseconds. */
export function nanoseconds({ unitsPerSecond, offset }: InterfaceClock, high: number, low: number): bigint {
  const units = (BigInt(high) << 32n) | BigInt(low);
  return (units * 1_000_000_000n) / unitsPerSecond + offset * 1_000_000_000n;
}
