import { type EventKind, FlowView } from '../../ctnetlink/flowView.ts';
import { encodeListFlows } from '../../ctnetlink/requests/list.ts';
import type { Ledger } from './healing.ts';
import type { Selection } from './selection.ts';
import { ToldFlows } from './toldFlows.ts';

/** Prints a flow as an event of this kind. */
export type PrintEvent = (view: FlowView, kind: EventKind) => void;

export interface FlowLedgerParts {
  readonly selection: Selection;
  /** The events that the reader wants. */
  readonly kinds: readonly EventKind[];
  readonly print: PrintEvent;
}

/** The reader of flow events: what it knows, and what of the table it wants to be told. */
export class FlowLedger implements Ledger {
  readonly told: ToldFlows;
  /** What the last comparison has told. */
  counts = { new: 0, updated: 0, destroyed: 0 };
  private readonly parts: FlowLedgerParts;
  private readonly view = new FlowView();
  private readonly ended = new FlowView();

  constructor(parts: FlowLedgerParts, told = new ToldFlows()) {
    this.parts = parts;
    this.told = told;
  }

  listing(): Uint8Array {
    const { family, attributes } = this.parts.selection;
    // all that may have been told: a flow that no longer fits the filter must not be taken for one that ended
    return this.told.size === 0 ? encodeListFlows(family, attributes) : encodeListFlows(family);
  }

  forgetAdopted(): void {
    this.told.forgetAdopted();
  }

  adopt(bytes: Uint8Array, start: number, end: number): void {
    const view = this.view.attach(bytes, start, end);
    if (this.parts.selection.matches(view)) this.told.adopt(view);
  }

  beginRound(): void {
    this.counts = { new: 0, updated: 0, destroyed: 0 };
    this.told.beginRound();
  }

  compare(bytes: Uint8Array, start: number, end: number): void {
    const { told } = this;
    const view = this.view.attach(bytes, start, end);
    if (!this.parts.selection.matches(view)) {
      told.pass(view);
      return;
    }
    const difference = told.look(view, this.tellEnd);
    if (difference === 'changed') this.tell(view, 'update');
    else if (difference !== 'none') this.tell(view, 'new');
  }

  endRound(): void {
    this.told.endRound(this.tellEnd);
  }

  private readonly tellEnd = (message: Uint8Array): void =>
    this.tell(this.ended.attach(message, 0, message.length), 'destroy');

  private tell(view: FlowView, kind: EventKind): void {
    if (!this.parts.kinds.includes(kind)) return;
    this.parts.print(view, kind);
    this.counts[countOf[kind]]++;
  }
}

const countOf = { new: 'new', update: 'updated', destroy: 'destroyed' } as const;
