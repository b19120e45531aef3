import { Random } from '../fuzz/random.ts';

/** Choices that follow from a seed alone. */
export class Chance extends Random {
  /** True this often in a hundred. */
  percent(likely: number): boolean {
    return this.below(100) < likely;
  }
  /** An integer from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }
  /** Some of a list, each this often in a hundred, in its order. */
  some<T>(list: readonly T[], likely: number): T[] {
    return list.filter(() => this.percent(likely));
  }
  /** The list in another order. */
  shuffled<T>(list: readonly T[]): T[] {
    const all = [...list];
    for (let i = all.length - 1; i > 0; i--) {
      const other = this.below(i + 1);
      [all[i], all[other]] = [all[other]!, all[i]!];
    }
    return all;
  }
}
