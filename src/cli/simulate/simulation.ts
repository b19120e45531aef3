import { protocolName } from '../../ctnetlink/protocol.ts';
import { Daemon } from '../../daemon/daemon.ts';
import type { FlowDescription } from '../../daemon/flowDescription.ts';
import type { MatchField, Network, Plan } from '../../daemon/plan.ts';
import type { DaemonStatus } from '../../daemon/status.ts';
import type { DaemonEvent } from '../../daemon/tell.ts';
import { encodeElement, findSetType, parseElement, type SetShape, type SetType } from '../../ipset/index.ts';
import {
  type ConntrackEntry,
  ModelFiles,
  ModelKernel,
  ModelSet,
  ModelSockets,
  Playback,
  VirtualClock,
} from '../../model/index.ts';
import { AF } from '../../nfnetlink/constants.ts';
import { DecodeError } from '../../nfnetlink/errors.ts';
import { RT_SCOPE, RT_TABLE, RTN } from '../../rtnetlink/index.ts';
import { isNetlinkError, usageError } from '../errors.ts';
import { playRecording, type RecordingFacts } from './recording.ts';
import type { Fill, Turn } from './timetable.ts';

export interface SimulationParts {
  readonly facts: RecordingFacts;
  readonly plan: Plan;
  readonly fills: readonly Fill[];
  readonly turns: readonly Turn[];
  /** Networks on the router's links, which a capture does not tell. */
  readonly connected: readonly Network[];
  /** Hears what the daemon says, and when: milliseconds since 1970. */
  readonly tell: (event: DaemonEvent, wallMs: number) => void;
  /** Called between datagrams, and waited for: where what was said may be written. */
  readonly breathe?: () => Promise<void> | undefined;
}

/** The model's kernel can filter what this one can. */
const KERNEL_RELEASE = '6.18.0';
/** Between the deletion of a flow and its client's next packet. */
const NEXT_PACKET_MS = 10;
/** The daemon has asked all that it asks at its start, and has ended, within so long. */
const PATIENCE_MS = 60_000;
/** After the last recheck of the last flow. */
const AFTERMATH_MS = 1000;

/**
 * Runs the daemon on a capture, in the capture's time. Interfaces are online unless the timetable says otherwise;
 * flows that it deletes are made again on the interface that it expects them on.
 * @returns its totals
 */
export async function simulateCapture(parts: SimulationParts): Promise<DaemonStatus> {
  return new Simulation(parts).run();
}

class Simulation {
  readonly #parts: SimulationParts;
  readonly #plan: Plan;
  readonly #clock = new VirtualClock();
  readonly #kernel: ModelKernel;
  readonly #files: ModelFiles;
  readonly #playback: Playback;
  /** Deleted flows by their description: until it is told why, and their clients go on. */
  readonly #deleted = new Map<string, ConntrackEntry>();
  /** Elements that have come by the timetable: a listing that is played does not take them away. */
  readonly #filled: Fill[] = [];

  constructor(parts: SimulationParts) {
    this.#parts = parts;
    // every interface can go offline here
    const interfaces = parts.plan.interfaces.map((each) => ({ ...each, stateFile: stateFileOf(each.name) }));
    this.#plan = { ...parts.plan, interfaces };
    const wallNow = () => this.#wallNow();
    this.#kernel = new ModelKernel({ clock: this.#clock, wallNow });
    this.#files = new ModelFiles((callback) => this.#clock.nextTurn(callback), wallNow);
    for (const { name } of interfaces) this.#files.write(stateFileOf(name), 'online');
    for (const { address, prefix } of parts.connected)
      this.#kernel.network.routes.push(onLink(address, prefix));
    this.#playback = new Playback(this.#kernel, parts.plan.markMask);
    this.#playback.onListed = (name) => {
      for (const fill of this.#filled) if (fill.set === name) this.#put(fill);
    };
    this.#playback.onDeleted = (entry) => void this.#deleted.set(keyOfEntry(entry), entry);
    for (const turn of parts.turns) this.#schedule(turn);
    for (const fill of parts.fills) {
      // what is wrong with it is told before anything is played
      elementOf(fill, parts.facts.sets.get(fill.set) ?? this.#shapeFor(fill));
      this.#clock.after(fill.at, () => this.#fill(fill));
    }
  }

  async run(): Promise<DaemonStatus> {
    const { facts } = this.#parts;
    let daemon: Daemon | undefined;
    for await (const { at, bytes } of playRecording(facts)) {
      if (!daemon && at > facts.listedMs) daemon = await this.#start();
      if (!this.#clock.skipTo(at)) await this.#clock.run(at);
      this.#play(bytes);
      await this.#parts.breathe?.();
    }
    daemon ??= await this.#start();
    await this.#clock.run(facts.endMs + (this.#plan.recheckMs.at(-1) ?? 0) + AFTERMATH_MS);
    const status = daemon.status();
    await this.#clock.settle(daemon.stop(), PATIENCE_MS);
    return status;
  }

  #wallNow(): number {
    return this.#parts.facts.startMs + this.#clock.now();
  }

  async #start(): Promise<Daemon> {
    await this.#clock.run(this.#parts.facts.listedMs);
    const starting = Daemon.start({
      plan: this.#plan,
      sockets: new ModelSockets(this.#kernel),
      clock: this.#clock,
      wallNow: () => this.#wallNow(),
      files: this.#files,
      tell: (event) => this.#told(event),
      kernelRelease: KERNEL_RELEASE,
    });
    return this.#clock.settle(starting, PATIENCE_MS);
  }

  #play(bytes: Uint8Array): void {
    try {
      this.#playback.take(bytes);
    } catch (error) {
      // as the daemon itself would, it passes over what is malformed
      if (!(error instanceof DecodeError)) throw error;
    }
  }

  #told(event: DaemonEvent): void {
    this.#parts.tell(event, this.#wallNow());
    if (event.event !== 'reset') return;
    const key = keyOfFlow(event.flow);
    const entry = this.#deleted.get(key);
    if (!entry) return;
    this.#deleted.delete(key);
    const { markMask, interfaces } = this.#plan;
    const { mark } = interfaces.find(({ name }) => name === event.expected[0])!;
    const marked = ((entry.mark & ~markMask) | mark) >>> 0;
    this.#clock.after(NEXT_PACKET_MS, () => this.#playback.remake(entry, marked));
  }

  #schedule({ name, online, at }: Turn): void {
    if (!this.#plan.interfaces.some((each) => each.name === name)) {
      const names = this.#plan.interfaces.map((each) => each.name).join(', ');
      throw usageError('simulate: --interface', `there is no interface '${name}'`, `there are ${names}`);
    }
    this.#clock.after(at, () => this.#files.write(stateFileOf(name), online ? 'online' : 'offline'));
  }

  #fill(fill: Fill): void {
    this.#filled.push(fill);
    this.#put(fill);
  }

  #put(fill: Fill): void {
    const { set: name, element } = fill;
    const set = this.#kernel.sets.get(name) ?? this.#makeSet(fill);
    const { type, family, revision } = set;
    if (set.add(elementOf(fill, { name, type, family, revision }), false) === 0) return;
    throw usageError('simulate: --fill', `set ${name} (${type.name}) does not take '${element}'`);
  }

  #makeSet(fill: Fill): ModelSet {
    const { type, family, revision } = this.#shapeFor(fill);
    const set = new ModelSet(type, family, revision, {}, () => this.#clock.now());
    this.#kernel.sets.set(fill.set, set);
    return set;
  }

  /** A set that the capture does not hold: of the type that its rule asks for. */
  #shapeFor({ set: name, element }: Fill): SetShape {
    const rule = this.#plan.rules.find(({ set }) => set === name);
    if (!rule)
      throw usageError('simulate: --fill', `no rule has the set '${name}', and the capture holds none`);
    const type = typeFor(rule.match);
    const isIpv6 = element.includes(':') && !element.includes('.');
    return { name, type, family: isIpv6 ? AF.INET6 : AF.INET, revision: type.revision };
  }
}

/** @throws CliError where the element is none of such a set's */
function elementOf({ set, element }: Fill, shape: SetShape) {
  try {
    return encodeElement(parseElement(element, shape.type), shape, 'add');
  } catch (error) {
    if (error instanceof Error && isNetlinkError(error))
      throw usageError('simulate: --fill', `set ${set}: ${error.message}`);
    throw error;
  }
}

/** hash:net and its like hold hosts as well as networks. */
function typeFor(match: readonly MatchField[]): SetType {
  const dimensions = match.map((field) => (field === 'src' || field === 'dst' ? 'net' : 'port')).join();
  const type =
    findSetType(`hash:${dimensions}`) ??
    findSetType(`hash:${dimensions.replace('net', 'ip')}`) ??
    findSetType(`bitmap:${dimensions}`);
  if (type) return type;
  throw usageError('simulate: --fill', `there is no type of set for ${match.join()}`);
}

function stateFileOf(name: string): string {
  return `/interfaces/${name}`;
}

function onLink(address: Uint8Array, prefix: number) {
  const fixed = { sourcePrefix: 0, tos: 0, shortTable: RT_TABLE.MAIN, protocol: 2, scope: RT_SCOPE.LINK };
  const family = address.length === 4 ? AF.INET : AF.INET6;
  return { ...fixed, family, type: RTN.UNICAST, flags: 0, destination: address, destinationPrefix: prefix };
}

function keyOfEntry({ originalTuple, zone }: ConntrackEntry): string {
  const { protocol, zone: oneWay = 0, ...tuple } = originalTuple;
  return keyOfFlow({ ...tuple, protocol: protocolName(protocol), zone: zone || oneWay });
}

type FlowEnds = Pick<FlowDescription, 'source' | 'destination' | 'protocol'> &
  Partial<Record<'sourcePort' | 'destinationPort' | 'icmpId' | 'icmpType' | 'zone', number | undefined>>;

/** What tells a flow from all others that are in the table at the same time. */
export function keyOfFlow({ source, destination, protocol, zone = 0, ...rest }: FlowEnds): string {
  const { sourcePort = '', destinationPort = '', icmpId = '', icmpType = '' } = rest;
  return `${zone} ${protocol} ${source} ${sourcePort} ${destination} ${destinationPort} ${icmpId} ${icmpType}`;
}
