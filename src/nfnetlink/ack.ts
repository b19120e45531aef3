import { ATTRIBUTE_HEADER, align4, payloadEnd, typeOf } from './attribute.ts';
import { readU32host } from './bytes.ts';
import { attr, attrs, isNest, type NestCodec } from './codec.ts';
import { NL_POLICY_TYPE_ATTR, NLA, NLM_F, NLMSG, NLMSGERR_ATTR } from './constants.ts';
import { errnoName } from './errno.ts';
import { DecodeError, type ExtendedAck, KernelError } from './errors.ts';
import {
  ATTRIBUTES_AT,
  commandOf,
  MESSAGE_HEADER,
  messageFlags,
  messageSeq,
  messageType,
  subsystemOf,
} from './message.ts';
import { bytes, text, u32host, u64host } from './scalar.ts';
import { requestName, type Subsystem } from './subsystem.ts';

/** NLMSGERR_ATTR_POLICY: what the kernel's policy would have accepted. */
export const policyAttributes = attrs('NL_POLICY_TYPE_ATTR', NL_POLICY_TYPE_ATTR, {
  type: attr(NL_POLICY_TYPE_ATTR.TYPE, u32host),
  minValueUnsigned: attr(NL_POLICY_TYPE_ATTR.MIN_VALUE_U, u64host),
  maxValueUnsigned: attr(NL_POLICY_TYPE_ATTR.MAX_VALUE_U, u64host),
  minLength: attr(NL_POLICY_TYPE_ATTR.MIN_LENGTH, u32host),
  maxLength: attr(NL_POLICY_TYPE_ATTR.MAX_LENGTH, u32host),
});

/** What follows an NLMSG_ERROR with NLM_F_ACK_TLVS. */
export const ackAttributes = attrs('NLMSGERR_ATTR', NLMSGERR_ATTR, {
  message: attr(NLMSGERR_ATTR.MSG, text()),
  offset: attr(NLMSGERR_ATTR.OFFS, u32host),
  cookie: attr(NLMSGERR_ATTR.COOKIE, bytes()),
  policy: attr(NLMSGERR_ATTR.POLICY, policyAttributes),
  missingType: attr(NLMSGERR_ATTR.MISS_TYPE, u32host),
  missingNest: attr(NLMSGERR_ATTR.MISS_NEST, u32host),
});

/** Where the copy of the request's nlmsghdr stands in an NLMSG_ERROR: behind the s32 error. */
export const ECHO_AT = MESSAGE_HEADER + 4;

/**
 * The positive errno of an NLMSG_ERROR or NLMSG_DONE; 0 is an acknowledgement, or a dump's good end.
 * @throws DecodeError where the message is too short to hold one.
 */
export function ackErrno(source: Uint8Array, start: number, end: number): number {
  if (end - start < ECHO_AT)
    throw new DecodeError(`${end - start} bytes where an acknowledgement needs 20`, start);
  return -(readU32host(source, start + MESSAGE_HEADER) | 0);
}

/** How many bytes of the request an NLMSG_ERROR carries behind the error: its header, or all of it. */
export function echoLength(source: Uint8Array, start: number, end: number): number {
  if (end - start < ECHO_AT + MESSAGE_HEADER) return Math.max(0, end - start - ECHO_AT);
  const capped = (messageFlags(source, start) & NLM_F.CAPPED) !== 0 || ackErrno(source, start, end) === 0;
  const whole = readU32host(source, start + ECHO_AT);
  return capped ? MESSAGE_HEADER : Math.min(Math.max(whole, MESSAGE_HEADER), end - start - ECHO_AT);
}

/** Where the extended acknowledgement's attributes begin, or `end` where there are none. */
export function tlvStart(source: Uint8Array, start: number, end: number): number {
  if (messageType(source, start) !== NLMSG.ERROR) return end;
  if ((messageFlags(source, start) & NLM_F.ACK_TLVS) === 0) return end;
  return Math.min(end, start + ECHO_AT + align4(echoLength(source, start, end)));
}

/**
 * The refusal that an NLMSG_ERROR or NLMSG_DONE with a non-zero errno carries.
 * @param requestType nlmsg_type of the request, which a DONE does not repeat
 * @param subsystem the source of names; without it numbers stand in their place
 */
export function decodeRefusal(
  source: Uint8Array,
  start: number,
  end: number,
  requestType: number,
  subsystem?: Subsystem,
): KernelError {
  const errno = ackErrno(source, start, end);
  const command = commandOf(requestType);
  const own = subsystem?.describeErrno?.(errno, command);
  return new KernelError({
    errno,
    code: own?.code ?? errnoName(errno),
    meaning: own?.meaning,
    command: requestName(requestType, subsystem),
    seq: messageSeq(source, start),
    extack: decodeExtack(source, start, end, subsystem),
  });
}

function decodeExtack(
  source: Uint8Array,
  start: number,
  end: number,
  subsystem?: Subsystem,
): ExtendedAck | undefined {
  const at = tlvStart(source, start, end);
  if (at >= end) return undefined;
  const { message, offset } = ackAttributes.decode(source, at, end);
  const attribute = offset === undefined ? undefined : attributeAt(source, start, end, offset, subsystem);
  return {
    ...(message !== undefined && { message }),
    ...(attribute !== undefined && { attribute }),
    ...(offset !== undefined && { offset }),
  };
}

/** The dotted name of the attribute at `offset` of the request that an NLMSG_ERROR echoes. */
function attributeAt(
  source: Uint8Array,
  start: number,
  end: number,
  offset: number,
  subsystem?: Subsystem,
): string | undefined {
  const echo = start + ECHO_AT;
  const echoEnd = echo + echoLength(source, start, end);
  if (offset < ATTRIBUTES_AT || echo + offset >= echoEnd) return undefined;
  const type = messageType(source, echo);
  if (subsystem?.id !== subsystemOf(type)) return undefined;
  const shape = subsystem.shapeOf(commandOf(type), messageFlags(source, echo));
  return shape && attributePath(shape.attributes, source, echo + ATTRIBUTES_AT, echoEnd, echo + offset);
}

/**
 * Dotted kernel names from the outermost attribute to the one that begins at byte `target`, or
 * undefined where no attribute does.
 */
export function attributePath(
  nest: NestCodec<unknown>,
  source: Uint8Array,
  start: number,
  end: number,
  target: number,
): string | undefined {
  for (let offset = start; offset < end; ) {
    const stop = payloadEnd(source, offset, end);
    const entry = nest.byType[typeOf(source, offset)];
    const name = entry?.name ?? `${nest.group}_${typeOf(source, offset) & NLA.TYPE_MASK}`;
    if (offset === target) return name;
    if (target < stop) {
      if (!entry || !isNest(entry.codec)) return undefined;
      const inner = attributePath(entry.codec, source, offset + ATTRIBUTE_HEADER, stop, target);
      return inner && `${name}.${inner}`;
    }
    offset = start + align4(stop - start);
  }
  return undefined;
}
