import { IPPROTO } from '../../ctnetlink/constants.ts';
import type { DirectionFilter, FlowFilter } from '../../ctnetlink/filter.ts';
import { type KernelFeatures, planFilter } from '../../ctnetlink/filterPlan.ts';
import type { FlowAttributes } from '../../ctnetlink/flow.ts';
import type { FlowView } from '../../ctnetlink/flowView.ts';
import { isIcmp } from '../../ctnetlink/protocol.ts';
import type { TupleView } from '../../ctnetlink/tupleView.ts';
import { formatAddress } from '../../nfnetlink/address.ts';
import { AF } from '../../nfnetlink/constants.ts';
import type { CommandLine } from './commandLine.ts';
import type { TupleDraft } from './draft.ts';
import { wrongParameter } from './exit.ts';
import {
  isDestinationNat,
  isDestinationPortNat,
  isSourceNat,
  isSourcePortNat,
  labelsOf,
  stateOf,
} from './flowFacts.ts';

/** Whether a flow is meant. */
export type Test = (view: FlowView) => boolean;

/** Which flows a command line means, and which part of that the kernel compares. */
export interface Selection {
  readonly family: number;
  /** What the dump carries for the kernel. */
  readonly attributes: FlowAttributes;
  readonly inKernel: readonly string[];
  /** Names of what this process compares: it compares everything, the kernel's part too. */
  readonly tests: readonly string[];
  readonly matches: Test;
}

export interface SelectionOptions {
  /** -u, -m, -t and --state change flows with -U, and do not choose them. */
  readonly isUpdate?: boolean;
}

/** @throws ConntrackExit where a mask has no address */
export function selectFlows(
  line: CommandLine,
  features: KernelFeatures,
  { isUpdate = false }: SelectionOptions = {},
): Selection {
  if (line.table === 'conntrack') checkMasks(line);
  const tests: [string, Test][] = [
    ...familyTests(line),
    ...directionTests(line, 'original'),
    ...directionTests(line, 'reply'),
    ...icmpTests(line),
    ...natTests(line),
    ...labelTests(line),
    ...identityTests(line, isUpdate),
    ...(isUpdate ? [] : stateTests(line)),
  ];
  const plan = planFilter(kernelFilter(line, isUpdate), features);
  const functions = tests.map(([, test]) => test);
  // UNSET chooses nothing, and the kernel says so: invalid parameters
  const isVoid = !isUpdate && line.status?.set === 0 && line.status.clear === 0;
  return {
    family: plan.family,
    attributes: isVoid ? { ...plan.attributes, status: 0, statusMask: 0 } : plan.attributes,
    inKernel: plan.inKernel,
    tests: tests.map(([name]) => name),
    matches: all(functions),
  };
}

function all(tests: readonly Test[]): Test {
  const [first, second] = tests;
  if (first === undefined) return () => true;
  if (second === undefined) return first;
  if (tests.length === 2) return (view) => first(view) && second(view);
  return (view) => {
    for (const test of tests) if (!test(view)) return false;
    return true;
  };
}

function checkMasks({ options }: CommandLine): void {
  if (options.has('{') && !options.has('s')) throw wrongParameter("Can't use --mask-src without --src");
  if (options.has('}') && !options.has('d')) throw wrongParameter("Can't use --mask-dst without --dst");
}

/** What the kernel may be asked to compare: never more than what every kernel compares rightly. */
function kernelFilter(line: CommandLine, isUpdate: boolean): FlowFilter {
  const { draft, mark, status, mask } = line;
  const statusMask = status ? status.set | status.clear : 0;
  const isPossible = (value: number, bits: number) => (value & ~bits) === 0;
  return {
    family: line.family === AF.UNSPEC ? undefined : line.family,
    protocol: line.protocol?.number,
    original: directionFilter(draft.original, mask),
    reply: directionFilter(draft.reply, {}),
    ...(!isUpdate && mark && isPossible(mark.value, mark.mask) && { mark: mark.value, markMask: mark.mask }),
    ...(!isUpdate &&
      status &&
      statusMask !== 0 &&
      (status.set & status.clear) === 0 && { status: status.set, statusMask }),
    // the kernel counts a zone of one direction in, which zone 0 must not leave out
    ...(draft.zone !== undefined && draft.zone !== 0 && { zone: draft.zone }),
  };
}

function directionFilter(tuple: TupleDraft, mask: TupleDraft): DirectionFilter {
  const { source, destination, sourcePort, destinationPort } = tuple;
  return {
    source: source && !mask.source ? formatAddress(source) : undefined,
    destination: destination && !mask.destination ? formatAddress(destination) : undefined,
    sourcePort,
    destinationPort,
  };
}

function familyTests({ family, protocol }: CommandLine): [string, Test][] {
  const number = protocol?.number;
  return [
    ...(family === AF.UNSPEC ? [] : [named('family', (view) => view.family === family)]),
    ...(number === undefined ? [] : [named('protocol', (view) => view.original.protocol === number)]),
  ];
}

function named(name: string, test: Test): [string, Test] {
  return [name, test];
}

function directionTests({ draft, mask }: CommandLine, name: 'original' | 'reply'): [string, Test][] {
  const { source, destination, sourcePort, destinationPort, zone } = draft[name];
  const masks: TupleDraft = name === 'original' ? mask : {};
  const tests: [string, Test][] = [];
  const add = (field: string, test: (tuple: TupleView) => boolean) =>
    tests.push([`${name}.${field}`, (view) => test(view[name])]);
  if (source) add('source', addressTest(source, masks.source, 'copySource', 'isSourceIn'));
  if (destination) {
    add('destination', addressTest(destination, masks.destination, 'copyDestination', 'isDestinationIn'));
  }
  if (sourcePort !== undefined) {
    add('sourcePort', (tuple) => tuple.hasPorts && tuple.sourcePort === sourcePort);
  }
  if (destinationPort !== undefined) {
    add('destinationPort', (tuple) => tuple.hasPorts && tuple.destinationPort === destinationPort);
  }
  if (zone !== undefined) add('zone', (tuple) => (tuple.zone ?? 0) === zone);
  return tests;
}

const scratch = new Uint8Array(16);

/** A netmask given as an address may have holes. */
function addressTest(
  address: Uint8Array,
  mask: Uint8Array | undefined,
  copy: 'copySource' | 'copyDestination',
  isIn: 'isSourceIn' | 'isDestinationIn',
): (tuple: TupleView) => boolean {
  const bits = address.length * 8;
  if (!mask) return (tuple) => tuple[isIn](address, bits);
  const network = address.map((byte, i) => byte & (mask[i] ?? 0));
  return (tuple) => {
    if (tuple[copy](scratch, 0) !== network.length) return false;
    for (let i = 0; i < network.length; i++) if ((scratch[i]! & mask[i]!) !== network[i]) return false;
    return true;
  };
}

function icmpTests({ draft, protocol }: CommandLine): [string, Test][] {
  if (!protocol || !isIcmp(protocol.number)) return [];
  return (['icmpType', 'icmpCode', 'icmpId'] as const).flatMap((field) => {
    const wanted = draft[field];
    return wanted === undefined ? [] : [named(field, (view) => view.original[field] === wanted)];
  });
}

function natTests({ options, draft, anyNat }: CommandLine): [string, Test][] {
  const source = natTest(draft.sourceNat, 'source');
  const destination = natTest(draft.destinationNat, 'destination');
  if (options.has('j')) {
    const anySource = natTest(anyNat, 'source');
    const anyDestination = natTest(anyNat, 'destination');
    return [named('any-nat', (view) => anySource(view) || anyDestination(view))];
  }
  return [
    ...(options.has('n') ? [named('src-nat', source)] : []),
    ...(options.has('g') ? [named('dst-nat', destination)] : []),
  ];
}

function natTest(
  { address, port }: { address?: Uint8Array; port?: number },
  side: 'source' | 'destination',
): Test {
  const isNat = side === 'source' ? isSourceNat : isDestinationNat;
  const isPortNat = side === 'source' ? isSourcePortNat : isDestinationPortNat;
  if (address === undefined && port === undefined) return (view) => isNat(view) || isPortNat(view);
  const leadsTo = (tuple: TupleView) =>
    address === undefined ||
    (side === 'source'
      ? tuple.isDestinationIn(address, address.length * 8)
      : tuple.isSourceIn(address, address.length * 8));
  const portOf = (tuple: TupleView) => (side === 'source' ? tuple.destinationPort : tuple.sourcePort);
  return (view) =>
    (address === undefined || (isNat(view) && leadsTo(view.reply))) &&
    (port === undefined || (isPortNat(view) && portOf(view.reply) === port));
}

function labelTests({ labels }: CommandLine): [string, Test][] {
  if (!labels) return [];
  const test: Test = (view) => {
    const has = labelsOf(view);
    return has !== undefined && labels.every((byte, i) => ((has[i] ?? 0) & byte) === byte);
  };
  return [named('label', test)];
}

function identityTests({ draft }: CommandLine, isUpdate: boolean): [string, Test][] {
  const { id, zone, timeout } = draft;
  return [
    ...(id === undefined ? [] : [named('id', (view) => view.id === id)]),
    ...(zone === undefined ? [] : [named('zone', (view) => view.zone === zone)]),
    ...(timeout === undefined || isUpdate ? [] : [named('timeout', (view) => view.timeout === timeout)]),
  ];
}

function stateTests({ draft, mark, status }: CommandLine): [string, Test][] {
  const tests: [string, Test][] = [];
  if (mark) {
    tests.push(named('mark', (view) => view.hasMark && (view.mark & mark.mask) >>> 0 === mark.value));
  }
  if (status) {
    const { set, clear } = status;
    tests.push(named('status', (view) => (view.status & set) === set && (view.status & clear) === 0));
  }
  const { tcpState, sctpState, dccpState } = draft;
  if (tcpState !== undefined) tests.push(named('state', (view) => view.tcpState === tcpState));
  for (const [protocol, wanted] of [
    [IPPROTO.SCTP, sctpState],
    [IPPROTO.DCCP, dccpState],
  ] as const) {
    if (wanted === undefined) continue;
    tests.push(
      named('state', (view) => {
        const found = stateOf(view);
        return found?.protocol === protocol && found.state === wanted;
      }),
    );
  }
  return tests;
}
