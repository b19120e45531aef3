import { type Element, formatElement, type SetType } from '../../ipset/index.ts';

const SEEDS = [0x811c9dc5, 0x2f0b4c27] as const;
const FNV_PRIME = 0x01000193;

/**
 * What a set holds, in 64 bits: equal for equal elements in any order, since a set that grows lists them in
 * another. What is left of an element's time, its counters and its comment do not count.
 */
export class SetContents {
  #elements = 0;
  readonly #sums = new Uint32Array(SEEDS.length);

  add(element: Element, type: SetType): void {
    const text = `${formatElement(element, type)}${element.nomatch ? ' nomatch' : ''}`;
    this.#elements += 1;
    for (const [i, seed] of SEEDS.entries()) this.#sums[i]! += mixed(fnv1a(text, seed));
  }

  /** To be compared with another. */
  get digest(): string {
    return `${this.#elements} ${[...this.#sums].join(' ')}`;
  }
}

function fnv1a(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  return hash;
}

/** The last steps of murmur3: each bit of a hash reaches every other. */
function mixed(hash: number): number {
  let bits = hash ^ (hash >>> 16);
  bits = Math.imul(bits, 0x85ebca6b);
  bits ^= bits >>> 13;
  bits = Math.imul(bits, 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
