import { NFNL_SUBSYS, NLM_F } from '../../nfnetlink/constants.ts';
import { EncodeError } from '../../nfnetlink/errors.ts';
import { encodeRequest, messageTypeOf } from '../../nfnetlink/message.ts';
import { flowAttributes } from '../attributes.ts';
import { IPCTNL_MSG_CT, IPS } from '../constants.ts';
import type { FlowAttributes } from '../flow.ts';
import { checkTuple, encodeKey, type FlowKey } from '../flowKey.ts';
import { invertTuple } from '../invertTuple.ts';
import type { CompleteTuple } from '../tuple.ts';

/** What of an existing flow can be changed. */
export interface FlowChanges
  extends Pick<
    FlowAttributes,
    | 'mark'
    | 'markMask'
    | 'timeout'
    | 'status'
    | 'labels'
    | 'labelsMask'
    | 'helper'
    | 'protocolInfo'
    | 'originalSequenceAdjustment'
    | 'replySequenceAdjustment'
    | 'synproxy'
  > {}

/**
 * A flow to be made.
 *
 * `status` is the whole status: IPS.CONFIRMED is added, as the kernel demands it. With `sourceNat` or
 * `destinationNat` the kernel makes the reply tuple's translation.
 */
export interface NewFlow
  extends Omit<FlowChanges, 'markMask' | 'labelsMask' | 'timeout'>,
    Pick<FlowAttributes, 'zone' | 'masterTuple' | 'sourceNat' | 'destinationNat'> {
  readonly originalTuple: CompleteTuple;
  /** The default is the original tuple turned round. */
  readonly replyTuple?: CompleteTuple | undefined;
  /** Seconds. */
  readonly timeout: number;
}

export interface CreateOptions {
  /** Updates a flow that exists already instead of refusing with EEXIST. */
  readonly updateExisting?: boolean;
}

const NEW = messageTypeOf(NFNL_SUBSYS.CTNETLINK, IPCTNL_MSG_CT.NEW);
const MAX_LABELS = 16;

/** @throws EncodeError where a value has no encoding, or what makes a flow is missing. */
export function encodeCreateFlow(flow: NewFlow, options: CreateOptions = {}): Uint8Array {
  const { originalTuple } = flow;
  const family = checkTuple(originalTuple, 'originalTuple');
  const replyTuple = flow.replyTuple ?? invertTuple(originalTuple);
  if (checkTuple(replyTuple, 'replyTuple') !== family) {
    throw new EncodeError('is of another address family than the original tuple', 'replyTuple');
  }
  if (flow.masterTuple !== undefined) checkTuple(flow.masterTuple, 'masterTuple');
  if (flow.timeout === undefined) throw new EncodeError('seconds are needed', 'timeout');
  checkLabels(flow);
  const { zone, mark, labels, timeout, helper, protocolInfo, synproxy, masterTuple } = flow;
  const { sourceNat, destinationNat, originalSequenceAdjustment, replySequenceAdjustment } = flow;
  const exclusive = options.updateExisting ? 0 : NLM_F.EXCL;
  return encodeRequest(
    { type: NEW, flags: NLM_F.REQUEST | NLM_F.ACK | NLM_F.CREATE | exclusive, family },
    flowAttributes,
    {
      ...{
        originalTuple,
        replyTuple,
        masterTuple,
        timeout,
        mark,
        labels,
        zone,
        helper,
        protocolInfo,
        synproxy,
      },
      ...{ sourceNat, destinationNat, originalSequenceAdjustment, replySequenceAdjustment },
      status: flow.status === undefined ? undefined : (flow.status | IPS.CONFIRMED) >>> 0,
    },
  );
}

/**
 * Changes an existing flow.
 *
 * - `mark` with `markMask`: only the bits of the mask change; without, the whole mark.
 * - `timeout`: seconds from now; 0 ends the flow. Refused with EPERM where it is fixed.
 * - `status`: the whole status with the wished bits added. SEEN_REPLY and ASSURED can be set, never cleared.
 * - `labels` with `labelsMask`: only the bits of the mask change; a shorter bitmap is filled with zeros.
 *
 * The kernel does not compare the key's id.
 * @throws EncodeError where the key does not name one flow, or a value has no encoding.
 */
export function encodeUpdateFlow(key: FlowKey, changes: FlowChanges): Uint8Array {
  const { family, attributes } = encodeKey(key);
  if (changes.markMask !== undefined && changes.mark === undefined) {
    throw new EncodeError('a mask without a mark changes nothing', 'markMask');
  }
  checkLabels(changes);
  const { mark, markMask, timeout, status, labels, labelsMask, helper, protocolInfo, synproxy } = changes;
  const { originalSequenceAdjustment, replySequenceAdjustment } = changes;
  return encodeRequest({ type: NEW, flags: NLM_F.REQUEST | NLM_F.ACK, family }, flowAttributes, {
    ...attributes,
    ...{ mark, markMask, timeout, status, labels, labelsMask, helper, protocolInfo, synproxy },
    ...{ originalSequenceAdjustment, replySequenceAdjustment },
  });
}

// ctnetlink_attach_labels(): whole 32-bit words, and a mask of the same length
function checkLabels({ labels, labelsMask }: Pick<FlowChanges, 'labels' | 'labelsMask'>): void {
  if (
    labels !== undefined &&
    (labels.length % 4 !== 0 || labels.length > MAX_LABELS || labels.length === 0)
  ) {
    throw new EncodeError(`${labels.length} bytes: labels are 4, 8, 12 or 16`, 'labels');
  }
  if (labelsMask !== undefined && labelsMask.length !== labels?.length) {
    throw new EncodeError('has to be as long as the labels', 'labelsMask');
  }
}
