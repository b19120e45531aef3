import type { ConntrackClient } from '../../ctnetlink/client.ts';
import type { ConntrackEventOptions, ConntrackEvents } from '../../ctnetlink/events.ts';
import type { FlowFilter } from '../../ctnetlink/filter.ts';
import type { FlowView } from '../../ctnetlink/flowView.ts';
import type { Clock, Timer } from '../../nfnetlink/clock.ts';
import { KEY_BYTES, writeFlowKey } from '../../report/flowKey.ts';
import type { FlowTable } from '../../report/flowTable.ts';

export interface ObserverParts {
  readonly client: ConntrackClient;
  readonly openEvents: (options: ConntrackEventOptions) => Promise<ConntrackEvents>;
  readonly filter: FlowFilter;
  readonly table: FlowTable;
  readonly clock: Clock;
  /** Events were lost, and the table is about to be listed for it. */
  readonly onLoss: () => void;
  /** It cannot go on. */
  readonly onFailure: (error: unknown) => void;
}

/** About 13,000 events; the kernel gives what it allows. */
const RECEIVE_BUFFER = 8 << 20;
const LARGEST_RECEIVE_BUFFER = 32 << 20;

/** After a loss the table is listed when the events that are here have been read, and not for each loss anew. */
const HEALING_DELAY_MS = 500;

/**
 * Fills a table of distinct flows from the kernel: it subscribes, lists the table, and goes on with the events
 * of flows that begin, and of those that are confirmed later. Events that are lost are made up for by another
 * listing: what began and ended meanwhile is missing.
 */
export class Observer {
  /** When the last new distinct flow came, by the clock. */
  lastNew: number;
  /** Whether any flow was seen, by family (AF). */
  readonly seen = new Set<number>();
  readonly #parts: ObserverParts;
  readonly #matches: (view: FlowView) => boolean;
  readonly #key = new Uint8Array(KEY_BYTES);
  #events: ConntrackEvents | undefined;
  #isListed = false;
  /** Set from a loss until the table was listed for it. */
  #healing: Timer | undefined;
  /** Events were lost that no listing has made up for. */
  #isLossDue = false;
  #isClosed = false;

  constructor(parts: ObserverParts) {
    this.#parts = parts;
    this.#matches = parts.client.plan(parts.filter).matches;
    this.lastNew = parts.clock.now();
  }

  /**
   * Resolves when the table was listed.
   * @param flows what a flow counts that is there already
   */
  async start(flows = 1): Promise<void> {
    this.#events = await this.#parts.openEvents({
      kinds: ['new', 'update'],
      receiveBuffer: RECEIVE_BUFFER,
      onView: (view) => this.#hear(view),
      onOverrun: () => this.#recover(),
      onError: this.#parts.onFailure,
    });
    await this.list(flows);
    this.#isListed = true;
  }

  /**
   * Lists the table.
   * @param flows what a listed flow counts
   */
  async list(flows = 0): Promise<void> {
    const { client, filter } = this.#parts;
    await client.visit(filter, (view) => this.#note(view, flows));
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#healing?.cancel();
    return this.#events?.close() ?? Promise.resolve();
  }

  #hear(view: FlowView): void {
    if (!this.#matches(view)) return;
    // a flow that begins while the table is listed is counted there, or not at all: never twice
    this.#note(view, view.kind === 'new' && this.#isListed ? 1 : 0);
  }

  #note(view: FlowView, flows: number): void {
    const flags = writeFlowKey(view, this.#key);
    if (flags === undefined) return;
    if (!this.#parts.table.add(this.#key, flags, flows)) return;
    this.lastNew = this.#parts.clock.now();
    this.seen.add(view.family);
  }

  #recover(): void {
    const { subscription } = this.#events!;
    subscription.growReceiveBuffer(Math.min(subscription.receiveBufferSize, LARGEST_RECEIVE_BUFFER));
    this.#isLossDue = true;
    if (!this.#healing) this.#healSoon();
  }

  #healSoon(): void {
    this.#healing = this.#parts.clock.after(HEALING_DELAY_MS, () => void this.#heal());
  }

  async #heal(): Promise<void> {
    this.#isLossDue = false;
    this.#parts.onLoss();
    try {
      await this.list();
    } catch (error) {
      if (!this.#isClosed) this.#parts.onFailure(error);
      return;
    }
    this.#healing = undefined;
    if (this.#isLossDue && !this.#isClosed) this.#healSoon();
  }
}
