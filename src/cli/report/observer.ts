import type { ConntrackClient } from '../../ctnetlink/client.ts';
import type { ConntrackEventOptions, ConntrackEvents } from '../../ctnetlink/events.ts';
import type { FlowFilter } from '../../ctnetlink/filter.ts';
import type { FlowView } from '../../ctnetlink/flowView.ts';
import { CatchUp } from '../../daemon/catchUp.ts';
import { EventLag } from '../../daemon/eventLag.ts';
import type { Clock } from '../../nfnetlink/clock.ts';
import { KEY_BYTES, writeFlowKey } from '../../report/flowKey.ts';
import type { FlowTable } from '../../report/flowTable.ts';

export interface ObserverParts {
  readonly client: ConntrackClient;
  readonly openEvents: (options: ConntrackEventOptions) => Promise<ConntrackEvents>;
  readonly filter: FlowFilter;
  readonly table: FlowTable;
  readonly clock: Clock;
  /** Events were lost; the table is listed for it. */
  readonly onLoss: () => void;
  /** It cannot go on. */
  readonly onFailure: (error: unknown) => void;
}

/** About 13,000 events; the kernel gives what it allows. */
const RECEIVE_BUFFER = 8 << 20;
const LARGEST_RECEIVE_BUFFER = 32 << 20;

/**
 * Fills a table of distinct flows from the kernel: it subscribes, lists the table, and goes on with the events
 * of flows that begin, and of those that are confirmed later. Events that are lost are made up for by another
 * listing: what began and ended meanwhile is missing.
 */
export class Observer {
  /** When the last new distinct flow came, by the clock. */
  lastNew: number;
  readonly #parts: ObserverParts;
  readonly #matches: (view: FlowView) => boolean;
  readonly #key = new Uint8Array(KEY_BYTES);
  readonly #lag = new EventLag();
  readonly #catchUp: CatchUp;
  #events: ConntrackEvents | undefined;
  /** A bit for each family (AF). */
  #seen = 0;
  #isListed = false;
  #isTurnDue = false;
  /** The table is being listed for a loss, or about to be. */
  #isHealing = false;
  /** Events were lost that no listing has made up for. */
  #isLossDue = false;
  #isClosed = false;

  constructor(parts: ObserverParts) {
    this.#parts = parts;
    this.#matches = parts.client.plan(parts.filter).matches;
    this.#catchUp = new CatchUp(this.#lag, parts.clock);
    this.lastNew = parts.clock.now();
  }

  /** Whether any flow of a family (AF) was seen. */
  hasSeen(family: number): boolean {
    return (this.#seen & (1 << family)) !== 0;
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
    this.#catchUp.stop();
    return this.#events?.close() ?? Promise.resolve();
  }

  #hear(view: FlowView): void {
    this.#lag.took(this.#parts.clock.now());
    if (!this.#isTurnDue) this.#noteTurn();
    // a flow that begins while the table is listed is counted there, or not at all: never twice
    if (this.#matches(view)) this.#note(view, view.kind === 'new' && this.#isListed ? 1 : 0);
  }

  #noteTurn(): void {
    this.#isTurnDue = true;
    this.#parts.clock.nextTurn(() => {
      this.#isTurnDue = false;
      this.#lag.turned();
    });
  }

  #note(view: FlowView, flows: number): void {
    const flags = writeFlowKey(view, this.#key);
    if (flags === undefined) return;
    this.#seen |= 1 << view.family;
    if (this.#parts.table.add(this.#key, flags, flows)) this.lastNew = this.#parts.clock.now();
  }

  #recover(): void {
    const { subscription } = this.#events!;
    subscription.growReceiveBuffer(Math.min(subscription.receiveBufferSize, LARGEST_RECEIVE_BUFFER));
    this.#isLossDue = true;
    this.#parts.onLoss();
    if (!this.#isHealing) this.#healSoon();
  }

  /** The kernel drops events until all that are there have been read: a listing before that would miss some. */
  #healSoon(): void {
    this.#isHealing = true;
    this.#catchUp.once(() => void this.#heal());
  }

  async #heal(): Promise<void> {
    this.#isLossDue = false;
    try {
      await this.list();
    } catch (error) {
      if (!this.#isClosed) this.#parts.onFailure(error);
      return;
    }
    this.#isHealing = false;
    if (this.#isLossDue && !this.#isClosed) this.#healSoon();
  }
}
