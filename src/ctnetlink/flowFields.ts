import { ATTRIBUTE_HEADER, align4 } from '../nfnetlink/attribute.ts';
import type { ValueOf } from '../nfnetlink/codec.ts';
import type {
  countersAttributes,
  protocolInfoAttributes,
  TcpFlags,
  timestampAttributes,
} from './attributes.ts';
import { attributeWord, lengthIn, locate, typeIn } from './attributeWord.ts';
import { CTA_COUNTERS, CTA_PROTOINFO, CTA_PROTOINFO_TCP, CTA_TIMESTAMP } from './constants.ts';

/**
 * The nests that stand in most messages, read by hand: several times faster than by their tables, which
 * tests hold them to. Each throws DecodeError where the nest is malformed.
 */
const at = new Int32Array(CTA_PROTOINFO_TCP.FLAGS_REPLY + 1);

const neededOfCounters = Uint8Array.of(0, 8, 8);
const neededOfTimestamps = Uint8Array.of(0, 8, 8);
const neededOfTcp = Uint8Array.of(0, 1, 1, 1, 2, 2);

export function readCounters(data: DataView, start: number, end: number): ValueOf<typeof countersAttributes> {
  const present = locate(data, start, end, neededOfCounters, at, 0);
  return {
    packets: u64(data, present, CTA_COUNTERS.PACKETS),
    bytes: u64(data, present, CTA_COUNTERS.BYTES),
  };
}

export function readTimestamps(
  data: DataView,
  start: number,
  end: number,
): ValueOf<typeof timestampAttributes> {
  const present = locate(data, start, end, neededOfTimestamps, at, 0);
  return { start: u64(data, present, CTA_TIMESTAMP.START), stop: u64(data, present, CTA_TIMESTAMP.STOP) };
}

/** Undefined where the nest holds anything but TCP's alone, which its table reads. */
export function readTcpInfo(
  data: DataView,
  start: number,
  end: number,
): ValueOf<typeof protocolInfoAttributes> | undefined {
  if (start === end) return undefined;
  const word = attributeWord(data, start, end);
  if (typeIn(word) !== CTA_PROTOINFO.TCP || start + align4(lengthIn(word)) < end) return undefined;
  const present = locate(data, start + ATTRIBUTE_HEADER, start + lengthIn(word), neededOfTcp, at, 0);
  return {
    tcp: {
      state: u8(data, present, CTA_PROTOINFO_TCP.STATE),
      windowScaleOriginal: u8(data, present, CTA_PROTOINFO_TCP.WSCALE_ORIGINAL),
      windowScaleReply: u8(data, present, CTA_PROTOINFO_TCP.WSCALE_REPLY),
      flagsOriginal: tcpFlags(data, present, CTA_PROTOINFO_TCP.FLAGS_ORIGINAL),
      flagsReply: tcpFlags(data, present, CTA_PROTOINFO_TCP.FLAGS_REPLY),
    },
  };
}

function u8(data: DataView, present: number, type: number): number | undefined {
  return (present & (1 << type)) === 0 ? undefined : data.getUint8(at[type]!);
}

function u64(data: DataView, present: number, type: number): bigint | undefined {
  return (present & (1 << type)) === 0 ? undefined : data.getBigUint64(at[type]!);
}

function tcpFlags(data: DataView, present: number, type: number): TcpFlags | undefined {
  if ((present & (1 << type)) === 0) return undefined;
  return { flags: data.getUint8(at[type]!), mask: data.getUint8(at[type]! + 1) };
}
