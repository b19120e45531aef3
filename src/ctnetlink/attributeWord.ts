import { ATTRIBUTE_HEADER, align4, payloadEnd } from '../nfnetlink/attribute.ts';
import { hostIsLittleEndian } from '../nfnetlink/bytes.ts';
import { NLA } from '../nfnetlink/constants.ts';
import { DecodeError } from '../nfnetlink/errors.ts';

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

/**
 * Notes in `at` where the payloads of a nest stand and returns the bits of those that are there, both by the
 * attribute's number plus `base`. An empty attribute is padding; the last of repeated ones counts.
 * @param needed bytes that each payload needs, by the same sum; numbers beyond it are skipped
 * @throws DecodeError where the nest is malformed or a payload too short.
 */
export function locate(
  data: DataView,
  start: number,
  end: number,
  needed: Uint8Array,
  at: Int32Array,
  base: number,
): number {
  let present = 0;
  for (let offset = start; offset < end; ) {
    const word = attributeWord(data, offset, end);
    const slot = typeIn(word) + base;
    if (slot > base && slot < needed.length) {
      const length = lengthIn(word) - ATTRIBUTE_HEADER;
      if (length >= needed[slot]!) {
        at[slot] = offset + ATTRIBUTE_HEADER;
        present |= 1 << slot;
      } else if (length !== 0) {
        throw new DecodeError(`${length} bytes where ${needed[slot]} are needed`, offset + ATTRIBUTE_HEADER);
      }
    }
    offset += align4(lengthIn(word));
  }
  return present;
}
