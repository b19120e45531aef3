/** The flows of the sweep under way: how many have no verdict yet, and how many were misplaced. */
export class SweptFlows {
  #open = 0;
  #misplaced = 0;
  #resolve: (() => void) | undefined;

  /** Notes that a flow is to be judged. */
  taken(): void {
    this.#open++;
  }

  /** Notes its verdict. */
  judged(isMisplaced: boolean): void {
    this.#open--;
    if (isMisplaced) this.#misplaced++;
  }

  /** Tells who waits, if every flow has its verdict; to be called when verdicts were given. */
  settle(): void {
    if (this.#open > 0) return;
    this.#resolve?.();
    this.#resolve = undefined;
  }

  /** Resolves when every flow that was taken has its verdict, with how many were misplaced. */
  async verdicts(): Promise<number> {
    if (this.#open > 0) await new Promise<void>((resolve) => (this.#resolve = resolve));
    const misplaced = this.#misplaced;
    this.#misplaced = 0;
    return misplaced;
  }
}
