import { joinCosts, NOTHING_SAVED, shareOf } from './savings.ts';

/** Distinct addresses of one family in ascending order: `width` words each, 1 for IPv4 and 4 for IPv6. */
export interface AddressList {
  readonly words: Uint32Array;
  readonly width: 1 | 4;
}

/** A network: its address as `width` words, and how many leading bits count. */
export interface Prefix {
  readonly words: readonly number[];
  readonly length: number;
}

/** A network of the tree. It holds its addresses as so many blocks, or one half and the other. */
interface Part {
  /** Where the first of its addresses stands in the list. */
  readonly first: number;
  /** How many low bits are inside. */
  readonly height: number;
  readonly addresses: number;
  readonly blocks: number;
  /** What it costs to save prefixes inside. */
  readonly costs: Uint32Array;
  /** None where all of the network's addresses are in the list: a block. */
  readonly halves?: readonly [Part, Part];
}

/**
 * The addresses of a list as blocks, which are the fewest prefixes that hold nothing else, and over them the
 * networks at which blocks part: of n blocks n - 1.
 */
export class PrefixTree {
  readonly #list: AddressList;
  readonly #slack: number;
  readonly #root: Part | undefined;

  constructor(list: AddressList, slack: number) {
    this.#list = list;
    this.#slack = slack;
    this.#root = this.#build();
  }

  /** What it costs to save prefixes in the whole tree. */
  get costs(): Uint32Array {
    return this.#root?.costs ?? NOTHING_SAVED;
  }

  /** The prefixes that are left where so many are saved at the least cost, in ascending order. */
  prefixes(saved: number): Prefix[] {
    const found: Prefix[] = [];
    if (this.#root) this.#collect(this.#root, saved, found);
    return found;
  }

  /** From left to right: a part is whole as soon as an address outside of it comes. */
  #build(): Part | undefined {
    const { words, width } = this.#list;
    const count = words.length / width;
    const parts: Part[] = [];
    // between two parts, the height of the network that holds both
    const gaps: number[] = [];
    const join = () => {
      const right = parts.pop()!;
      parts.push(this.#join(parts.pop()!, right, gaps.pop()!));
    };
    for (let first = 0; first < count; first++) {
      if (first > 0) {
        const gap = this.#gapBefore(first);
        while (gaps.length > 0 && gaps.at(-1)! < gap) join();
        gaps.push(gap);
      }
      parts.push({ first, height: 0, addresses: 1, blocks: 1, costs: NOTHING_SAVED });
    }
    while (gaps.length > 0) join();
    return parts[0];
  }

  #join(left: Part, right: Part, height: number): Part {
    const { first } = left;
    const addresses = left.addresses + right.addresses;
    const missing = 2 ** height - addresses;
    if (missing === 0) return { first, height, addresses, blocks: 1, costs: NOTHING_SAVED };
    const blocks = left.blocks + right.blocks;
    const costs = this.#costsOf(left, right, missing, blocks);
    return { first, height, addresses, blocks, costs, halves: [left, right] };
  }

  #costsOf(left: Part, right: Part, missing: number, blocks: number): Uint32Array {
    const slack = this.#slack;
    const isWholeInReach = missing <= slack;
    if (!isWholeInReach && left.costs.length === 1 && right.costs.length === 1) return NOTHING_SAVED;
    const divided = new Uint32Array(left.costs.length + right.costs.length - 1);
    const reach = joinCosts(left.costs, right.costs, slack, divided);
    if (!isWholeInReach) return reach === divided.length ? divided : divided.slice(0, reach);
    // the whole network in place of its blocks saves all of them but one
    const costs = new Uint32Array(blocks).fill(missing);
    for (let saved = 0; saved < reach; saved++) costs[saved] = Math.min(missing, divided[saved]!);
    return costs;
  }

  #collect(part: Part, saved: number, found: Prefix[]): void {
    if (!part.halves || (saved > 0 && part.costs[saved] === 2 ** part.height - part.addresses)) {
      found.push(this.#prefixOf(part));
      return;
    }
    const [left, right] = part.halves;
    const own = saved === 0 ? 0 : shareOf(left.costs, right.costs, part.costs, saved);
    this.#collect(left, saved - own, found);
    this.#collect(right, own, found);
  }

  /** The height of the least network that holds both the address and the one before it. */
  #gapBefore(index: number): number {
    const { words, width } = this.#list;
    const at = index * width;
    for (let word = 0; word < width; word++) {
      const difference = words[at + word]! ^ words[at + word - width]!;
      if (difference !== 0) return 32 * (width - word) - Math.clz32(difference);
    }
    throw new RangeError(`address ${index} comes twice`);
  }

  #prefixOf({ first, height }: Part): Prefix {
    const { words, width } = this.#list;
    const address = Array.from({ length: width }, (_, word) => {
      const own = Math.min(32, Math.max(0, height - 32 * (width - 1 - word)));
      return own === 32 ? 0 : (words[first * width + word]! & (-1 << own)) >>> 0;
    });
    return { words: address, length: 32 * width - height };
  }
}
