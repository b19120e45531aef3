/** mwan3's mask where nothing else is configured. */
export const DEFAULT_MASK = 0x3f00;

/** Ids of a mask that are no interface's; the interfaces have those from 1 up to below `blackhole`. */
export interface SpecialIds {
  readonly blackhole: number;
  readonly unreachable: number;
  readonly default: number;
}

/** Source: mwan3_init() in mwan3's lib/mwan3/mwan3.sh. */
export function specialIds(mask: number): SpecialIds {
  const last = 2 ** bitCount(mask) - 1;
  return { blackhole: last - 2, unreachable: last - 1, default: last };
}

/**
 * The mark of an id: its bits, lowest first, on the set bits of the mask. Bits for which the mask has no room
 * are lost. Source: mwan3_id2mask().
 */
export function markOfId(id: number, mask: number): number {
  let mark = 0;
  let rest = id;
  for (let bit = 0; bit < 32; bit++) {
    if (((mask >>> bit) & 1) === 0) continue;
    if (rest % 2 === 1) mark |= 1 << bit;
    rest = Math.floor(rest / 2);
  }
  return mark >>> 0;
}

/** Reads a mask as a shell would: hexadecimal with 0x, or decimal; undefined where it is none of 32 bits. */
export function decodeMask(text: string): number | undefined {
  const trimmed = text.trim();
  if (!/^(?:0x[0-9a-f]{1,8}|[1-9]\d{0,9})$/i.test(trimmed)) return undefined;
  const mask = Number(trimmed);
  return mask > 0 && mask <= 0xffffffff ? mask : undefined;
}

function bitCount(mask: number): number {
  let count = 0;
  for (let rest = mask >>> 0; rest !== 0; rest &= rest - 1) count++;
  return count;
}
