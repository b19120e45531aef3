import { Refusal } from './refusal.ts';

/** Reads a mark or a mask: text in hexadecimal ("0x3f00") or a number; 1 to 0xffffffff. */
export function decodeMark(value: unknown): number {
  const mark = markOf(value);
  if (mark === undefined) {
    throw new Refusal('is not a mark: hexadecimal text such as "0x100", or a number such as 256');
  }
  if (mark > 0xffffffff) throw new Refusal('has more than the 32 bits of a mark: at most "0xffffffff"');
  if (mark === 0) throw new Refusal('is the mark of unmarked flows: any other than 0');
  return mark;
}

function markOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 ? value : undefined;
  return typeof value === 'string' && /^0x[0-9a-f]+$/i.test(value) ? Number(value) : undefined;
}

/** '0x100'. */
export function markText(mark: number): string {
  return `0x${mark.toString(16)}`;
}
