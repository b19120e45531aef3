import type { CompleteTuple } from '../../src/ctnetlink/index.ts';
import type { Plan, PlanRule } from '../../src/daemon/plan.ts';
import { type ConntrackEntry, ModelFiles, ModelKernel, type VirtualClock } from '../../src/model/index.ts';
import { parseAddress } from '../../src/nfnetlink/index.ts';
import { RT_SCOPE, RT_TABLE, RTN } from '../../src/rtnetlink/index.ts';
import { Chance } from './chance.ts';
import { type SetHistory, type SetKey, Timeline } from './history.ts';
import type { Host } from './host.ts';
import { best, fitsRule, type OracleFlow } from './oracle.ts';
import type { Scenario } from './scenario.ts';
import { StickyPins } from './stickyPins.ts';
import { Troubles } from './troubles.ts';
import { WorldSets } from './worldSets.ts';

export const EPOCH_MS = 1_700_000_000_000;
/** Before this nothing goes wrong: the daemon is to start. */
const CALM_MS = 1500;

/** A flow of a client, over all the entries that it has in the table one after the other. */
export interface WorldFlow {
  readonly protocol: number;
  readonly source: Host;
  readonly destination: Host;
  sourcePort: number | undefined;
  readonly port: number | undefined;
  /** Of both directions; 0 is the default zone. */
  readonly zone: number;
  /** Until then its client goes on sending. */
  readonly until: number;
  /** Milliseconds between its packets. */
  readonly gap: number;
  entry: ConntrackEntry | undefined;
}

/** What is remembered of an entry. */
export interface EntryRecord {
  readonly flow: WorldFlow;
  readonly createdAt: number;
  readonly marks: Timeline<number>;
}

/** Clients, a firewall, recognition of applications, and interfaces, around a model kernel. */
export class World {
  readonly scenario: Scenario;
  readonly clock: VirtualClock;
  readonly kernel: ModelKernel;
  readonly files: ModelFiles;
  /** Whether each interface is online, by index. */
  readonly online: readonly Timeline<boolean>[];
  readonly records = new Map<ConntrackEntry, EntryRecord>();
  /** The plan that the operator has put in force, for the firewall too. */
  readonly plan: Timeline<Plan>;
  readonly quietFrom: number;
  readonly #chance: Chance;
  readonly #sets: WorldSets;
  readonly #pins: StickyPins;
  readonly #troubles: Troubles;
  readonly #say: (what: string) => void;
  /** Whether the firewall's rules were mended. */
  #isMended = false;
  /** Called when another plan is put in force. */
  onPlan: (plan: Plan) => void = () => {};

  constructor(scenario: Scenario, clock: VirtualClock, say: (what: string) => void) {
    this.scenario = scenario;
    this.clock = clock;
    this.#say = say;
    this.#chance = new Chance(scenario.seed * 31 + 7);
    this.plan = new Timeline(scenario.plan);
    this.quietFrom = CALM_MS + scenario.busyMs;
    this.#troubles = new Troubles(scenario, clock, [CALM_MS, this.quietFrom], say);
    this.kernel = new ModelKernel({
      clock,
      wallNow: () => EPOCH_MS + clock.now(),
      hasTimestamps: scenario.hasTimestamps,
      ...(scenario.faults.receiveBuffer !== undefined && {
        largestReceiveBuffer: scenario.faults.receiveBuffer,
      }),
      dumpChunk: 700,
      readingDelay: (socket) => this.#troubles.readingDelay(socket.groups.size > 0),
      trouble: (request, socket) => this.#troubles.troubleOf(request.type, socket.protocol),
    });
    const tellDaemon = this.kernel.conntrack.onEvent;
    this.kernel.conntrack.onEvent = (event, entry, about) => {
      tellDaemon(event, entry, about);
      if (event === 'destroy') this.#ended(entry);
    };
    const notice = (callback: () => void) => void clock.after(this.#chance.below(30), callback);
    this.files = new ModelFiles(notice, () => EPOCH_MS + clock.now());
    this.online = scenario.plan.interfaces.map(({ stateFile }) => {
      const isOnline = stateFile === undefined || this.#chance.percent(75);
      if (stateFile !== undefined) this.files.write(stateFile, isOnline ? 'online\n' : 'offline\n');
      return new Timeline(isOnline);
    });
    this.#connect();
    const kernelSets = this.kernel.sets;
    this.#pins = new StickyPins(kernelSets, scenario.plan, () => clock.now());
    this.#sets = new WorldSets({ scenario, clock, chance: this.#chance, kernelSets, say });
    this.#schedule();
  }

  /** Every set by its name, with all that it ever held. */
  get sets(): ReadonlyMap<string, SetHistory> {
    return this.#sets.histories;
  }

  /** Nothing goes wrong any more, and nothing changes but by the daemon. */
  get isQuiet(): boolean {
    return this.clock.now() >= this.quietFrom;
  }

  /** The flow of an entry as the oracle wants it. */
  flowOf(entry: ConntrackEntry, mark = entry.mark): OracleFlow {
    const { protocol, source, destination, sourcePort, port } = this.records.get(entry)!.flow;
    return { protocol, source, destination, sourcePort, port, mark };
  }

  keyFor({ match }: PlanRule, { source, destination, protocol, port }: OracleFlow): SetKey {
    return { address: match[0] === 'src' ? source : destination, protocol, port };
  }

  contains(rule: PlanRule, flow: OracleFlow, at: number): boolean {
    const set = this.sets.get(rule.set!)!;
    return set.contains(this.keyFor(rule, flow), at);
  }

  #connect(): void {
    for (const { host, prefix } of this.scenario.connected)
      this.kernel.network.routes.push({
        family: host.bits === 32 ? 2 : 10,
        destinationPrefix: prefix,
        ...{ sourcePrefix: 0, tos: 0, shortTable: RT_TABLE.MAIN, protocol: 2, scope: RT_SCOPE.LINK },
        ...{ type: RTN.UNICAST, flags: 0 },
        destination: parseAddress(host.text)!,
        outLink: 2,
      });
  }

  #schedule(): void {
    const { flows, busyMs, bursts, sets } = this.scenario;
    const soon = () => CALM_MS + this.#chance.below(busyMs);
    const isInBurst = () => bursts.length > 0 && this.#chance.percent(60);
    const early = this.#chance.below(4);
    for (let i = 0; i < flows; i++) {
      const at = i < early ? 0 : isInBurst() ? CALM_MS + this.#chance.pick(bursts) : soon();
      this.#at(at, () => this.#open());
    }
    for (const set of sets) {
      if (!set.exists) this.#at(soon(), () => this.#sets.appear(set));
      else if (this.#chance.percent(10)) {
        const at = soon();
        this.#at(at, () => this.#sets.vanish(set));
        if (this.#chance.percent(60)) this.#at(at + this.#chance.below(3000), () => this.#sets.appear(set));
      }
      for (const element of this.#sets.elementsOf(set)) {
        if (this.#chance.percent(50)) this.#at(soon(), () => this.#sets.fill(set, element));
        if (this.#chance.percent(12)) this.#at(soon(), () => this.#sets.drop(set, element));
      }
    }
    for (const [index, { stateFile }] of this.scenario.plan.interfaces.entries())
      for (let i = stateFile === undefined ? 0 : this.#chance.below(3); i > 0; i--)
        this.#at(soon(), () => this.#turn(index, stateFile!));
    const { nextPlan } = this.scenario;
    if (nextPlan) this.#at(soon(), () => this.change(nextPlan));
    if (this.scenario.faults.stall > 0)
      for (const at of [soon(), ...bursts.map((burst) => CALM_MS + burst)])
        this.#at(at, () => this.#troubles.stall());
  }

  #at(time: number, act: () => void): void {
    this.clock.after(time, act);
  }

  /** The operator puts a plan in force, which may be the same again. */
  change(plan: Plan): void {
    this.#say('another plan is put in force');
    this.plan.set(this.clock.now(), plan);
    this.onPlan(plan);
  }

  /** The operator mends the firewall's rules: from now on it marks as they say. */
  mend(): void {
    this.#say('the firewall is mended');
    this.#isMended = true;
  }

  #turn(index: number, path: string): void {
    const isOnline = !this.online[index]!.at(this.clock.now());
    this.#say(`interface ${index} is ${isOnline ? 'online' : 'offline'}`);
    this.online[index]!.set(this.clock.now(), isOnline);
    const isNoticed = this.#chance.percent(80);
    if (this.#chance.percent(30)) this.files.write(path, '', isNoticed);
    this.files.write(path, isOnline ? 'online' : 'offline', isNoticed);
  }

  #open(): void {
    const { clients, destinations } = this.scenario;
    const chance = this.#chance;
    const destination = chance.pick(destinations);
    const source = chance.pick(clients.filter(({ bits }) => bits === destination.bits));
    if (!source) return;
    const isIpv6 = destination.bits === 128;
    const protocol = chance.pick([6, 6, 6, 17, 17, isIpv6 ? 58 : 1, 50]);
    const hasPorts = protocol === 6 || protocol === 17;
    const icmp = isIpv6 ? 0x8000 : 0x800;
    this.#send({
      protocol,
      source,
      destination,
      sourcePort: hasPorts ? chance.between(40_000, 40_020) : undefined,
      port: hasPorts ? chance.pick([443, 443, 53, 5060]) : protocol === 50 ? undefined : icmp,
      until: chance.percent(70) ? Number.POSITIVE_INFINITY : this.clock.now() + chance.between(100, 8000),
      zone: chance.percent(10) ? 5 : 0,
      gap: chance.pick([5, 50, 400]),
      entry: undefined,
    });
  }

  /** A packet: makes the entry where there is none. */
  #send(flow: WorldFlow): void {
    if (flow.entry || flow.until <= this.clock.now()) return;
    const { startTime, conntrack } = this.kernel;
    const mark = this.#markOf(flow);
    const entry = conntrack.add({
      originalTuple: tupleOf(flow),
      zone: flow.zone,
      mark,
      ...(startTime !== undefined && { startedAt: startTime }),
    });
    // another client's flow has the tuple
    if (!entry) return;
    this.#say(`${textOfFlow(flow)} begins with mark 0x${mark.toString(16)}`);
    flow.entry = entry;
    const marks = new Timeline(mark);
    this.records.set(entry, { flow, createdAt: this.clock.now(), marks });
    if (flow.until !== Number.POSITIVE_INFINITY)
      this.clock.after(flow.until - this.clock.now(), () => conntrack.remove(entry));
    if (this.#chance.percent(4) && !this.isQuiet)
      this.clock.after(this.#chance.below(3000), () => this.#remark(flow, entry, marks));
  }

  /** The firewall changes its mind about a flow that is there. */
  #remark(flow: WorldFlow, entry: ConntrackEntry, marks: Timeline<number>): void {
    if (flow.entry !== entry || this.isQuiet) return;
    entry.mark = this.#markOf(flow);
    this.#say(`${textOfFlow(flow)} is marked 0x${entry.mark.toString(16)}`);
    marks.set(this.clock.now(), entry.mark);
    this.kernel.conntrack.changed(entry);
  }

  /** As the firewall marks a new flow: by the first rule whose set holds it, or by chance. */
  #markOf(flow: WorldFlow): number {
    const now = this.clock.now();
    const plan = this.plan.at(now);
    const chance = this.#chance;
    const other = chance.percent(1) ? 1 : 0;
    if (chance.percent(3)) return chance.pick([0, MASKED_DEFAULT, 7]);
    const online = this.online.map((each) => each.at(now));
    const candidates = plan.rules.filter(
      (rule) =>
        fitsRule(rule, { ...flow, mark: 0 }) &&
        (rule.set === null || this.contains(rule, { ...flow, mark: 0 }, now)),
    );
    const [rule] = candidates;
    const wanted = rule ? best(plan, rule, flow.destination.bits === 128, online) : [];
    const isMisled = chance.percent(this.scenario.misled);
    const all = [...plan.interfaces.keys()];
    const { contrary } = this.scenario;
    const forbidden = all.filter((index) => wanted.length > 0 && !wanted.includes(index));
    const isContrary = contrary > 0 && !this.#isMended && forbidden.length > 0 && chance.percent(contrary);
    const indices = isContrary ? forbidden : wanted.length > 0 && !isMisled ? wanted : all;
    const held = rule && this.#pins.holder(plan, rule, flow.source, online);
    const { mark } = plan.interfaces[held ?? chance.pick(indices)]!;
    if (rule) this.#pins.pin(rule, flow.source, mark);
    return mark | other;
  }

  #ended(entry: ConntrackEntry): void {
    const { flow } = this.records.get(entry)!;
    if (flow.entry !== entry) return;
    flow.entry = undefined;
    if (flow.until <= this.clock.now()) return;
    // the client's next packet, or its next try, which may come from another port
    if (flow.sourcePort !== undefined && this.#chance.percent(30))
      flow.sourcePort = this.#chance.between(41_000, 41_500);
    this.clock.after(this.#chance.below(flow.gap) + 1, () => this.#send(flow));
  }
}

/** What mwan3 marks for 'by the default routing table'. */
const MASKED_DEFAULT = 0x3f00;

function tupleOf({ protocol, source, destination, sourcePort, port }: WorldFlow): CompleteTuple {
  const ends = { source: source.text, destination: destination.text, protocol };
  if (sourcePort !== undefined) return { ...ends, sourcePort, destinationPort: port };
  if (port === undefined) return ends;
  return { ...ends, icmpId: 7, icmpType: port >> 8, icmpCode: port & 0xff };
}

export function textOfFlow({ protocol, source, destination, sourcePort, port }: WorldFlow): string {
  return `${protocol} ${source.text}:${sourcePort ?? ''} -> ${destination.text}:${port ?? ''}`;
}
