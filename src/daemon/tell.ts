import type { FlowDescription } from './flowDescription.ts';
import type { ResetOutcome } from './resetOutcome.ts';

/** Why a misplaced flow was left alone. */
export type SuppressReason = 'budget' | 'client-budget' | 'cooldown' | 'breaker' | 'paused';

export type SweepCause =
  | 'start'
  | 'overrun'
  | 'reload'
  | 'interface'
  | 'periodic'
  | 'request'
  | 'elements'
  | 'shed';

/** Which rule wants what of flows on one interface. */
export interface Reason {
  readonly rule: string;
  /** Null for a rule without a set. */
  readonly set: string | null;
  /** The interface that the flow was on. */
  readonly from: string;
  /** The interfaces that are right for it now. */
  readonly expected: readonly string[];
}

/** The why of an action on a flow. */
export interface Why extends Reason {
  readonly flow: FlowDescription;
}

/** Everything that the daemon says while it runs, in the order in which it happens. */
export type DaemonEvent =
  | { readonly event: 'ready'; readonly flows: number; readonly misplaced: number; readonly ms: number }
  | (Why & {
      readonly event: 'reset';
      readonly outcome: ResetOutcome;
      /** From the flow's NEW event to the answer of its DELETE; null for a flow found by a sweep. */
      readonly sinceNewMs: number | null;
      readonly detail?: string;
    })
  | (Why & { readonly event: 'moved' | 'returned'; readonly to: string; readonly afterMs: number })
  | (Why & { readonly event: 'suppressed'; readonly reason: SuppressReason; readonly forMs?: number })
  | { readonly event: 'overrun'; readonly count: number; readonly receiveBuffer: number }
  | {
      readonly event: 'sweep';
      readonly cause: SweepCause;
      readonly flows: number;
      readonly misplaced: number;
      readonly ms: number;
    }
  | { readonly event: 'reload'; readonly ok: boolean; readonly problems?: readonly string[] }
  /** mwan3 has stopped, which pauses resets, or runs again. */
  | { readonly event: 'mwan3'; readonly running: boolean }
  | { readonly event: 'interface'; readonly name: string; readonly online: boolean }
  | {
      readonly event: 'warning';
      readonly what: string;
      readonly why: string;
      readonly todo: string;
      readonly times?: number;
    }
  | ({ readonly event: 'stopped' } & Readonly<Record<string, unknown>>);

/** Where the daemon's words go. Must not throw. */
export type Tell = (event: DaemonEvent) => void;
