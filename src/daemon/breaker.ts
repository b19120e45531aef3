/** How many verified resets are looked back upon, and how many of them may have returned. */
const WINDOW = 50;
const MOST_RETURNED = 25;

/**
 * Opens when over half of the last fifty verified resets returned to a wrong interface: then resets do
 * harm here, for a reason that the daemon does not know. It stays open until it is closed by hand or by a
 * reload.
 */
export class CircuitBreaker {
  #returned: boolean[] = [];
  #open = false;

  get isOpen(): boolean {
    return this.#open;
  }

  /** How many of the last verified resets returned, and of how many. */
  get record(): { readonly returned: number; readonly verified: number } {
    return { returned: this.#returned.filter(Boolean).length, verified: this.#returned.length };
  }

  /** Notes a verified reset; true where this one opened the breaker. */
  verified(returned: boolean): boolean {
    this.#returned.push(returned);
    if (this.#returned.length > WINDOW) this.#returned.shift();
    if (this.#open || this.#returned.length < WINDOW || this.record.returned <= MOST_RETURNED) return false;
    this.#open = true;
    return true;
  }

  close(): void {
    this.#open = false;
    this.#returned = [];
  }
}
