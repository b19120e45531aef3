import { CTA, IPPROTO, IPS } from '../../ctnetlink/constants.ts';
import type { EventKind, FlowView } from '../../ctnetlink/flowView.ts';
import type { TupleView } from '../../ctnetlink/tupleView.ts';
import { AF } from '../../nfnetlink/constants.ts';
import { ascii, type ByteSink } from '../byteSink.ts';
import {
  bytesAt,
  helperOf,
  labelsOf,
  packetsAt,
  protocolNames,
  secondsAt,
  securityContextOf,
  startAt,
  stateOf,
  stopAt,
  useOf,
} from './flowFacts.ts';
import { type LabelMap, labelBits } from './labelMap.ts';
import { PROTOCOLS } from './protocols.ts';
import { tupleFields } from './tupleFields.ts';

/** How flows are printed; what is not asked for is left out. */
export interface TextOptions {
  /** -o extended: the address family goes first. */
  readonly extended?: boolean;
  readonly id?: boolean;
  /** -o ktimestamp: start and stop. */
  readonly kernelTimestamp?: boolean;
  /** -o labels. */
  readonly labels?: LabelMap | undefined;
}

const scratch = new Uint8Array(16);
const SPACE = 32;

const eventWords: Readonly<Record<EventKind, Uint8Array>> = {
  new: ascii('    [NEW] '),
  update: ascii(' [UPDATE] '),
  destroy: ascii('[DESTROY] '),
};
const protocolWords = Array.from({ length: 256 }, (_, number) =>
  ascii(`${(protocolNames[number] ?? 'unknown').padEnd(8)} ${number} `),
);
const familyWords: Readonly<Record<number, Uint8Array>> = {
  [AF.INET]: ascii('ipv4     2 '),
  [AF.INET6]: ascii('ipv6     10 '),
};
const unknownFamily = ascii('unknown  0 ');

/** The words of a protocol's states; what has no name is the first. */
const stateWords = Object.fromEntries(
  PROTOCOLS.filter(({ states }) => states).map(({ number, states }) => [
    number,
    states!.map((name) => ascii(`${name} `)),
  ]),
);

const WORD = {
  source: ascii('src='),
  destination: ascii(' dst='),
  zoneOriginal: ascii('zone-orig='),
  zoneReply: ascii('zone-reply='),
  packets: ascii('packets='),
  bytes: ascii(' bytes='),
  unreplied: ascii('[UNREPLIED] '),
  assured: ascii('[ASSURED] '),
  offload: ascii('[OFFLOAD] '),
  hardwareOffload: ascii('[HW_OFFLOAD] '),
  mark: ascii('mark='),
  securityContext: ascii('secctx='),
  zone: ascii('zone='),
  delta: ascii('delta-time='),
  start: ascii('[start='),
  stop: ascii('[stop='),
  bracket: ascii('] '),
  helper: ascii('helper='),
  use: ascii('use='),
  id: ascii('id='),
  labels: ascii('labels='),
};

/** Writes a flow as conntrack(8) prints it, without the end of the line. Valid for the view's bytes. */
export function writeFlowText(
  sink: ByteSink,
  view: FlowView,
  options: TextOptions,
  event: EventKind | undefined,
): void {
  sink.beginLine();
  if (event !== undefined) sink.put(eventWords[event]);
  if (options.extended) sink.put(familyWords[view.family] ?? unknownFamily);
  const { original, reply, status } = view;
  sink.put(protocolWords[original.protocol]!);
  if (view.has(CTA.TIMEOUT)) {
    sink.number(view.timeout);
    sink.character(SPACE);
  }
  if (view.has(CTA.PROTOINFO)) writeState(sink, view);
  writeTuple(sink, view, original);
  if (original.zone !== undefined) writeNumber(sink, WORD.zoneOriginal, original.zone);
  writeCounters(sink, view, CTA.COUNTERS_ORIG);
  if ((status & IPS.SEEN_REPLY) === 0 && view.has(CTA.STATUS)) sink.put(WORD.unreplied);
  writeTuple(sink, view, reply);
  if (reply.zone !== undefined) writeNumber(sink, WORD.zoneReply, reply.zone);
  writeCounters(sink, view, CTA.COUNTERS_REPLY);
  if ((status & IPS.HW_OFFLOAD) !== 0) sink.put(WORD.hardwareOffload);
  else if ((status & IPS.OFFLOAD) !== 0) sink.put(WORD.offload);
  else if ((status & IPS.ASSURED) !== 0) sink.put(WORD.assured);
  if (view.hasMark) writeNumber(sink, WORD.mark, view.mark);
  writeRest(sink, view, options);
  // the last space
  sink.length -= 1;
}

function writeState(sink: ByteSink, view: FlowView): void {
  const tcp = view.original.protocol === IPPROTO.TCP ? view.tcpState : undefined;
  if (tcp !== undefined) {
    const words = stateWords[IPPROTO.TCP]!;
    sink.put(words[tcp] ?? words[0]!);
    return;
  }
  const found = stateOf(view);
  if (!found) return;
  const words = stateWords[found.protocol]!;
  sink.put(words[found.state] ?? words[0]!);
}

function writeNumber(sink: ByteSink, word: Uint8Array, value: number): void {
  sink.put(word);
  sink.number(value);
  sink.character(SPACE);
}

function writeAddresses(sink: ByteSink, view: FlowView, tuple: TupleView): void {
  sink.put(WORD.source);
  if (view.family === AF.INET) {
    sink.ipv4(tuple.sourceIpv4);
    sink.put(WORD.destination);
    sink.ipv4(tuple.destinationIpv4);
    return;
  }
  tuple.copySource(scratch, 0);
  sink.ipv6(scratch, 0);
  sink.put(WORD.destination);
  tuple.copyDestination(scratch, 0);
  sink.ipv6(scratch, 0);
}

function writeTuple(sink: ByteSink, view: FlowView, tuple: TupleView): void {
  writeAddresses(sink, view, tuple);
  for (const { word, of, isHexadecimal } of tupleFields(tuple.protocol)) {
    sink.put(word);
    const value = tuple[of] ?? 0;
    if (isHexadecimal) sink.hexadecimal(value);
    else sink.number(value);
  }
  sink.character(SPACE);
}

function writeCounters(sink: ByteSink, view: FlowView, counters: number): void {
  if (!view.has(counters)) return;
  const packets = packetsAt(view, counters);
  const bytes = bytesAt(view, counters);
  if (packets === 0 || bytes === 0) return;
  sink.put(WORD.packets);
  sink.u64(view.buffer, packets);
  sink.put(WORD.bytes);
  sink.u64(view.buffer, bytes);
  sink.character(SPACE);
}

function writeRest(sink: ByteSink, view: FlowView, options: TextOptions): void {
  if (view.has(CTA.SECCTX)) writeText(sink, WORD.securityContext, securityContextOf(view) ?? '');
  if (view.has(CTA.ZONE)) writeNumber(sink, WORD.zone, view.zone);
  if (view.has(CTA.TIMESTAMP)) writeTimestamps(sink, view, options);
  if (view.has(CTA.HELP)) {
    const helper = helperOf(view);
    if (helper !== undefined) writeText(sink, WORD.helper, helper);
  }
  if (view.has(CTA.USE)) writeNumber(sink, WORD.use, useOf(view));
  if (options.id) writeNumber(sink, WORD.id, view.id);
  if (options.labels) writeLabels(sink, view, options.labels);
}

function writeText(sink: ByteSink, word: Uint8Array, text: string): void {
  sink.put(word);
  sink.text(text);
  sink.character(SPACE);
}

function writeTimestamps(sink: ByteSink, view: FlowView, options: TextOptions): void {
  const start = startAt(view);
  const stop = stopAt(view);
  if (start !== 0) {
    const begun = secondsAt(view.buffer, start);
    const ended = stop === 0 ? Math.floor(Date.now() / 1000) : secondsAt(view.buffer, stop);
    writeNumber(sink, WORD.delta, Math.max(0, ended - begun));
    if (options.kernelTimestamp) writeTime(sink, WORD.start, begun);
  }
  if (stop !== 0 && options.kernelTimestamp) writeTime(sink, WORD.stop, secondsAt(view.buffer, stop));
}

function writeTime(sink: ByteSink, word: Uint8Array, seconds: number): void {
  sink.put(word);
  sink.put(ascii(ctime(seconds)));
  sink.put(WORD.bracket);
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Seconds since 1970 as ctime(3) prints them: local time, 'Sat Nov  7 03:55:55 2026'. */
export function ctime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  const day = String(date.getDate()).padStart(2);
  return `${DAYS[date.getDay()]} ${MONTHS[date.getMonth()]} ${day} ${time} ${date.getFullYear()}`;
}

function writeLabels(sink: ByteSink, view: FlowView, map: LabelMap): void {
  const labels = labelsOf(view);
  if (!labels) return;
  const names = labelBits(labels).map((bit) => map.names.get(bit) ?? '');
  const shown = names.filter((name) => name !== '');
  if (shown.length > 0) writeText(sink, WORD.labels, shown.join(','));
}
