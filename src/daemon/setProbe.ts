import { hasPorts, isIcmp } from '../ctnetlink/protocol.ts';
import { type Dimension, type SetShape, testTemplate } from '../ipset/index.ts';
import { AF } from '../nfnetlink/constants.ts';
import { addressLength, type FlowStore } from './flowStore.ts';
import type { MatchField, PlanRule } from './plan.ts';
import type { Probe } from './questionBatch.ts';

/** A probe, and what flows of its family it has no answer for. */
export interface SetProbe extends Probe {
  /** AF.INET or AF.INET6; 0 for sets without addresses, which hold flows of both. */
  readonly family: number;
  /** Whether the protocol has what the set holds: a set of ports never holds a flow without ports. */
  fits(protocol: number): boolean;
}

type WriteKey = (key: Uint8Array, at: number, store: FlowStore, slot: number) => number;

/**
 * How a rule asks its set, or a sentence that says why it can never hold a flow.
 * @param protocol the ipset protocol version that the kernel speaks
 */
export function setProbe(rule: PlanRule, shape: SetShape, protocol: number): SetProbe | string {
  const problem = misfit(rule, shape);
  if (problem) return problem;
  const { dimensions } = shape.type;
  const asksPort = dimensions.includes('port');
  const writers = dimensions.map((dimension, i) =>
    keyWriter(dimension, rule.match[i]!, dimensions.length === 1),
  );
  const template = testTemplate(shape, protocol);
  const key = new Uint8Array(template.keyLength);
  return {
    byteLength: template.messageLength,
    family: shape.family,
    fits: (number) => !asksPort || hasPorts(number) || isIcmp(number),
    write(target, offset, store, slot) {
      let at = 0;
      for (const write of writers) at = write(key, at, store, slot);
      template.prepare(target, offset);
      template.fill(target, offset, key, 0);
      return offset + template.messageLength;
    },
  };
}

function misfit(rule: PlanRule, { name, type, family }: SetShape): string | undefined {
  const { dimensions } = type;
  const unknown = dimensions.filter((each) => each !== 'ip' && each !== 'net' && each !== 'port');
  if (unknown.length > 0) {
    return `set ${name} is of type ${type.name}: a flow has nothing to compare with its ${unknown.join(' and ')}`;
  }
  if (dimensions.length !== rule.match.length) {
    return `set ${name} (${type.name}) has ${dimensions.length} dimensions, the rule matches ${rule.match.join(',')}`;
  }
  const wrong = dimensions.findIndex((each, i) => (each === 'port') !== isPortField(rule.match[i]!));
  if (wrong !== -1) {
    return `dimension ${wrong + 1} of set ${name} (${type.name}) is ${dimensions[wrong]}, the rule matches ${rule.match[wrong]} there`;
  }
  if (rule.family !== undefined && family !== 0 && (rule.family === 'ipv6') !== (family === AF.INET6)) {
    return `set ${name} holds ${family === AF.INET6 ? 'IPv6' : 'IPv4'} addresses, the rule is for ${rule.family}`;
  }
  return undefined;
}

function isPortField(field: MatchField): boolean {
  return field === 'sport' || field === 'dport';
}

function keyWriter(dimension: Dimension, field: MatchField, alone: boolean): WriteKey {
  if (dimension !== 'port') return field === 'src' ? writeSource : writeDestination;
  const port = field === 'sport' ? writeSourcePort : writeDestinationPort;
  // bitmap:port holds ports alone; a port beside an address has its protocol in front
  if (alone) return port;
  return (key, at, store, slot) => {
    key[at] = store.protocol(slot);
    return port(key, at + 1, store, slot);
  };
}

function copyAddress(key: Uint8Array, at: number, store: FlowStore, slot: number, from: number): number {
  const bytes = store.bytesOf(slot);
  const length = addressLength(store.family(slot));
  for (let i = 0; i < length; i++) key[at + i] = bytes[from + i]!;
  return at + length;
}

const writeSource: WriteKey = (key, at, store, slot) =>
  copyAddress(key, at, store, slot, store.sourceAt(slot));
const writeDestination: WriteKey = (key, at, store, slot) =>
  copyAddress(key, at, store, slot, store.destinationAt(slot));

// an ICMP flow's type and code stand for its port in either direction (ip_set_get_icmp_port)
const writeSourcePort: WriteKey = (key, at, store, slot) =>
  writePort(key, at, isIcmp(store.protocol(slot)) ? store.destinationPort(slot) : store.sourcePort(slot));
const writeDestinationPort: WriteKey = (key, at, store, slot) =>
  writePort(key, at, store.destinationPort(slot));

function writePort(key: Uint8Array, at: number, port: number): number {
  key[at] = port >>> 8;
  key[at + 1] = port;
  return at + 2;
}
