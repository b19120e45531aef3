import {
  type CapturedDatagram,
  CaptureError,
  CaptureReader,
  isOtherByteOrder,
  readCapture,
} from '../capture/index.ts';
import { align4 } from '../nfnetlink/attribute.ts';
import { NETLINK, NLM_F } from '../nfnetlink/constants.ts';
import { MESSAGE_HEADER, messageFlags, messageLength } from '../nfnetlink/message.ts';
import { CliError } from './errors.ts';
import type { CaptureFacts, InputDatagram } from './inputDatagram.ts';

/**
 * The datagrams of a capture file that can be decoded: those of netfilter and of routes.
 * @param name what the file is called in errors
 * @param say hears what of it is not printed
 * @throws CliError where the file is malformed, or ends within a block: when what comes before was handed out
 */
export async function* captureInput(
  source: AsyncIterable<Uint8Array>,
  name: string,
  say: (text: string) => void,
): AsyncGenerator<InputDatagram> {
  const reader = new CaptureReader();
  const passed = new Map<number, number>();
  let number = 0;
  try {
    for await (const datagram of readCapture(source, reader)) {
      number += 1;
      const { protocol } = datagram;
      if (protocol === NETLINK.NETFILTER || protocol === NETLINK.ROUTE) yield inputOf(datagram, number);
      else passed.set(protocol, (passed.get(protocol) ?? 0) + 1);
    }
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    throw new CliError(
      'decode',
      `${name}: ${error.message}`,
      number > 0 ? 'what comes before was decoded' : '',
    );
  }
  const { others, cut } = reader.totals;
  if (others > 0) say(`${name}: ${others} packets that are not netlink's are passed over`);
  for (const [protocol, count] of passed)
    say(`${name}: ${count} datagrams of netlink family ${protocol} are passed over`);
  if (cut) throw new CliError('decode', `${name}: ${cut.message}`, 'what comes before was decoded');
}

function inputOf(datagram: CapturedDatagram, number: number): InputDatagram {
  const { bytes, originalLength } = datagram;
  const fault =
    bytes.length < originalLength
      ? `the capture kept ${bytes.length} of ${originalLength} bytes`
      : isOtherByteOrder(bytes)
        ? 'captured on a machine of the other byte order'
        : undefined;
  return {
    place: `datagram ${number}`,
    bytes: fault === undefined ? asKernelReads(bytes) : bytes,
    captured: factsOf(datagram),
    ...(fault !== undefined && { fault }),
  };
}

/**
 * A request without what is behind its last message: programs send the rest of their buffer along (iproute2 does), of
 * which the kernel takes no notice. Source: netlink_rcv_skb().
 */
function asKernelReads(bytes: Uint8Array): Uint8Array {
  if (bytes.length < MESSAGE_HEADER || !(messageFlags(bytes, 0) & NLM_F.REQUEST)) return bytes;
  let end = 0;
  while (bytes.length - end >= MESSAGE_HEADER) {
    const length = messageLength(bytes, end);
    if (length < MESSAGE_HEADER || length > bytes.length - end) break;
    end += align4(length);
  }
  return end === 0 ? bytes : bytes.subarray(0, end);
}

function factsOf({ time, protocol, lost, comments }: CapturedDatagram): CaptureFacts {
  return {
    ...(time !== undefined && { time: isoTime(time) }),
    ...(protocol !== NETLINK.NETFILTER && { protocol }),
    ...(lost > 0 && { lost }),
    ...(comments.length > 0 && { comments }),
  };
}

const BILLION = 1_000_000_000n;
/** What a Date can be, in seconds from 1970 in either direction. */
const MOST_SECONDS = 8_640_000_000_000n;

/** Nanoseconds since 1970 as ISO 8601 with all of them; beyond all dates, as a number of seconds. */
export function isoTime(nanoseconds: bigint): string {
  const fraction = ((nanoseconds % BILLION) + BILLION) % BILLION;
  const seconds = (nanoseconds - fraction) / BILLION;
  const digits = String(fraction).padStart(9, '0');
  if (seconds > MOST_SECONDS || seconds < -MOST_SECONDS) return `${seconds}.${digits}`;
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, -5)}.${digits}Z`;
}
