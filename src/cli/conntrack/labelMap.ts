import { readFileSync } from 'node:fs';
import { wrongParameter } from './exit.ts';

/** Where the names of connection tracking labels stand, for iptables and conntrack alike. */
export const LABEL_FILE = '/etc/xtables/connlabel.conf';

const MAX_BIT = 127;

/** Names of labels: the bits of a flow's bitmap. */
export interface LabelMap {
  readonly names: ReadonlyMap<number, string>;
  readonly bits: ReadonlyMap<string, number>;
}

/** Reads lines of a bit's number and its name; others, and comments, are passed over. */
export function parseLabelMap(text: string): LabelMap {
  const names = new Map<number, string>();
  const bits = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, number, name] = /^\s*(\d+)\s+([^\s#]\S*)/.exec(line) ?? [];
    const bit = Number(number);
    if (name === undefined || !(bit <= MAX_BIT)) continue;
    if (!names.has(bit)) names.set(bit, name);
    if (!bits.has(name)) bits.set(name, bit);
  }
  return { names, bits };
}

/** The map of this machine; where there is none, `warn` hears of it as conntrack(8) says it. */
export function loadLabelMap(warn: (line: string) => void, path: string = LABEL_FILE): LabelMap {
  try {
    return parseLabelMap(readFileSync(path, 'utf8'));
  } catch {
    warn('nfct_labelmap_new: No such file or directory\n');
    return { names: new Map(), bits: new Map() };
  }
}

/** The bitmap of names between commas, as long as the kernel's. @throws ConntrackExit for an unknown name */
export function parseLabels(text: string, map: LabelMap): Uint8Array {
  const bitmap = new Uint8Array(16);
  for (const name of text.split(',')) {
    const bit = map.bits.get(name);
    if (bit === undefined) throw wrongParameter(`unknown label '${name}'`);
    setLabel(bitmap, bit);
  }
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
  for (let bit = 0; bit <= MAX_BIT; bit++) {
    if (((bitmap[byteOf(bit)] ?? 0) & (1 << (bit & 7))) !== 0) bits.push(bit);
  }
  return bits;
}
