import { protocolName } from '../ctnetlink/protocol.ts';
import { FLOW_CLASSES, isIcmpClass, isIpv6Class, isOtherClass } from './flowClass.ts';
import type { FlowSelection, FlowTable } from './flowTable.ts';
import { prefixText } from './prefixText.ts';

/** Flows that have something in common. */
class Row {
  readonly name: string;
  distinct = 0;
  confirmed = 0;
  flows = 0;
  readonly sources = new Set<string>();
  readonly destinations = new Set<string>();

  constructor(name: string) {
    this.name = name;
  }

  add({ table }: FlowSelection, flow: number): void {
    this.distinct += 1;
    this.confirmed += Number(table.isConfirmed(flow));
    this.flows += table.flows(flow);
    this.sources.add(table.sourceText(flow));
    this.destinations.add(table.destinationText(flow));
  }
}

const HEADER = ['distinct', 'confirmed', 'flows', 'sources', 'destinations'];

/** The flows counted by what they go to: the port, and the network; the most flows first. */
export function* summaryLines(selection: FlowSelection): Iterable<string> {
  const { table } = selection;
  yield* tableLines(
    'destination port',
    rowsBy(selection, (flow) => serviceText(table, flow)),
  );
  yield '\n';
  yield* tableLines(
    'destination network',
    rowsBy(selection, (flow) => networkText(table, flow, 'to')),
  );
  yield '\n';
  yield* tableLines(
    'source network',
    rowsBy(selection, (flow) => networkText(table, flow, 'from')),
  );
}

function rowsBy(selection: FlowSelection, nameOf: (flow: number) => string): Row[] {
  const rows = new Map<string, Row>();
  for (const flow of selection.flows) {
    const name = nameOf(flow);
    const row = rows.get(name) ?? new Row(name);
    rows.set(name, row);
    row.add(selection, flow);
  }
  return [...rows.values()].sort((one, other) => other.flows - one.flows);
}

/** 'TCPv4 443', 'ICMPv6 128/0', 'IPv4 gre', 'IPv4 sctp 3868'. */
function serviceText(table: FlowTable, flow: number): string {
  const flowClass = table.flowClass(flow);
  const port = table.destinationPort(flow);
  return [
    FLOW_CLASSES[flowClass]!.label,
    ...(isOtherClass(flowClass) ? [protocolName(table.protocol(flow))] : []),
    ...(isIcmpClass(flowClass) ? [`${table.sourcePort(flow)}/${port}`] : []),
    ...(table.hasPorts(flow) ? [port] : []),
  ].join(' ');
}

/** The /24 of an IPv4 address, the /64 of an IPv6 address. */
function networkText(table: FlowTable, flow: number, side: 'from' | 'to'): string {
  const word = (index: number) =>
    side === 'from' ? table.sourceWord(flow, index) : table.destinationWord(flow, index);
  return isIpv6Class(table.flowClass(flow))
    ? prefixText({ words: [word(0), word(1), 0, 0], length: 64 })
    : prefixText({ words: [(word(0) & -256) >>> 0], length: 24 });
}

function* tableLines(title: string, rows: readonly Row[]): Iterable<string> {
  const lines = [
    [title, ...HEADER],
    ...rows.map(({ name, distinct, confirmed, flows, sources, destinations }) => [
      name,
      ...[distinct, confirmed, flows, sources.size, destinations.size].map(String),
    ]),
  ];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  for (const [name, ...counts] of lines) {
    const cells = counts.map((text, i) => text.padStart(widths[i + 1]!));
    yield `${[name!.padEnd(widths[0]!), ...cells].join('  ')}\n`;
  }
}
