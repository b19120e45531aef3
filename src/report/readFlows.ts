import { hasPortNumbers, protocolNumbers } from '../ctnetlink/protocol.ts';
import { parseAddress } from '../nfnetlink/address.ts';
import { AF } from '../nfnetlink/constants.ts';
import { flowClassOf, isIcmpClass } from './flowClass.ts';
import {
  CLASS_AT,
  DESTINATION_AT,
  FLOW_FLAG,
  KEY_BYTES,
  PROTOCOL_AT,
  SOURCE_AT,
  writePorts,
} from './flowKey.ts';
import type { FlowRecord } from './flowLines.ts';

/** A line that is no flow of a report. The message says why. */
export class NoFlowError extends Error {
  override readonly name = 'NoFlowError';
}

/**
 * Reads a line of a report in JSON into a key.
 * @returns FLOW_FLAG bits, and how many flows it stands for
 * @throws NoFlowError
 */
export function readFlowLine(line: string, key: Uint8Array): { flags: number; flows: number } {
  const record = parse(line);
  const family = { ipv4: AF.INET, ipv6: AF.INET6 }[String(record.family)];
  if (family === undefined) throw new NoFlowError('family is neither "ipv4" nor "ipv6"');
  const protocol = readProtocol(record.protocol);
  const flowClass = flowClassOf(family, protocol);
  key.fill(0, 0, KEY_BYTES);
  key[CLASS_AT] = flowClass;
  key[PROTOCOL_AT] = protocol;
  key.set(readAddress(record.source, 'source', family), SOURCE_AT);
  key.set(readAddress(record.destination, 'destination', family), DESTINATION_AT);
  const withPorts = hasPortNumbers(protocol) && record.destinationPort !== undefined;
  if (withPorts) {
    writePorts(
      key,
      readInteger(record, 'sourcePort', 0xffff),
      readInteger(record, 'destinationPort', 0xffff),
    );
  } else if (isIcmpClass(flowClass)) {
    writePorts(key, readInteger(record, 'icmpType', 0xff), readInteger(record, 'icmpCode', 0xff));
  }
  const flags =
    (record.confirmed === true ? FLOW_FLAG.CONFIRMED : 0) |
    (record.translated === true ? FLOW_FLAG.TRANSLATED : 0) |
    (record.related === true ? 0 : FLOW_FLAG.UNRELATED) |
    (withPorts ? FLOW_FLAG.PORTS : 0);
  return { flags, flows: readInteger(record, 'flows', 0xffffffff) };
}

type Unread = { readonly [K in keyof FlowRecord]?: unknown };

function parse(line: string): Unread {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // told below
  }
  throw new NoFlowError('it is no JSON object');
}

function readProtocol(value: unknown): number {
  const number = protocolNumbers.get(String(value)) ?? Number(value);
  if (Number.isInteger(number) && number >= 0 && number <= 255) return number;
  throw new NoFlowError('protocol is neither a known name nor a number from 0 to 255');
}

function readAddress(value: unknown, field: string, family: number): Uint8Array {
  const address = typeof value === 'string' ? parseAddress(value) : undefined;
  if (address && (address.length === 4) === (family === AF.INET)) return address;
  throw new NoFlowError(`${field} is no address of its family`);
}

function readInteger(record: Unread, field: keyof FlowRecord, most: number): number {
  const value = record[field];
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most) return value as number;
  throw new NoFlowError(`${field} is no whole number from 0 to ${most}`);
}
