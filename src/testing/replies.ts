import { align4 } from '../nfnetlink/attribute.ts';
import { readU16host, readU32host, writeU16host, writeU32host } from '../nfnetlink/bytes.ts';
import { NLM_F, NLMSG } from '../nfnetlink/constants.ts';
import type { NetlinkError } from '../nfnetlink/errors.ts';
import {
  concatenated,
  MESSAGE_HEADER,
  messageFlags,
  messageSeq,
  messageType,
  walkMessages,
} from '../nfnetlink/message.ts';

/** One request as the scripted kernel got it. */
export interface ScriptedRequest {
  /** The whole message; a copy. */
  readonly bytes: Uint8Array;
  /** nlmsg_type. */
  readonly type: number;
  readonly seq: number;
  /** The address of the socket that it came from. */
  readonly portId: number;
}

/** What the kernel does, in order. */
export type Step =
  | { readonly kind: 'datagram'; readonly bytes: Uint8Array }
  /** The receive buffer was full: ENOBUFS. */
  | { readonly kind: 'overrun' }
  /** Nothing, until the test says `release()`. */
  | { readonly kind: 'held'; readonly steps: readonly Step[] }
  /** sendmsg fails. */
  | { readonly kind: 'refusal'; readonly error: NetlinkError };

/** An answer to a request, made when the request is known: replies carry its number and its sender. */
export type Reply = (request: ScriptedRequest) => readonly Step[];

const ECHO_AT = MESSAGE_HEADER + 4;

/**
 * NLMSG_ERROR: an acknowledgement, which comes only where the request asks for one (NLM_F_ACK), or a refusal
 * with a positive errno, which repeats the request.
 * @param tlvs encoded NLMSGERR_ATTR_* attributes of an extended acknowledgement
 */
export function ack(errno = 0, tlvs = new Uint8Array()): Reply {
  return ({ bytes, seq, portId }) => {
    if (errno === 0 && (messageFlags(bytes, 0) & NLM_F.ACK) === 0) return [];
    const echo = errno === 0 ? bytes.subarray(0, MESSAGE_HEADER) : bytes;
    const flags = (errno === 0 ? NLM_F.CAPPED : 0) | (tlvs.length > 0 ? NLM_F.ACK_TLVS : 0);
    const message = header(ECHO_AT + align4(echo.length) + tlvs.length, NLMSG.ERROR, flags, seq, portId);
    writeU32host(message, MESSAGE_HEADER, -errno >>> 0);
    message.set(echo, ECHO_AT);
    message.set(tlvs, ECHO_AT + align4(echo.length));
    return [datagram(message)];
  };
}

/** Data, each message in a datagram of its own, readdressed to the request. */
export function data(...messages: readonly Uint8Array[]): Reply {
  return (request) => messages.map((message) => datagram(readdressed(message, request)));
}

/** NLMSG_DONE: the end of a dump, with a positive errno where the kernel gave it up. */
export function done(errno = 0, flags = 0): Reply {
  return ({ seq, portId }) => {
    const message = header(ECHO_AT, NLMSG.DONE, NLM_F.MULTI | flags, seq, portId);
    writeU32host(message, MESSAGE_HEADER, -errno >>> 0);
    return [datagram(message)];
  };
}

export interface DumpShape {
  /** Default: 64. */
  readonly entriesPerDatagram?: number;
  /** The errno of NLMSG_DONE. */
  readonly errno?: number;
  /** Sets NLM_F_DUMP_INTR on the last datagram. */
  readonly isInterrupted?: boolean;
}

/** A whole dump: the entries, several a datagram, then NLMSG_DONE in a datagram of its own. */
export function dump(entries: readonly Uint8Array[], shape: DumpShape = {}): Reply {
  const { entriesPerDatagram = 64, errno = 0, isInterrupted = false } = shape;
  const flags = isInterrupted ? NLM_F.DUMP_INTR : 0;
  return (request) => {
    const steps: Step[] = [];
    for (let first = 0; first < entries.length; first += entriesPerDatagram) {
      const bytes = readdressed(concatenated(entries.slice(first, first + entriesPerDatagram)), request);
      walkMessages(bytes, 0, bytes.length, (_, start) => {
        const isLast = first + entriesPerDatagram >= entries.length;
        const all = readU16host(bytes, start + 6) | NLM_F.MULTI | (isLast ? flags : 0);
        writeU16host(bytes, start + 6, all);
      });
      steps.push(datagram(bytes));
    }
    return [...steps, ...done(errno, flags)(request)];
  };
}

/** Bytes as they are: events, or what is no message at all. */
export function raw(...datagrams: readonly Uint8Array[]): Reply {
  return () => datagrams.map(datagram);
}

/** The kernel drops what it would have answered, and says so. */
export function overrun(): Reply {
  return () => [{ kind: 'overrun' }];
}

/** The request does not reach the kernel: `send` throws the error. */
export function sendFailure(error: NetlinkError): Reply {
  return () => [{ kind: 'refusal', error }];
}

/** The same answers, when the test calls `release()`. */
export function later(...replies: readonly Reply[]): Reply {
  return (request) => [{ kind: 'held', steps: replies.flatMap((reply) => reply(request)) }];
}

/** The same answers under another sequence number: as if to a request that nobody remembers. */
export function misnumbered(reply: Reply, seq: number): Reply {
  return (request) => reply({ ...request, seq });
}

/** The same answers, each datagram cut after so many bytes. */
export function cut(reply: Reply, bytes: number): Reply {
  return (request) =>
    reply(request).map((step) => (step.kind === 'datagram' ? datagram(step.bytes.subarray(0, bytes)) : step));
}

/** The same answers in one datagram. */
export function together(...replies: readonly Reply[]): Reply {
  return (request) => {
    const steps = replies.flatMap((reply) => reply(request));
    return [
      datagram(concatenated(steps.map((step) => (step.kind === 'datagram' ? step.bytes : new Uint8Array())))),
    ];
  };
}

/** A copy of the messages of a datagram, as answers to the request. */
export function readdressed(datagram: Uint8Array, request: { seq: number; portId: number }): Uint8Array {
  const bytes = datagram.slice();
  const address = (at: number) => {
    writeU32host(bytes, at + 8, request.seq);
    writeU32host(bytes, at + 12, request.portId);
  };
  walkMessages(bytes, 0, bytes.length, (_, start, end) => {
    address(start);
    const isAck = messageType(bytes, start) === NLMSG.ERROR && end - start >= ECHO_AT + MESSAGE_HEADER;
    if (isAck) address(start + ECHO_AT);
  });
  return bytes;
}

/** The messages of a datagram, each a copy with its padding. */
export function messagesOf(datagram: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  walkMessages(datagram, 0, datagram.length, (bytes, start) => {
    messages.push(bytes.slice(start, start + align4(readU32host(bytes, start))));
  });
  return messages;
}

/** How the kernel sees a message. */
export function requestOf(bytes: Uint8Array, portId: number): ScriptedRequest {
  return { bytes, type: messageType(bytes, 0), seq: messageSeq(bytes, 0), portId };
}

function datagram(bytes: Uint8Array): Step {
  return { kind: 'datagram', bytes };
}

function header(length: number, type: number, flags: number, seq: number, portId: number): Uint8Array {
  const bytes = new Uint8Array(length);
  writeU32host(bytes, 0, length);
  writeU16host(bytes, 4, type);
  writeU16host(bytes, 6, flags);
  writeU32host(bytes, 8, seq);
  writeU32host(bytes, 12, portId);
  return bytes;
}
