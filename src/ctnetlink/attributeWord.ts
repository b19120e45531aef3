import { ATTRIBUTE_HEADER, payloadEnd } from '../nfnetlink/attribute.ts';
import { hostIsLittleEndian } from '../nfnetlink/bytes.ts';
import { NLA } from '../nfnetlink/constants.ts';

/**
 * An attribute's header as one word, its length in the lower half, its type in the upper: a single load,
 * and so half the time of a walk by bytes.
 * @throws DecodeError when the header or the payload runs over the end.
 */
export function attributeWord(data: DataView, offset: number, end: number): number {
  if (offset + ATTRIBUTE_HEADER <= end) {
    const loaded = data.getUint32(offset, hostIsLittleEndian);
    const word = hostIsLittleEndian ? loaded : (loaded >>> 16) | (loaded << 16);
    const length = word & 0xffff;
    if (length >= ATTRIBUTE_HEADER && offset + length <= end) return word;
  }
  payloadEnd(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset, end);
  return 0;
}

/** Header and payload, without the padding. */
export function lengthIn(word: number): number {
  return word & 0xffff;
}

/** The attribute's number, without the two flag bits. */
export function typeIn(word: number): number {
  return (word >>> 16) & NLA.TYPE_MASK;
}
