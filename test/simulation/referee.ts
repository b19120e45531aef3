/** Holds a run to the daemon's promises: watches what it asks of the kernel and what it tells. */
import { type CompleteTuple, flowAttributes, IPCTNL_MSG_CT, IPS } from '../../src/ctnetlink/index.ts';
import { protocolName } from '../../src/ctnetlink/protocol.ts';
import type { PlanRule } from '../../src/daemon/plan.ts';
import type { DaemonEvent } from '../../src/daemon/tell.ts';
import { IPSET_CMD } from '../../src/ipset/index.ts';
import type { ConntrackEntry, ModelSocket, Trouble } from '../../src/model/index.ts';
import {
  ATTRIBUTES_AT,
  commandOf,
  messageFlags,
  NFNL_SUBSYS,
  NLM_F,
  subsystemOf,
} from '../../src/nfnetlink/index.ts';
import type { ScriptedRequest } from '../../src/testing/index.ts';
import { BreakerRule } from './breakerRule.ts';
import { Hindsight } from './hindsight.ts';
import { interfaceOf, type OracleFlow } from './oracle.ts';
import { Unpinning } from './unpinning.ts';
import { type EntryRecord, textOfFlow, type World } from './world.ts';

interface Deletion {
  readonly at: number;
  readonly client: string;
  readonly key: string;
}

interface Reading {
  readonly at: number;
  readonly entry: ConntrackEntry;
  readonly mark: number;
  readonly status: number;
}

export class Referee {
  readonly violations: string[] = [];
  readonly told: DaemonEvent[] = [];
  readonly deletions: Deletion[] = [];
  readonly #world: World;
  readonly #hindsight: Hindsight;
  readonly #window: number;
  readonly #readings = new Map<string, Reading>();
  readonly #returned = new Map<string, { readonly at: number; readonly restMs: number }>();
  readonly #unpinning: Unpinning;
  readonly #breaker = new BreakerRule();
  #pausedSince = Number.POSITIVE_INFINITY;
  #isOver = false;
  /** Called when the daemon says that the circuit breaker has opened. */
  onBreaker: () => void = () => {};

  constructor(world: World) {
    this.#world = world;
    this.#hindsight = new Hindsight(world);
    this.#unpinning = new Unpinning(world);
    this.#window = this.#hindsight.window;
    world.kernel.onRequest = (request, socket, trouble) => this.#asked(request, socket, trouble);
    const tell = world.kernel.conntrack.onEvent;
    world.kernel.conntrack.onEvent = (event, entry, about) => {
      if (event === 'destroy' && about.portId !== 0) this.#deleted(entry);
      tell(event, entry, about);
    };
  }

  get #now(): number {
    return this.#world.clock.now();
  }

  tell(event: DaemonEvent): void {
    this.told.push(event);
    if (this.#isOver) this.#fault(`told after its stop: ${event.event}`);
    if (event.event === 'returned') this.#noteReturn(event);
    if (event.event === 'moved' || event.event === 'returned') {
      this.#expectOpening();
      this.#breaker.verified(event.event === 'returned', this.#now);
    }
    if (event.event === 'warning' && event.what === 'circuit breaker') {
      if (!this.#breaker.isUntold) this.#fault('the breaker was said to open and must not');
      this.#breaker.isUntold = false;
      this.onBreaker();
    }
  }

  /** That the last opening of the breaker was told, before anything else is verified. */
  #expectOpening(): void {
    if (this.#breaker.isUntold) this.#fault('the breaker opened and that was not told');
    this.#breaker.isUntold = false;
  }

  /** The operator pauses the daemon. */
  paused(): void {
    this.#pausedSince = this.#now;
  }

  /** The operator lets it go on, which closes the breaker, as another plan does. */
  resumed(): void {
    this.#pausedSince = Number.POSITIVE_INFINITY;
    this.reloaded();
  }

  reloaded(): void {
    this.#expectOpening();
    this.#breaker.close();
  }

  /** How often the breaker had to open. */
  get openings(): number {
    return this.#breaker.openings;
  }

  /** Compares what the daemon says of itself with what it must be. */
  checkHold({ isOpen, isPaused }: { readonly isOpen: boolean; readonly isPaused: boolean }): void {
    this.#expectOpening();
    if (isOpen !== this.#breaker.isOpen) this.#fault(`the breaker is ${isOpen ? 'open' : 'closed'}`);
    if (isPaused !== this.#isPaused) this.#fault(`it is ${isPaused ? '' : 'not '}paused`);
  }

  get #isPaused(): boolean {
    return this.#pausedSince !== Number.POSITIVE_INFINITY;
  }

  /** The daemon has stopped. */
  over(): void {
    this.#isOver = true;
  }

  #fault(what: string): void {
    if (this.violations.length < 20) this.violations.push(`at ${this.#now} ms: ${what}`);
  }

  #asked(request: ScriptedRequest, socket: ModelSocket, trouble: Trouble | undefined): void {
    if (this.#isOver) this.#fault(`a request of type ${request.type} after its stop`);
    if (socket.groups.size > 0) this.#fault('a request on an event socket');
    const { bytes, type } = request;
    const command = commandOf(type);
    const subsystem = subsystemOf(type);
    if (subsystem === NFNL_SUBSYS.IPSET) {
      if (command === IPSET_CMD.DEL) this.#unpins(bytes, trouble === undefined);
      else if (!harmless.includes(command)) this.#fault(`ipset command ${command}`);
      return;
    }
    if (subsystem !== NFNL_SUBSYS.CTNETLINK) return;
    if ((messageFlags(bytes, 0) & NLM_F.DUMP) === NLM_F.DUMP && command === IPCTNL_MSG_CT.GET) return;
    const { originalTuple, zone, id } = flowAttributes.decode(bytes, ATTRIBUTES_AT, bytes.length);
    if (!originalTuple) {
      this.#fault(`a request of type ${type} without a tuple`);
      return;
    }
    const entry = this.#world.kernel.conntrack.find(originalTuple as CompleteTuple, zone);
    const key = tupleKey(originalTuple as CompleteTuple, zone);
    if (command === IPCTNL_MSG_CT.GET) {
      // an answer that is lost ends the whole round; a refusal is of one question of perhaps several
      if (trouble === 'lost') this.#readings.clear();
      else if (!entry) this.#readings.delete(key);
      else if (trouble === undefined)
        this.#readings.set(key, { at: this.#now, entry, mark: entry.mark, status: entry.status });
    } else if (command !== IPCTNL_MSG_CT.DELETE) {
      this.#fault(`connection tracking command ${command}`);
    } else if (id === undefined) {
      this.#fault('a deletion without an id');
    }
  }

  #unpins(bytes: Uint8Array, isDone: boolean): void {
    const read = [...this.#readings.values()].map(({ entry, mark }) => this.#world.flowOf(entry, mark));
    const wrong = this.#unpinning.asked(bytes, isDone, read);
    if (wrong !== undefined) this.#fault(wrong);
  }

  #deleted(entry: ConntrackEntry): void {
    const key = tupleKey(entry.originalTuple, entry.zone);
    const reading = this.#readings.get(key);
    const record = this.#world.records.get(entry)!;
    const what = textOfFlow(record.flow);
    if (!reading) {
      this.#fault(`${what} was deleted and had not been read again`);
      return;
    }
    this.#readings.delete(key);
    if (reading.entry.id !== entry.id) this.#fault(`${what} was deleted by another id`);
    if ((reading.status & IPS.DYING) !== 0) this.#fault(`${what} was deleted and was dying`);
    if (this.#world.plan.at(this.#now).dryRun) this.#fault(`${what} was deleted in a dry run`);
    this.#checkPlacement(reading, what);
    this.#checkGuards(record, what);
  }

  #checkPlacement(reading: Reading, what: string): void {
    const { at, mark } = reading;
    // an entry may have begun a moment ago under a tuple whose flow was judged before
    const flow = this.#world.flowOf(reading.entry, mark);
    const isFree = (rule: PlanRule) => this.#unpinning.isFree(rule, flow, at);
    if (this.#hindsight.couldBeMisplaced(flow, at - this.#window, at, isFree)) return;
    const on = interfaceOf(this.#world.plan.at(at), mark);
    this.#fault(
      `${what} was deleted and was not misplaced on interface ${on} (mark 0x${mark.toString(16)}), or pinned`,
    );
  }

  #checkGuards({ flow }: EntryRecord, what: string): void {
    const now = this.#now;
    if (now - this.#pausedSince > this.#window) this.#fault(`${what} was deleted during a pause`);
    if (now - this.#breaker.openSince > this.#window)
      this.#fault(`${what} was deleted while the breaker was open`);
    const key = keyOf(flow);
    const returned = this.#returned.get(key);
    if (returned && now > returned.at + this.#window && now < returned.at + returned.restMs)
      this.#fault(`${what} was deleted at rest: it had returned at ${returned.at}`);
    this.deletions.push({ at: now, client: flow.source.text, key });
    const { resetsPerSecond, resetsPerClientPerSecond } = this.#world.plan.at(now).limits;
    this.#checkBudget(this.deletions, resetsPerSecond, 'the budget');
    const own = this.deletions.filter(({ client }) => client === flow.source.text);
    this.#checkBudget(own, resetsPerClientPerSecond, `the budget of ${flow.source.text}`);
  }

  /** A bucket that holds a second's worth: so much and what time adds, and a new one with each plan. */
  #checkBudget(deletions: readonly Deletion[], perSecond: number, what: string): void {
    const now = this.#now;
    const plans = 1 + this.#world.plan.changes.filter((change) => change <= now).length;
    for (const [index, { at }] of deletions.entries()) {
      const allowed = perSecond * plans + (perSecond * (now - at + this.#window)) / 1000 + 1;
      if (deletions.length - index > allowed)
        this.#fault(`${what} was exceeded: ${deletions.length - index} resets since ${at}`);
    }
  }

  /** Doubles while it returns within as long again as its last rest. */
  #noteReturn({ flow }: Extract<DaemonEvent, { event: 'moved' | 'returned' }>): void {
    const port =
      flow.destinationPort ?? (flow.icmpType === undefined ? '' : (flow.icmpType << 8) | flow.icmpCode!);
    const key = `${flow.protocol} ${flow.source} ${flow.destination} ${port}`;
    const last = this.#returned.get(key);
    const isAgain = last !== undefined && this.#now < last.at + 2 * last.restMs;
    const { cooldownMs } = this.#world.plan.at(this.#now).limits;
    this.#returned.set(key, {
      at: this.#now,
      restMs: isAgain ? Math.min(last.restMs * 2, 3_600_000) : cooldownMs,
    });
  }

  /** When the rest of a flow ends, or ended; undefined where it never returned. */
  restOf(key: string): number | undefined {
    const returned = this.#returned.get(key);
    return returned && returned.at + returned.restMs;
  }

  /** At the end of the quiet time: no misplaced flow is left that could have been found. */
  checkConvergence(): void {
    const { kernel, records, plan } = this.#world;
    const now = this.#now;
    if (this.#isPaused || this.#breaker.isOpen || plan.at(now).dryRun) return;
    for (const entry of kernel.conntrack.entries()) {
      const flow = this.#world.flowOf(entry);
      if (!this.#hindsight.isMisplacedAt(flow, now)) continue;
      const record = records.get(entry)!;
      const reason = this.#excuse(entry, record, flow);
      if (reason === undefined)
        this.#fault(
          `${textOfFlow(record.flow)} (mark 0x${entry.mark.toString(16)}) is misplaced and was left`,
        );
    }
  }

  /** Why the flow may still be there; undefined where nothing excuses it. */
  #excuse(
    entry: ConntrackEntry,
    { flow, createdAt, marks }: EntryRecord,
    seen: OracleFlow,
  ): string | undefined {
    const { scenario, plan } = this.#world;
    const now = this.#now;
    const { sweepMs, recheckMs } = plan.at(now);
    const slack = 1000 + this.#window;
    if (now - createdAt < slack) return 'it has just begun';
    const rest = this.restOf(keyOf(flow));
    if (rest !== undefined && (!scenario.isSwept || now < rest + sweepMs + slack)) return 'it rests';
    const since = this.#hindsight.misplacedSince(entry, seen, createdAt);
    if (scenario.isSwept) return now < since + sweepMs + slack ? 'the next sweep will find it' : undefined;
    if (marks.changes.length > 0) return 'its mark was changed: a sweep alone finds that';
    if (since === createdAt) return undefined;
    // only a flow that no set has held so far is asked about again
    const was = this.#hindsight
      .momentsBetween(createdAt, since - 0.0001)
      .map((at) => this.#hindsight.verdictAt(seen, at));
    const isWaiting = was.every((verdict) => verdict === 'unclassified');
    if (isWaiting && since <= createdAt + recheckMs.at(-1)! - slack) return undefined;
    return this.#hindsight.changeIsNoticed(seen, since)
      ? undefined
      : 'the change was one of which nobody hears';
  }
}

const harmless: readonly number[] = [IPSET_CMD.PROTOCOL, IPSET_CMD.HEADER, IPSET_CMD.LIST, IPSET_CMD.TEST];

function tupleKey(tuple: CompleteTuple, zone = 0): string {
  const { protocol, source, destination, sourcePort, destinationPort, icmpType } = tuple;
  return `${zone} ${protocol} ${source} ${destination} ${sourcePort} ${destinationPort} ${icmpType}`;
}

/** What the daemon knows a flow and its successor by. */
function keyOf({ protocol, source, destination, port }: EntryRecord['flow']): string {
  return `${protocolName(protocol)} ${source.text} ${destination.text} ${port ?? ''}`;
}
