import { formatAddress } from '../nfnetlink/address.ts';
import { AF } from '../nfnetlink/constants.ts';
import { CTA_FILTER_FLAG, IPPROTO } from './constants.ts';
import { type CheckedFilter, checkFilter, type FlowFilter, matchesFilter, type Network } from './filter.ts';
import type { FlowAttributes } from './flow.ts';
import type { FlowView } from './flowView.ts';
import type { Tuple } from './tuple.ts';

/** Which comparisons a kernel makes in a dump. What it does not know it ignores, and lists more. */
export interface KernelFeatures {
  /** CTA_FILTER, for single IPv4 addresses, the protocol and ports: since Linux 5.8. */
  readonly tupleFilter: boolean;
  /** CTA_ZONE: since Linux 6.12. */
  readonly zoneFilter: boolean;
}

/** What a kernel can do, by its release ('6.1.0-28-amd64'); of an unreadable release, nothing. */
export function kernelFeatures(release: string): KernelFeatures {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  const version = Number(major ?? 0) * 1000 + Number(minor ?? 0);
  return { tupleFilter: version >= 5008, zoneFilter: version >= 6012 };
}

/** Which part of a filter runs where. */
export interface FilterPlan {
  /** nfgen_family of the dump. */
  readonly family: number;
  /** What the dump request carries. */
  readonly attributes: FlowAttributes;
  /** Names of the filter's fields that the kernel compares: 'mark', 'original.source'. */
  readonly inKernel: readonly string[];
  /** Names of those that only user space compares. */
  readonly inUserSpace: readonly string[];
  /** Whether a flow fits the whole filter. User space always asks, so that no kernel can be wrong. */
  matches(view: FlowView): boolean;
}

/**
 * Divides a filter between kernel and user space. Nothing is handed to the kernel that some kernel would
 * answer with too few flows:
 *
 * - Networks, and every IPv6 address, are compared in user space: the kernel's CTA_FILTER on IPv6 addresses
 *   is inverted. Source: ctnetlink_filter_match_tuple().
 * - Its comparison of ports holds for TCP and UDP alone.
 * - A mask alone is ignored by the kernel; checkFilter() does not let one through.
 * @throws EncodeError where the filter is wrong.
 */
export function planFilter(filter: FlowFilter, features: KernelFeatures): FilterPlan {
  const checked = checkFilter(filter);
  const tuples = features.tupleFilter ? planTuples(checked) : undefined;
  const withZone = checked.zone !== undefined && features.zoneFilter;
  const withMark = checked.mark !== undefined;
  const withStatus = checked.status !== undefined;
  const inKernel = [
    ...(checked.family === undefined ? [] : ['family']),
    ...(withMark ? ['mark'] : []),
    ...(withStatus ? ['status'] : []),
    ...(withZone ? ['zone'] : []),
    ...(tuples?.fields ?? []),
  ];
  return {
    family: checked.family ?? AF.UNSPEC,
    attributes: {
      ...tuples?.attributes,
      ...(withMark && { mark: checked.mark, markMask: checked.markMask }),
      ...(withStatus && { status: checked.status, statusMask: checked.statusMask }),
      ...(withZone && { zone: checked.zone }),
    },
    inKernel,
    inUserSpace: fieldsOf(checked).filter((field) => !inKernel.includes(field)),
    matches: (view) => matchesFilter(checked, view),
  };
}

interface TuplePlan {
  readonly attributes: FlowAttributes;
  readonly fields: readonly string[];
}

/** CTA_FILTER for what it compares rightly; undefined where that is nothing, or the family is not told. */
function planTuples(filter: CheckedFilter): TuplePlan | undefined {
  if (filter.family === undefined) return undefined;
  const original = planDirection(filter, 'original');
  const reply = planDirection(filter, 'reply');
  const fields = [...original.fields, ...reply.fields];
  if (fields.length === 0) return undefined;
  return {
    fields: filter.protocol === undefined ? fields : ['protocol', ...fields.filter((f) => f !== 'protocol')],
    attributes: {
      filter: {
        originalFlags: original.flags === 0 ? undefined : original.flags,
        replyFlags: reply.flags === 0 ? undefined : reply.flags,
      },
      originalTuple: original.flags === 0 ? undefined : original.tuple,
      replyTuple: reply.flags === 0 ? undefined : reply.tuple,
    },
  };
}

function planDirection(filter: CheckedFilter, name: 'original' | 'reply') {
  const { source, destination, sourcePort, destinationPort } = filter[name];
  const { protocol } = filter;
  const tuple: { -readonly [K in keyof Tuple]: Tuple[K] } = {};
  const fields: string[] = [];
  let flags = 0;
  if (isSingleIpv4(source)) {
    flags |= CTA_FILTER_FLAG.IP_SRC;
    tuple.source = formatAddress(source.address);
    fields.push(`${name}.source`);
  }
  if (isSingleIpv4(destination)) {
    flags |= CTA_FILTER_FLAG.IP_DST;
    tuple.destination = formatAddress(destination.address);
    fields.push(`${name}.destination`);
  }
  const comparesPorts = protocol === IPPROTO.TCP || protocol === IPPROTO.UDP;
  const withSourcePort = comparesPorts && sourcePort !== undefined;
  const withDestinationPort = comparesPorts && destinationPort !== undefined;
  // the protocol is the same in both directions: comparing it in one is enough
  if (protocol !== undefined && (name === 'original' || withSourcePort || withDestinationPort)) {
    flags |= CTA_FILTER_FLAG.PROTO_NUM;
    tuple.protocol = protocol;
    fields.push('protocol');
  }
  if (withSourcePort) {
    flags |= CTA_FILTER_FLAG.PROTO_SRC_PORT;
    tuple.sourcePort = sourcePort;
    fields.push(`${name}.sourcePort`);
  }
  if (withDestinationPort) {
    flags |= CTA_FILTER_FLAG.PROTO_DST_PORT;
    tuple.destinationPort = destinationPort;
    fields.push(`${name}.destinationPort`);
  }
  return { flags, tuple: tuple as Tuple, fields };
}

function isSingleIpv4(network: Network | undefined): network is Network {
  return network !== undefined && network.address.length === 4 && network.prefix === 32;
}

function fieldsOf(filter: CheckedFilter): string[] {
  const flat = (['family', 'protocol', 'mark', 'status', 'zone'] as const).filter(
    (field) => filter[field] !== undefined,
  );
  const nested = (['original', 'reply'] as const).flatMap((name) =>
    Object.entries(filter[name])
      .filter(([, value]) => value !== undefined)
      .map(([field]) => `${name}.${field}`),
  );
  return [...flat, ...nested];
}
