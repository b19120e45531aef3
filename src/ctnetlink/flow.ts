import type { ValueOf } from '../nfnetlink/codec.ts';
import type { flowAttributes } from './attributes.ts';
import type { CompleteTuple, Tuple } from './tuple.ts';

/** Everything that a message about a flow may carry, requests included. */
export type FlowAttributes = ValueOf<typeof flowAttributes>;

/** The attributes that the kernel sends; the others stand in requests only. */
type SentAttributes = Omit<
  FlowAttributes,
  | 'filter'
  | 'statusMask'
  | 'markMask'
  | 'labelsMask'
  | 'sourceNat'
  | 'destinationNat'
  | 'securityMark'
  | 'originalTuple'
  | 'replyTuple'
  | 'masterTuple'
  | 'id'
>;

/**
 * One entry of the connection tracking table, with all that the kernel told of it. What it did not tell is
 * undefined: an event has no counters before the flow's end, a dump no event timestamp. Each field is
 * described in wire terms at `flowAttributes`.
 */
export interface Flow extends Readonly<SentAttributes> {
  /** AF.INET or AF.INET6. */
  readonly family: number;
  /** As the first packet of the flow had it. */
  readonly originalTuple: CompleteTuple;
  /** As the answers have it: its destination is what NAT made of the source. */
  readonly replyTuple: CompleteTuple;
  /** Of a related flow, the one that announced it. */
  readonly masterTuple?: Tuple | undefined;
  /**
   * An opaque number made of the entry's address, namespace and tuple. A flow that is deleted and comes back
   * may have the same: compare `timestamps.start` too. Source: nf_ct_get_id().
   */
  readonly id: number;
}
