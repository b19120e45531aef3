import { isIcmpClass, isIpv6Class } from './flowClass.ts';
import type { FlowSelection, FlowTable } from './flowTable.ts';
import { foldAddresses } from './fold.ts';
import type { AddressList, Prefix } from './prefixTree.ts';

/** What a rule accepts: every one of its sources to every one of its destinations. */
export interface DraftRule {
  readonly isIpv6: boolean;
  readonly protocol: number;
  /** Destination port, of protocols that have ports. */
  readonly port: number | undefined;
  readonly icmp: { readonly type: number; readonly code: number } | undefined;
  /** The destination and its port are those from before they were translated. */
  readonly isTranslated: boolean;
  readonly sources: readonly Prefix[];
  readonly destinations: readonly Prefix[];
  readonly counts: DraftCounts;
}

/** What was seen of a rule's flows, and what it accepts beyond that. */
export interface DraftCounts {
  readonly flows: number;
  readonly sources: number;
  readonly destinations: number;
  /** Pairs of a source and a destination. */
  readonly pairs: number;
  /** Addresses that no flow had. */
  readonly added: number;
}

/**
 * One rule for each protocol and destination port, or ICMP type and code, in the order of the report. Flows that
 * others announced need none: they pass as related.
 */
export function draftRules({ table, flows }: FlowSelection, slack: number): DraftRule[] {
  const services = new Map<string, number[]>();
  for (const flow of flows) {
    if (table.isRelated(flow)) continue;
    const key = serviceOf(table, flow).join(' ');
    const known = services.get(key);
    if (known) known.push(flow);
    else services.set(key, [flow]);
  }
  const ordered = [...services.values()].sort(([a], [b]) => compareServices(table, a!, b!));
  return ordered.map((each) => draftRule(table, each, slack));
}

/** What tells the rules of a class apart, in their order. */
function serviceOf(table: FlowTable, flow: number): number[] {
  const flowClass = table.flowClass(flow);
  const type = isIcmpClass(flowClass) ? table.sourcePort(flow) : 0;
  const isTranslated = Number(table.isTranslated(flow));
  return [flowClass, table.protocol(flow), type, table.destinationPort(flow), isTranslated];
}

function compareServices(table: FlowTable, one: number, other: number): number {
  const [a, b] = [serviceOf(table, one), serviceOf(table, other)];
  const differing = a.findIndex((value, i) => value !== b[i]);
  return differing < 0 ? 0 : a[differing]! - b[differing]!;
}

function draftRule(table: FlowTable, flows: readonly number[], slack: number): DraftRule {
  const first = flows[0]!;
  const flowClass = table.flowClass(first);
  const width = isIpv6Class(flowClass) ? 4 : 1;
  const sources = addressesOf(width, flows, (flow, word) => table.sourceWord(flow, word));
  const destinations = addressesOf(width, flows, (flow, word) => table.destinationWord(flow, word));
  const { lists, added } = foldAddresses([sources, destinations], slack);
  const isIcmp = isIcmpClass(flowClass);
  return {
    isIpv6: width === 4,
    protocol: table.protocol(first),
    port: table.hasPorts(first) ? table.destinationPort(first) : undefined,
    icmp: isIcmp ? { type: table.sourcePort(first), code: table.destinationPort(first) } : undefined,
    isTranslated: table.isTranslated(first),
    sources: lists[0]!,
    destinations: lists[1]!,
    counts: {
      flows: flows.reduce((sum, flow) => sum + table.flows(flow), 0),
      sources: sources.words.length / width,
      destinations: destinations.words.length / width,
      pairs: pairsOf(table, flows),
      added,
    },
  };
}

/** Each address once, in ascending order. */
function addressesOf(
  width: 1 | 4,
  flows: readonly number[],
  wordOf: (flow: number, word: number) => number,
): AddressList {
  const compare = (one: number, other: number): number => {
    for (let word = 0; word < width; word++) {
      const difference = wordOf(one, word) - wordOf(other, word);
      if (difference !== 0) return difference;
    }
    return 0;
  };
  const sorted = [...flows].sort(compare);
  const distinct = sorted.filter((flow, i) => i === 0 || compare(flow, sorted[i - 1]!) !== 0);
  const words = new Uint32Array(distinct.length * width);
  for (let i = 0; i < words.length; i++) words[i] = wordOf(distinct[Math.floor(i / width)]!, i % width);
  return { words, width };
}

/** The flows of a service are in the order of their addresses, and differ in the source port at most. */
function pairsOf(table: FlowTable, flows: readonly number[]): number {
  const isSamePair = (one: number, other: number) => {
    for (let word = 0; word < 4; word++) {
      if (table.sourceWord(one, word) !== table.sourceWord(other, word)) return false;
      if (table.destinationWord(one, word) !== table.destinationWord(other, word)) return false;
    }
    return true;
  };
  return flows.filter((flow, i) => i === 0 || !isSamePair(flow, flows[i - 1]!)).length;
}
