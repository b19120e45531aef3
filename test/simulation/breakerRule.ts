/** The circuit breaker's rule told anew: over half of the last fifty resets whose end was seen have returned. */
export class BreakerRule {
  /** Since it was closed. */
  #seen: boolean[] = [];
  openSince = Number.POSITIVE_INFINITY;
  openings = 0;
  /** It has opened, and the daemon has not said so yet. */
  isUntold = false;

  get isOpen(): boolean {
    return this.openSince !== Number.POSITIVE_INFINITY;
  }

  verified(hasReturned: boolean, at: number): void {
    this.#seen.push(hasReturned);
    const last = this.#seen.slice(-50);
    if (this.isOpen || last.length < 50 || 2 * last.filter(Boolean).length <= last.length) return;
    this.openSince = at;
    this.openings++;
    this.isUntold = true;
  }

  close(): void {
    this.#seen = [];
    this.openSince = Number.POSITIVE_INFINITY;
  }
}
