import { IPPROTO } from './constants.ts';
import type { CompleteTuple } from './tuple.ts';

// net/netfilter/nf_conntrack_proto_icmp.c and _icmpv6.c, invmap[]: query and answer
const icmpPairs: ReadonlyMap<number, number> = bothWays([
  [8, 0],
  [13, 14],
  [15, 16],
  [17, 18],
]);
const icmpv6Pairs: ReadonlyMap<number, number> = bothWays([
  [128, 129],
  [139, 140],
]);

function bothWays(pairs: readonly (readonly [number, number])[]): ReadonlyMap<number, number> {
  return new Map(pairs.flatMap(([query, answer]) => [[query, answer] as const, [answer, query] as const]));
}

/**
 * The tuple that answers have where nothing is translated. An ICMP type without an answer stays as it is:
 * the kernel tracks no such flow.
 */
export function invertTuple(tuple: CompleteTuple): CompleteTuple {
  const { source, destination, protocol, sourcePort, destinationPort, icmpType } = tuple;
  const answers = protocol === IPPROTO.ICMPV6 ? icmpv6Pairs : icmpPairs;
  return {
    ...tuple,
    source: destination,
    destination: source,
    sourcePort: destinationPort,
    destinationPort: sourcePort,
    icmpType: icmpType === undefined ? undefined : (answers.get(icmpType) ?? icmpType),
    zone: undefined,
  };
}
