import type { ValueOf } from '../nfnetlink/codec.ts';
import { NFNL_SUBSYS, NLM_F } from '../nfnetlink/constants.ts';
import { DecodeError, EncodeError } from '../nfnetlink/errors.ts';
import {
  ATTRIBUTES_AT,
  encodeRequest,
  messageFamily,
  messageTypeOf,
  type RequestHeader,
} from '../nfnetlink/message.ts';
import { IPCTNL_MSG_EXP } from './constants.ts';
import { expectationAttributes } from './expectationAttributes.ts';
import { checkTuple } from './flowKey.ts';
import { expectationStatisticsAttributes } from './statisticsAttributes.ts';
import type { CompleteTuple, Tuple } from './tuple.ts';

export type ExpectationAttributes = ValueOf<typeof expectationAttributes>;

/** A flow that a helper waits for. */
export interface Expectation extends Readonly<ExpectationAttributes> {
  /** AF.INET or AF.INET6. */
  readonly family: number;
}

/** What names one expectation. The id is compared where it is given. */
export interface ExpectationKey {
  readonly tuple: Tuple;
  readonly zone?: number | undefined;
  readonly id?: number | undefined;
}

/** An expectation to be made. The helper's policy decides the timeout, whatever is asked. */
export interface NewExpectation extends Omit<ExpectationAttributes, 'id'> {
  /** The original tuple of the flow that announced it; that flow needs a helper. */
  readonly masterTuple: CompleteTuple;
  /** What the flow will be. A field that the mask leaves out may be anything: a source port 0. */
  readonly tuple: CompleteTuple;
  /** Which bits of the tuple count. */
  readonly mask: CompleteTuple;
}

/**
 * Reads a message about an expectation, an event or an answer.
 * @throws DecodeError where it is malformed.
 */
export function decodeExpectation(bytes: Uint8Array, start: number, end: number): Expectation {
  if (end - start < ATTRIBUTES_AT) {
    throw new DecodeError(`${end - start} bytes where a netfilter message needs 20`, start);
  }
  const attributes = expectationAttributes.decode(bytes, start + ATTRIBUTES_AT, end);
  return { ...attributes, family: messageFamily(bytes, start) };
}

function header(command: number, family: number, flags: number): RequestHeader {
  const type = messageTypeOf(NFNL_SUBSYS.CTNETLINK_EXP, command);
  return { type, flags: NLM_F.REQUEST | flags, family };
}

/** @throws EncodeError where the key does not name one expectation. */
export function encodeGetExpectation(key: ExpectationKey): Uint8Array {
  return encodeNamed(IPCTNL_MSG_EXP.GET, key);
}

/** @throws EncodeError where the key does not name one expectation: without a tuple all would go. */
export function encodeDeleteExpectation(key: ExpectationKey): Uint8Array {
  return encodeNamed(IPCTNL_MSG_EXP.DELETE, key);
}

function encodeNamed(command: number, { tuple, zone, id }: ExpectationKey): Uint8Array {
  const family = checkTuple(tuple, 'tuple');
  return encodeRequest(header(command, family, NLM_F.ACK), expectationAttributes, { tuple, zone, id });
}

/** Lists every expectation, or those that one flow announced. */
export function encodeListExpectations(masterTuple?: CompleteTuple): Uint8Array {
  const family = masterTuple === undefined ? 0 : checkTuple(masterTuple, 'masterTuple');
  return encodeRequest(header(IPCTNL_MSG_EXP.GET, family, NLM_F.DUMP), expectationAttributes, {
    masterTuple,
  });
}

/** @throws EncodeError where one of the three tuples is missing or wrong. */
export function encodeCreateExpectation(expectation: NewExpectation): Uint8Array {
  return encodeNew(expectation, NLM_F.CREATE | NLM_F.EXCL);
}

/** Changes the seconds that an existing expectation has left, without an event. */
export function encodeUpdateExpectation(expectation: NewExpectation): Uint8Array {
  return encodeNew(expectation, 0);
}

function encodeNew(expectation: NewExpectation, flags: number): Uint8Array {
  const family = checkTuple(expectation.masterTuple, 'masterTuple');
  for (const field of ['tuple', 'mask'] as const) {
    if (checkTuple(expectation[field], field) !== family) {
      throw new EncodeError('is of another address family than the master', field);
    }
  }
  const whole = header(IPCTNL_MSG_EXP.NEW, family, NLM_F.ACK | flags);
  return encodeRequest(whole, expectationAttributes, expectation);
}

/** DELETES every expectation of the network namespace, or all of one helper. */
export function encodeFlushExpectations(helperName?: string): Uint8Array {
  return encodeRequest(header(IPCTNL_MSG_EXP.DELETE, 0, NLM_F.ACK), expectationAttributes, { helperName });
}

/** Lists the counters of each CPU. */
export function encodeListExpectationStatistics(): Uint8Array {
  return encodeRequest(
    header(IPCTNL_MSG_EXP.GET_STATS_CPU, 0, NLM_F.DUMP),
    expectationStatisticsAttributes,
    {},
  );
}
