import { protocolName } from '../ctnetlink/protocol.ts';
import { FLOW_CLASSES, isIcmpClass, isIpv6Class, isOtherClass } from './flowClass.ts';
import type { FlowSelection, FlowTable } from './flowTable.ts';

const LABEL_WIDTH = 6;
const INDEX_WIDTH = 12;

/** One line a flow, numbered within its class: ' TCPv4 [           0] src = A (port=1024) to dst = B (port=443)'. */
export function* textLines({ table, flows }: FlowSelection): Iterable<string> {
  let index = 0;
  let previous: number | undefined;
  for (const flow of flows) {
    const flowClass = table.flowClass(flow);
    index = flowClass === previous ? index + 1 : 0;
    previous = flowClass;
    const label = FLOW_CLASSES[flowClass]!.label.padStart(LABEL_WIDTH);
    yield `${label} [${String(index).padStart(INDEX_WIDTH)}] ${flowText(table, flow, flowClass)}\n`;
  }
}

function flowText(table: FlowTable, flow: number, flowClass: number): string {
  const [one, other] = [table.sourcePort(flow), table.destinationPort(flow)];
  const withPorts = table.hasPorts(flow);
  const source = `src = ${table.sourceText(flow)}${withPorts ? ` (port=${one})` : ''}`;
  const destination = `to dst = ${table.destinationText(flow)}${withPorts ? ` (port=${other})` : ''}`;
  const icmp = isIcmpClass(flowClass) ? ` (type=${one} | code=${other})` : '';
  const protocol = isOtherClass(flowClass) ? ` (protocol=${table.protocol(flow)})` : '';
  return `${source} ${destination}${icmp}${protocol}${table.isConfirmed(flow) ? ' (confirmed)' : ''}`;
}

/** A flow as values, named as those of resteer conntrack -o json are; docs/report.schema.json describes it. */
export interface FlowRecord {
  readonly family: 'ipv4' | 'ipv6';
  readonly protocol: string;
  readonly source: string;
  readonly sourcePort?: number;
  readonly destination: string;
  readonly destinationPort?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
  readonly confirmed: boolean;
  readonly translated: boolean;
  readonly related: boolean;
  readonly flows: number;
}

function recordOf(table: FlowTable, flow: number): FlowRecord {
  const flowClass = table.flowClass(flow);
  const [one, other] = [table.sourcePort(flow), table.destinationPort(flow)];
  const withPorts = table.hasPorts(flow);
  return {
    family: isIpv6Class(flowClass) ? 'ipv6' : 'ipv4',
    protocol: protocolName(table.protocol(flow)),
    source: table.sourceText(flow),
    ...(withPorts && { sourcePort: one }),
    destination: table.destinationText(flow),
    ...(withPorts && { destinationPort: other }),
    ...(isIcmpClass(flowClass) && { icmpType: one, icmpCode: other }),
    confirmed: table.isConfirmed(flow),
    translated: table.isTranslated(flow),
    related: table.isRelated(flow),
    flows: table.flows(flow),
  };
}

/** One JSON object a line. */
export function* jsonLines({ table, flows }: FlowSelection): Iterable<string> {
  for (const flow of flows) yield `${JSON.stringify(recordOf(table, flow))}\n`;
}

const COLUMNS: readonly (keyof FlowRecord)[] = [
  'family',
  'protocol',
  'source',
  'sourcePort',
  'destination',
  'destinationPort',
  'icmpType',
  'icmpCode',
  'confirmed',
  'translated',
  'related',
  'flows',
];

/** RFC 4180, with a header; no value needs quotes. */
export function* csvLines({ table, flows }: FlowSelection): Iterable<string> {
  yield `${COLUMNS.join(',')}\r\n`;
  for (const flow of flows) {
    const record = recordOf(table, flow);
    yield `${COLUMNS.map((column) => record[column] ?? '').join(',')}\r\n`;
  }
}
