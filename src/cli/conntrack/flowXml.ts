import { CTA, IPS } from '../../ctnetlink/constants.ts';
import type { EventKind, FlowView } from '../../ctnetlink/flowView.ts';
import { isIcmp } from '../../ctnetlink/protocol.ts';
import type { Tuple } from '../../ctnetlink/tuple.ts';
import { AF } from '../../nfnetlink/constants.ts';
import { labelsOf, protocolNames, startAt, stateOf, stopAt } from './flowFacts.ts';
import { type LabelMap, labelBits } from './labelMap.ts';
import { PROTOCOLS } from './protocols.ts';
import { fieldText, tupleFields } from './tupleFields.ts';

export interface XmlOptions {
  /** -o ktimestamp: start and stop in nanoseconds. */
  readonly kernelTimestamp?: boolean;
  /** -o timestamp: the time of printing. */
  readonly timestamp?: boolean;
  readonly labels?: LabelMap | undefined;
}

export const XML_HEADER = '<?xml version="1.0" encoding="utf-8"?>\n';

/** A flow in one line of XML, as conntrack(8) prints it. */
export function flowXml(view: FlowView, options: XmlOptions, event: EventKind | undefined): string {
  const flow = view.toFlow();
  const type = event === undefined ? '' : ` type="${event}"`;
  const original = counters(flow.originalCounters);
  // as in libnetfilter_conntrack: both directions have counters where the original one has
  const reply = original === '' ? '' : counters(flow.replyCounters ?? { packets: 0n, bytes: 0n });
  return (
    `<flow${type}>` +
    `<meta direction="original">${tupleXml(flow.originalTuple, flow.family)}${original}</meta>` +
    `<meta direction="reply">${tupleXml(flow.replyTuple, flow.family)}${reply}</meta>` +
    `<meta direction="independent">${independent(view, options)}</meta>` +
    `${options.timestamp ? whenXml(new Date()) : ''}` +
    `${flow.helper?.name === undefined ? '' : element('helper', flow.helper.name)}</flow>`
  );
}

/** Text between its tags. */
export function element(name: string, value: string | number | bigint): string {
  return `<${name}>${escapeXml(String(value))}</${name}>`;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function counters(values: { packets?: bigint | undefined; bytes?: bigint | undefined } | undefined): string {
  if (values?.packets === undefined || values.bytes === undefined) return '';
  return `<counters>${element('packets', values.packets)}${element('bytes', values.bytes)}</counters>`;
}

/** Opening tags with number and name, as layers of tuples have them. */
export function layer3(family: number): string {
  const name = family === AF.INET ? 'ipv4' : family === AF.INET6 ? 'ipv6' : 'unknown';
  return `<layer3 protonum="${family}" protoname="${name}">`;
}
export function layer4(protocol: number): string {
  return `<layer4 protonum="${protocol}" protoname="${protocolNames[protocol] ?? 'unknown'}">`;
}

export function addressesXml(tuple: Tuple): string {
  return `<src>${tuple.source ?? ''}</src><dst>${tuple.destination ?? ''}</dst>`;
}

/** Ports or keys; nothing for the protocols without. */
export function portsXml(tuple: Tuple): string {
  const { protocol = 0 } = tuple;
  // as in libnetfilter_conntrack: what ICMP has is not told
  if (isIcmp(protocol)) return '';
  return tupleFields(protocol)
    .map((field) => element(field.name, fieldText(field, tuple)))
    .join('');
}

function tupleXml(tuple: Tuple, family: number): string {
  const zone = tuple.zone === undefined ? '' : element('zone', tuple.zone);
  return (
    `${layer3(family)}${addressesXml(tuple)}</layer3>` +
    `${layer4(tuple.protocol ?? 0)}${portsXml(tuple)}</layer4>${zone}`
  );
}

// libnetfilter_conntrack names the states of every protocol by TCP's table here
const tcpStates = PROTOCOLS.find(({ name }) => name === 'tcp')!.states!;

function independent(view: FlowView, options: XmlOptions): string {
  const flow = view.toFlow();
  const parts: string[] = [];
  const state = stateOf(view)?.state;
  if (state !== undefined) parts.push(element('state', tcpStates[state] ?? tcpStates[0]!));
  if (flow.timeout !== undefined) parts.push(element('timeout', flow.timeout));
  if (flow.mark !== undefined) parts.push(element('mark', flow.mark));
  if (options.labels) parts.push(labelsXml(view, options.labels));
  if (flow.securityContext?.name !== undefined) parts.push(element('secctx', flow.securityContext.name));
  if (flow.zone !== undefined) parts.push(element('zone', flow.zone));
  if (flow.use !== undefined) parts.push(element('use', flow.use));
  parts.push(element('id', flow.id));
  if (flow.status !== undefined && (flow.status & IPS.ASSURED) !== 0) parts.push('<assured/>');
  if (flow.status !== undefined && (flow.status & IPS.SEEN_REPLY) === 0) parts.push('<unreplied/>');
  if (view.has(CTA.TIMESTAMP)) parts.push(timestampsXml(view, options));
  return parts.join('');
}

const SECOND = 1_000_000_000n;

function timestampsXml(view: FlowView, options: XmlOptions): string {
  const { start, stop } = view.toFlow().timestamps ?? {};
  if (startAt(view) === 0 && stopAt(view) === 0) return '';
  const parts: string[] = [];
  if (options.kernelTimestamp) {
    const inner = `${start === undefined ? '' : element('start', start)}${stop === undefined ? '' : element('stop', stop)}`;
    parts.push(`<timestamp>${inner}</timestamp>`);
  }
  if (start !== undefined) {
    const seconds =
      stop === undefined ? BigInt(Math.floor(Date.now() / 1000)) - start / SECOND : (stop - start) / SECOND;
    parts.push(element('deltatime', seconds));
  }
  return parts.join('');
}

function labelsXml(view: FlowView, map: LabelMap): string {
  const labels = labelsOf(view);
  if (!labels) return '';
  const names = labelBits(labels).flatMap((bit) => map.names.get(bit) ?? []);
  return names.length === 0 ? '' : `<labels>${names.map((name) => element('label', name)).join('')}</labels>`;
}

/** A time of day, as libnetfilter_conntrack prints it. */
export function whenXml(date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  return (
    `<when><hour>${date.getHours()}</hour><min>${two(date.getMinutes())}</min>` +
    `<sec>${two(date.getSeconds())}</sec><wday>${date.getDay() + 1}</wday><day>${date.getDate()}</day>` +
    `<month>${date.getMonth() + 1}</month><year>${date.getFullYear()}</year></when>`
  );
}
