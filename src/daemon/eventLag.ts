/** Events that the most frugal transport reads in one turn of the event loop: fewer emptied the socket. */
const FULL_TURN = 32;
/** What else may lie between an event and its reading: a pause for moderation, the rest of a turn. */
const MARGIN_MS = 20;

/**
 * How far the reading of events lies behind. Events wait in their socket while answers are read from
 * another: after a burst, or when the process stood still, an event that is read now may tell of a flow that
 * began long before a reset that has just been answered. Milliseconds everywhere.
 */
export class EventLag {
  #inTurn = 0;
  #turnBegan = 0;
  /** When the first of the full turns began that have followed each other since. */
  #behindSince: number | undefined;
  #hadFullTurn = false;

  /** Notes that an event is being read. */
  took(now: number): void {
    if (this.#inTurn++ === 0) this.#turnBegan = now;
  }

  /** Notes that the event loop has turned since the events that were noted last. */
  turned(): void {
    if (this.#inTurn < FULL_TURN) {
      this.#behindSince = undefined;
    } else {
      this.#behindSince ??= this.#turnBegan;
      this.#hadFullTurn = true;
    }
    this.#inTurn = 0;
  }

  /** Whether some turn since the last call did not empty the socket. */
  takeFullTurn(): boolean {
    const had = this.#hadFullTurn;
    this.#hadFullTurn = false;
    return had;
  }

  /** Whether the event that is being read may have happened before `moment`. */
  mayPredate(moment: number, now: number): boolean {
    if (now < moment + MARGIN_MS) return true;
    return this.#behindSince !== undefined && this.#behindSince < moment + MARGIN_MS;
  }
}
