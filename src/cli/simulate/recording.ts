import { createReadStream } from 'node:fs';
import {
  type CapturedDatagram,
  CaptureError,
  CaptureReader,
  isOtherByteOrder,
  readCapture,
} from '../../capture/index.ts';
import { findSetType, IPSET_CMD, type SetReply, type SetShape, setReply } from '../../ipset/index.ts';
import { NETLINK, NFNL_SUBSYS, NLM_F, NLMSG } from '../../nfnetlink/constants.ts';
import { DecodeError } from '../../nfnetlink/errors.ts';
import {
  ATTRIBUTES_AT,
  commandOf,
  MESSAGE_HEADER,
  messageFlags,
  messagePortId,
  messageSeq,
  messageType,
  subsystemOf,
  walkMessages,
} from '../../nfnetlink/message.ts';
import { CliError } from '../errors.ts';

/** What a capture is, as a first reading tells. */
export interface RecordingFacts {
  readonly file: string;
  /** Datagrams of the kernel's netfilter sockets. */
  readonly datagrams: number;
  /** Datagrams that the capture says are missing. */
  readonly lost: number;
  /** Milliseconds since 1970 of its first datagram; every other time counts from there. */
  readonly startMs: number;
  /** When the listings that it begins with were complete. */
  readonly listedMs: number;
  readonly endMs: number;
  /** Whether the table is listed. */
  readonly hasTable: boolean;
  /** The sets that are listed, by name, as they are first. */
  readonly sets: ReadonlyMap<string, SetShape>;
  /** Why the file ends early; undefined where it does not. */
  readonly cut: string | undefined;
}

/** A datagram of the kernel's, and when it was captured: milliseconds since the first. */
export interface RecordedDatagram {
  readonly at: number;
  /** Valid until the next is asked for. */
  readonly bytes: Uint8Array;
}

/** Listings that begin later behind the one before are no part of the beginning. */
const LISTING_GAP_MS = 1000;

/**
 * Reads a capture once, to know what it is.
 * @throws CliError where it is none, or has nothing to play
 */
export async function scanRecording(file: string): Promise<RecordingFacts> {
  const reader = new CaptureReader();
  const listings = new Listings();
  let datagrams = 0;
  let startNs: bigint | undefined;
  let endMs = 0;
  for await (const { time, bytes } of kernelDatagrams(file, reader)) {
    startNs ??= time;
    endMs = Math.max(endMs, Number(time - startNs) / 1e6);
    datagrams++;
    listings.take(bytes, endMs);
  }
  if (startNs === undefined) throw failure(file, 'holds no datagram of netfilter that the kernel sent');
  const { lost, cut } = reader.totals;
  const { listedMs, hasTable, sets } = listings;
  const startMs = Number(startNs) / 1e6;
  return { file, datagrams, lost, startMs, listedMs, endMs, hasTable, sets, cut: cut?.message };
}

/** The datagrams of a capture that was scanned, in order. */
export async function* playRecording({ file, startMs }: RecordingFacts): AsyncGenerator<RecordedDatagram> {
  let at = 0;
  for await (const { time, bytes } of kernelDatagrams(file, new CaptureReader())) {
    // several processors write a capture: a datagram may be a little older than the one before
    at = Math.max(at, Number(time) / 1e6 - startMs);
    yield { at, bytes };
  }
}

async function* kernelDatagrams(file: string, reader: CaptureReader) {
  try {
    for await (const datagram of readCapture(createReadStream(file), reader)) {
      const { protocol, bytes } = datagram;
      if (protocol !== NETLINK.NETFILTER || bytes.length < MESSAGE_HEADER) continue;
      if ((messageFlags(bytes, 0) & NLM_F.REQUEST) !== 0) continue;
      yield { time: timeOf(datagram, file), bytes };
    }
  } catch (error) {
    if (error instanceof CaptureError) throw failure(file, error.message);
    throw error;
  }
}

function timeOf({ time, bytes, originalLength }: CapturedDatagram, file: string): bigint {
  if (time === undefined) throw failure(file, 'tells no times');
  if (isOtherByteOrder(bytes)) throw failure(file, 'was captured on a machine of the other byte order');
  if (bytes.length < originalLength) throw failure(file, 'was captured with datagrams cut short');
  return time;
}

function failure(file: string, why: string): CliError {
  return new CliError('simulate', `${file}: ${why}`, 'resteer capture makes captures that can be played');
}

/** Follows the listings of a capture, of the table and of sets: when those that it begins with are complete. */
class Listings {
  listedMs = 0;
  hasTable = false;
  readonly sets = new Map<string, SetShape>();
  readonly #open = new Map<string, 'table' | 'set'>();
  #isBegun = false;

  take(datagram: Uint8Array, at: number): void {
    if (this.#open.size === 0 && at > this.listedMs + LISTING_GAP_MS) this.#isBegun = true;
    try {
      walkMessages(datagram, 0, datagram.length, (bytes, start, end) => this.#message(bytes, start, end, at));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }

  #message(bytes: Uint8Array, start: number, end: number, at: number): void {
    const seq = messageSeq(bytes, start);
    if (seq === 0) return;
    const type = messageType(bytes, start);
    if (isSetListing(type)) this.#note(setReply.decode(bytes, start + ATTRIBUTES_AT, end));
    if (!this.#isBegun) this.#follow(`${messagePortId(bytes, start)} ${seq}`, type, at);
  }

  #follow(conversation: string, type: number, at: number): void {
    const isEnd = type === NLMSG.DONE || type === NLMSG.ERROR;
    const kind = isEnd ? this.#open.get(conversation) : kindOf(type);
    if (!kind) return;
    if (!isEnd) {
      this.#open.set(conversation, kind);
      return;
    }
    this.#open.delete(conversation);
    this.listedMs = at;
    if (kind === 'table') this.hasTable = true;
  }

  #note({ setName: name, typeName, family = 0, revision = 0 }: SetReply): void {
    const type = typeName === undefined ? undefined : findSetType(typeName);
    if (name !== undefined && type && !this.sets.has(name))
      this.sets.set(name, { name, type, family, revision });
  }
}

function kindOf(type: number): 'table' | 'set' | undefined {
  if (subsystemOf(type) === NFNL_SUBSYS.CTNETLINK) return 'table';
  return isSetListing(type) ? 'set' : undefined;
}

function isSetListing(type: number): boolean {
  return subsystemOf(type) === NFNL_SUBSYS.IPSET && commandOf(type) === IPSET_CMD.LIST;
}
