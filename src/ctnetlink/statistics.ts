import type { NestCodec, ValueOf } from '../nfnetlink/codec.ts';
import { DecodeError } from '../nfnetlink/errors.ts';
import { ATTRIBUTES_AT, messageResourceId } from '../nfnetlink/message.ts';
import {
  cpuStatisticsAttributes,
  expectationStatisticsAttributes,
  tableStatisticsAttributes,
} from './statisticsAttributes.ts';

/** How full the table is. */
export interface TableStatistics extends Readonly<ValueOf<typeof tableStatisticsAttributes>> {}

/** What one CPU has counted since the namespace was made. */
export interface CpuStatistics extends Readonly<ValueOf<typeof cpuStatisticsAttributes>> {
  readonly cpu: number;
}

/** What one CPU has counted of expectations. */
export interface ExpectationStatistics extends Readonly<ValueOf<typeof expectationStatisticsAttributes>> {
  readonly cpu: number;
}

/** Reads one answer to GET_STATS. */
export function decodeTableStatistics(bytes: Uint8Array, start: number, end: number): TableStatistics {
  return decodeAttributes(tableStatisticsAttributes, bytes, start, end);
}

/** Reads one answer to GET_STATS_CPU; the CPU's number is the message's resource id. */
export function decodeCpuStatistics(bytes: Uint8Array, start: number, end: number): CpuStatistics {
  const counted = decodeAttributes(cpuStatisticsAttributes, bytes, start, end);
  return { cpu: messageResourceId(bytes, start), ...counted };
}

/** Reads one answer to the expectations' GET_STATS_CPU. */
export function decodeExpectationStatistics(
  bytes: Uint8Array,
  start: number,
  end: number,
): ExpectationStatistics {
  const counted = decodeAttributes(expectationStatisticsAttributes, bytes, start, end);
  return { cpu: messageResourceId(bytes, start), ...counted };
}

function decodeAttributes<T>(codec: NestCodec<T>, bytes: Uint8Array, start: number, end: number): T {
  if (end - start < ATTRIBUTES_AT) {
    throw new DecodeError(`${end - start} bytes where a netfilter message needs 20`, start);
  }
  return codec.decode(bytes, start + ATTRIBUTES_AT, end);
}
