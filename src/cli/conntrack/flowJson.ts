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
  securityContextOf,
  startAt,
  stateOf,
  stopAt,
  useOf,
} from './flowFacts.ts';
import { type LabelMap, labelBits } from './labelMap.ts';
import { PROTOCOLS } from './protocols.ts';

/** What an event adds to its flow. */
export interface JsonEvent {
  readonly kind: EventKind;
  /** Whose request caused it; 0 where packets or time did. */
  readonly portId?: number;
  readonly program?: string | undefined;
}

const scratch = new Uint8Array(16);
const QUOTE = 34;
const BRACE = 125;

const WORD = {
  event: ascii('{"event":"'),
  afterEvent: ascii('",'),
  open: ascii('{'),
  family4: ascii('"family":"ipv4","protocol":"'),
  family6: ascii('"family":"ipv6","protocol":"'),
  source: ascii('"source":"'),
  destination: ascii('","destination":"'),
  sourcePort: ascii(',"sourcePort":'),
  destinationPort: ascii(',"destinationPort":'),
  icmpType: ascii(',"icmpType":'),
  icmpCode: ascii(',"icmpCode":'),
  icmpId: ascii(',"icmpId":'),
  zone: ascii(',"zone":'),
  packets: ascii(',"packets":'),
  bytes: ascii(',"bytes":'),
  afterProtocol: ascii('",'),
  mark: ascii(',"mark":'),
  id: ascii(',"id":'),
  timeout: ascii(',"timeout":'),
  status: ascii(',"status":['),
  original: ascii(',"original":{'),
  reply: ascii(',"reply":{'),
  use: ascii(',"use":'),
  portId: ascii(',"portId":'),
};

const protocolWords = Array.from({ length: 256 }, (_, number) =>
  ascii(protocolNames[number] ?? String(number)),
);
const stateWords = Object.fromEntries(
  PROTOCOLS.filter(({ states }) => states).map(({ number, states }) => [
    number,
    states!.map((name) => ascii(`,"state":"${name}"`)),
  ]),
);

const statusWords = new Map<number, Uint8Array>();

/** The names of the bits that are set, each in quotes; made once for each combination. */
function statusNames(status: number): Uint8Array {
  let words = statusWords.get(status);
  if (words === undefined) {
    const names = Object.entries(IPS).filter(([, bit]) => (status & bit) === bit);
    words = ascii(`${names.map(([name]) => `"${name}"`).join(',')}]`);
    statusWords.set(status, words);
  }
  return words;
}

/**
 * Writes a flow as one JSON object, without the end of the line: docs/flow.schema.json describes it. What the
 * kernel did not tell is left out.
 */
export function writeFlowJson(
  sink: ByteSink,
  view: FlowView,
  labels: LabelMap | undefined,
  event: JsonEvent | undefined,
): void {
  sink.beginLine();
  if (event === undefined) sink.put(WORD.open);
  else {
    sink.put(WORD.event);
    sink.put(ascii(event.kind));
    sink.put(WORD.afterEvent);
  }
  const { original, reply } = view;
  sink.put(view.family === AF.INET ? WORD.family4 : WORD.family6);
  sink.put(protocolWords[original.protocol]!);
  sink.put(WORD.afterProtocol);
  const start = sink.length;
  writeTuple(sink, view, original);
  const end = sink.length;
  writeNumber(sink, WORD.mark, view.mark);
  writeNumber(sink, WORD.id, view.id);
  if (view.has(CTA.ZONE)) writeNumber(sink, WORD.zone, view.zone);
  if (view.has(CTA.TIMEOUT)) writeNumber(sink, WORD.timeout, view.timeout);
  if (view.has(CTA.PROTOINFO)) writeState(sink, view);
  if (view.has(CTA.STATUS)) {
    sink.put(WORD.status);
    sink.put(statusNames(view.status));
  }
  sink.put(WORD.original);
  // the flow's own ends are those of its first packet
  sink.copy(sink.bytes, start, end);
  writeDirection(sink, view, original, CTA.COUNTERS_ORIG);
  sink.put(WORD.reply);
  writeTuple(sink, view, reply);
  writeDirection(sink, view, reply, CTA.COUNTERS_REPLY);
  writeRest(sink, view, labels);
  if (event?.portId) writeNumber(sink, WORD.portId, event.portId);
  if (event?.program !== undefined) sink.text(`,"program":${JSON.stringify(event.program)}`);
  sink.character(BRACE);
}

function writeNumber(sink: ByteSink, word: Uint8Array, value: number): void {
  sink.put(word);
  sink.number(value);
}

function writeState(sink: ByteSink, view: FlowView): void {
  const tcp = view.original.protocol === IPPROTO.TCP ? view.tcpState : undefined;
  const found = tcp === undefined ? stateOf(view) : { protocol: IPPROTO.TCP, state: tcp };
  const word = found && stateWords[found.protocol]?.[found.state];
  if (word) sink.put(word);
}

function writeTuple(sink: ByteSink, view: FlowView, tuple: TupleView): void {
  sink.put(WORD.source);
  if (view.family === AF.INET) {
    sink.ipv4(tuple.sourceIpv4);
    sink.put(WORD.destination);
    sink.ipv4(tuple.destinationIpv4);
  } else {
    tuple.copySource(scratch, 0);
    sink.ipv6(scratch, 0);
    sink.put(WORD.destination);
    tuple.copyDestination(scratch, 0);
    sink.ipv6(scratch, 0);
  }
  sink.character(QUOTE);
  if (tuple.hasPorts) {
    writeNumber(sink, WORD.sourcePort, tuple.sourcePort);
    writeNumber(sink, WORD.destinationPort, tuple.destinationPort);
    return;
  }
  const { icmpType } = tuple;
  if (icmpType === undefined) return;
  writeNumber(sink, WORD.icmpType, icmpType);
  writeNumber(sink, WORD.icmpCode, tuple.icmpCode ?? 0);
  writeNumber(sink, WORD.icmpId, tuple.icmpId ?? 0);
}

/** What stands behind the tuple of a direction, and its end. */
function writeDirection(sink: ByteSink, view: FlowView, tuple: TupleView, counters: number): void {
  if (tuple.zone !== undefined) writeNumber(sink, WORD.zone, tuple.zone);
  if (view.has(counters)) {
    const packets = packetsAt(view, counters);
    const bytes = bytesAt(view, counters);
    if (packets !== 0 && bytes !== 0) {
      sink.put(WORD.packets);
      sink.u64(view.buffer, packets);
      sink.put(WORD.bytes);
      sink.u64(view.buffer, bytes);
    }
  }
  sink.character(BRACE);
}

function writeRest(sink: ByteSink, view: FlowView, map: LabelMap | undefined): void {
  const labels = labelsOf(view);
  if (labels) {
    // a bit without a name is shown by its number
    const names = labelBits(labels).map((bit) => map?.names.get(bit) ?? bit);
    sink.text(`,"labels":${JSON.stringify(names)}`);
  }
  if (view.has(CTA.TIMESTAMP)) writeTimestamps(sink, view);
  if (view.has(CTA.HELP)) writeText(sink, 'helper', helperOf(view));
  if (view.has(CTA.SECCTX)) writeText(sink, 'securityContext', securityContextOf(view));
  if (view.has(CTA.USE)) writeNumber(sink, WORD.use, useOf(view));
}

function writeText(sink: ByteSink, name: string, value: string | undefined): void {
  if (value !== undefined) sink.text(`,"${name}":${JSON.stringify(value)}`);
}

function writeTimestamps(sink: ByteSink, view: FlowView): void {
  const { buffer } = view;
  const data = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const time = (at: number) =>
    at === 0 ? undefined : new Date(Number(data.getBigUint64(at) / 1_000_000n)).toISOString();
  sink.text(`,"timestamps":${JSON.stringify({ start: time(startAt(view)), stop: time(stopAt(view)) })}`);
}
