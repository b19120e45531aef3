import { NFNL_SUBSYS, NFNLGRP } from '../nfnetlink/constants.ts';
import { DecodeError } from '../nfnetlink/errors.ts';
import { commandOf, messagePortId, messageType, subsystemOf } from '../nfnetlink/message.ts';
import { type OpenSubscriptionOptions, openSubscription } from '../nfnetlink/open.ts';
import type { EventSubscription, SubscriptionStats } from '../nfnetlink/subscription.ts';
import { IPCTNL_MSG_EXP } from './constants.ts';
import { decodeExpectation, type Expectation } from './expectation.ts';
import type { Flow } from './flow.ts';
import { type EventKind, FlowView } from './flowView.ts';

/** Something happened to a flow. */
export interface FlowEvent {
  readonly kind: EventKind;
  readonly flow: Flow;
  /** Whose request caused it; 0 where packets or time did. */
  readonly portId: number;
}

/** Something happened to an expectation. */
export interface ExpectationEvent {
  readonly kind: 'new' | 'destroy';
  readonly expectation: Expectation;
  readonly portId: number;
}

/** Who hears what. The groups to join follow from it. */
export interface EventHandlers {
  /** Each event in place: the fastest way. The view is valid until the handler returns. */
  readonly onView?: (view: FlowView) => void;
  /** Each event as an object of its own. */
  readonly onFlow?: (event: FlowEvent) => void;
  readonly onExpectation?: (event: ExpectationEvent) => void;
  /** Which events of flows; all three by default. */
  readonly kinds?: readonly EventKind[];
  /** A message that is malformed, and dropped. It is counted in any case. */
  readonly onMalformedEvent?: (error: DecodeError) => void;
}

export interface ConntrackEventOptions
  extends EventHandlers,
    Omit<OpenSubscriptionOptions, 'onMessage' | 'groups'> {}

const flowGroups: Readonly<Record<EventKind, number>> = {
  new: NFNLGRP.CONNTRACK_NEW,
  update: NFNLGRP.CONNTRACK_UPDATE,
  destroy: NFNLGRP.CONNTRACK_DESTROY,
};
const everyKind: readonly EventKind[] = ['new', 'update', 'destroy'];
const expectationGroups = [NFNLGRP.CONNTRACK_EXP_NEW, NFNLGRP.CONNTRACK_EXP_DESTROY];

/** Turns messages into calls of handlers; knows nothing of sockets. */
export class EventReader {
  /** Messages that were malformed and dropped. */
  malformed = 0;
  private readonly handlers: EventHandlers;
  private readonly view = new FlowView();

  constructor(handlers: EventHandlers) {
    this.handlers = handlers;
  }

  /** The multicast groups that the handlers need. */
  get groups(): number[] {
    const { onView, onFlow, onExpectation, kinds = everyKind } = this.handlers;
    return [
      ...(onView || onFlow ? kinds.map((kind) => flowGroups[kind]) : []),
      ...(onExpectation ? expectationGroups : []),
    ];
  }

  /** Reads one message; the bytes may be reused when it returns. Throws what a handler throws, else nothing. */
  readonly read = (bytes: Uint8Array, start: number, end: number): void => {
    const subsystem = subsystemOf(messageType(bytes, start));
    if (subsystem === NFNL_SUBSYS.CTNETLINK) this.readFlow(bytes, start, end);
    else if (subsystem === NFNL_SUBSYS.CTNETLINK_EXP) this.readExpectation(bytes, start, end);
  };

  private readFlow(bytes: Uint8Array, start: number, end: number): void {
    const { onView, onFlow } = this.handlers;
    const { view } = this;
    try {
      view.attach(bytes, start, end);
      onView?.(view);
      onFlow?.({ kind: view.kind, flow: view.toFlow(), portId: view.portId });
    } catch (error) {
      this.drop(error);
    }
  }

  private readExpectation(bytes: Uint8Array, start: number, end: number): void {
    try {
      const kind = commandOf(messageType(bytes, start)) === IPCTNL_MSG_EXP.DELETE ? 'destroy' : 'new';
      const expectation = decodeExpectation(bytes, start, end);
      this.handlers.onExpectation?.({ kind, expectation, portId: messagePortId(bytes, start) });
    } catch (error) {
      this.drop(error);
    }
  }

  private drop(error: unknown): void {
    if (!(error instanceof DecodeError)) throw error;
    this.malformed += 1;
    this.handlers.onMalformedEvent?.(error);
  }
}

/** The events of one network namespace, on a socket of their own. */
export class ConntrackEvents {
  /** The socket under the events: its buffer, its port id, its hold on the process. */
  readonly subscription: EventSubscription;
  private readonly reader: EventReader;

  /** The subscription's onMessage is the reader's. */
  constructor(subscription: EventSubscription, reader: EventReader) {
    this.subscription = subscription;
    this.reader = reader;
  }

  /** What was counted since the socket was opened; messages that were no events are counted as malformed. */
  get stats(): SubscriptionStats {
    const { stats } = this.subscription;
    return { ...stats, malformed: stats.malformed + this.reader.malformed };
  }

  /** Idempotent; no handler runs any more once it is called. */
  close(): Promise<void> {
    return this.subscription.close();
  }
}

/**
 * Opens a socket for the events that the handlers want.
 *
 * Flows that were made while nobody listened may never send an event (net.netfilter.nf_conntrack_events=2,
 * the default): list the table after this resolves, and again after every overrun.
 * @throws TransportError EPERM without CAP_NET_ADMIN
 */
export async function openConntrackEvents(options: ConntrackEventOptions): Promise<ConntrackEvents> {
  const reader = new EventReader(options);
  const subscription = await openSubscription({ ...options, groups: reader.groups, onMessage: reader.read });
  return new ConntrackEvents(subscription, reader);
}
