import { readFileSync } from 'node:fs';
import { wrongParameter } from './exit.ts';

/** Where the names of connection tracking labels stand, for iptables and conntrack alike. */
export const LABEL_FILE = '/etc/xtables/connlabel.conf';

/** The bits that the kernel has, and those that a file may name. */
const KERNEL_BITS = 128;
const FILE_BITS = 1024;

/** Names of labels: the bits of a flow's bitmap. */
export interface LabelMap {
  readonly names: ReadonlyMap<number, string>;
  readonly bits: ReadonlyMap<string, number>;
}

/** A number as strtoul(3) reads it, and what follows. */
const LINE = /^[ \f\r\t\v]*\+?(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)(.*)$/i;

/**
 * Reads lines of a bit's number and its name: ASCII letters, digits, spaces and dashes. Others are passed over, as
 * in libnetfilter_conntrack.
 */
export function parseLabelMap(text: string): LabelMap {
  const names = new Map<number, string>();
  const bits = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, number = '', rest = ''] = LINE.exec(line) ?? [];
    const bit = /^0[0-7]+$/.test(number) ? Number.parseInt(number, 8) : Number(number);
    const name = rest.trim();
    if (number === '' || !/^[a-z0-9 -]+$/i.test(name) || bit >= FILE_BITS || names.has(bit)) continue;
    names.set(bit, name);
    bits.set(name, bit);
  }
  return { names, bits };
}

/** The map of this machine; where there is none, `warn` hears of it as conntrack(8) says it. */
export function loadLabelMap(warn: (line: string) => void, path: string = LABEL_FILE): LabelMap {
  let text = '';
  let reason = 'Success';
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    reason = 'No such file or directory';
  }
  const map = parseLabelMap(text);
  if (map.names.size === 0) warn(`nfct_labelmap_new: ${reason}\n`);
  return map;
}

/**
 * The bitmap of names between commas, as long as the kernel's where it has the bits.
 * @throws ConntrackExit for an unknown name
 */
export function parseLabels(text: string, map: LabelMap): Uint8Array {
  const wanted = text.split(',').map((name) => {
    const bit = map.bits.get(name);
    if (bit === undefined) throw wrongParameter(`unknown label '${name}'`);
    return bit;
  });
  const isOurs = wanted.every((bit) => bit < KERNEL_BITS);
  const bitmap = new Uint8Array((isOurs ? KERNEL_BITS : FILE_BITS) / 8);
  for (const bit of wanted) setLabel(bitmap, bit);
  return bitmap;
}

// The kernel's bitmap is made of longs in host order; every machine that Node runs on today is little-endian
// or s390x, where the bits of a long stand the other way round.
const IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function byteOf(bit: number): number {
  return IS_LITTLE_ENDIAN ? bit >> 3 : (bit >> 3) ^ 7;
}

function setLabel(bitmap: Uint8Array, bit: number): void {
  const at = byteOf(bit);
  bitmap[at] = bitmap[at]! | (1 << (bit & 7));
}

/** The bits that are set, in ascending order. */
export function labelBits(bitmap: Uint8Array): number[] {
  const bits: number[] = [];
  for (let bit = 0; bit < KERNEL_BITS; bit++) {
    if (((bitmap[byteOf(bit)] ?? 0) & (1 << (bit & 7))) !== 0) bits.push(bit);
  }
  return bits;
}
