import { IPSET_ATTR, IPSET_ATTR_ADT, IPSET_ATTR_CADT } from '../../ipset/constants.ts';
import { ATTRIBUTE_HEADER, align4, payloadEnd, typeOf } from '../../nfnetlink/attribute.ts';
import { ATTRIBUTES_AT } from '../../nfnetlink/message.ts';

/** What of an element is not what the set holds: the rest of its time, what it has counted, and what was noted. */
const passing = new Set<number>([
  IPSET_ATTR_CADT.TIMEOUT,
  IPSET_ATTR_ADT.BYTES,
  IPSET_ATTR_ADT.PACKETS,
  IPSET_ATTR_ADT.COMMENT,
]);

const SEEDS = [0x811c9dc5, 0x2f0b4c27] as const;
const FNV_PRIME = 0x01000193;

/**
 * What a set holds, in 64 bits: equal for equal elements in any order, since a set that grows lists them in
 * another. Read in place, so that a large set leaves nothing behind.
 */
export class SetContents {
  #elements = 0;
  #first = 0;
  #second = 0;

  /** Adds what one message of a listing holds. @throws DecodeError */
  readonly add = (bytes: Uint8Array, start: number, end: number): void => {
    eachAttribute(bytes, start + ATTRIBUTES_AT, end, (type, from, to) => {
      if (type === IPSET_ATTR.TYPENAME) this.#count(bytes, from, to);
      else if (type === IPSET_ATTR.ADT) eachAttribute(bytes, from, to, this.#addElement(bytes));
    });
  };

  /** To be compared with another. */
  get digest(): string {
    return `${this.#elements} ${this.#first} ${this.#second}`;
  }

  #addElement(bytes: Uint8Array) {
    let first: number = SEEDS[0];
    let second: number = SEEDS[1];
    const hashAttribute = (type: number, from: number, to: number) => {
      if (passing.has(type)) return;
      first = fnv1a(bytes, from - ATTRIBUTE_HEADER, to, first);
      second = fnv1a(bytes, from - ATTRIBUTE_HEADER, to, second);
    };
    return (_type: number, from: number, to: number) => {
      first = SEEDS[0];
      second = SEEDS[1];
      eachAttribute(bytes, from, to, hashAttribute);
      this.#sum(first, second);
    };
  }

  #count(bytes: Uint8Array, from: number, to: number): void {
    this.#sum(fnv1a(bytes, from, to, SEEDS[0]), fnv1a(bytes, from, to, SEEDS[1]));
  }

  #sum(first: number, second: number): void {
    this.#elements += 1;
    this.#first = (this.#first + mixed(first)) | 0;
    this.#second = (this.#second + mixed(second)) | 0;
  }
}

function eachAttribute(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (type: number, from: number, to: number) => void,
): void {
  for (let at = start; at < end; ) {
    const stop = payloadEnd(bytes, at, end);
    visit(typeOf(bytes, at), at + ATTRIBUTE_HEADER, stop);
    at += align4(stop - at);
  }
}

function fnv1a(bytes: Uint8Array, from: number, to: number, seed: number): number {
  let hash = seed;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, FNV_PRIME);
  return hash;
}

/** The last steps of murmur3: each bit of a hash reaches every other, so that sums of hashes tell sets apart. */
function mixed(hash: number): number {
  let bits = hash ^ (hash >>> 16);
  bits = Math.imul(bits, 0x85ebca6b);
  bits ^= bits >>> 13;
  bits = Math.imul(bits, 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
