/** An engine over a fake kernel, in a time that stands until it is moved. */

import type { CompleteTuple } from '../../src/ctnetlink/index.ts';
import { Engine, type EngineParts } from '../../src/daemon/engine.ts';
import { NetworkSet } from '../../src/daemon/network.ts';
import type { Plan } from '../../src/daemon/plan.ts';
import type { DaemonEvent } from '../../src/daemon/tell.ts';
import { Totals } from '../../src/daemon/totals.ts';
import { Warnings } from '../../src/daemon/warnings.ts';
import { type ConntrackEntry, encodeEntry, encodeEvent, entryOf } from '../../src/model/index.ts';
import { ManualClock } from '../../src/testing/index.ts';
import { FakeKernel } from './fakeKernel.ts';
import { plan, rule, uplink } from './plans.ts';

/** What the wall clock says when the manual one says 0. */
export const EPOCH_MS = 1_700_000_000_000;
export const WAN = 0x100;
export const WANB = 0x200;

/** Two uplinks and one rule: what is in set 'set' belongs on wan. */
export function twoWans(more: Partial<Plan> = {}): Plan {
  const interfaces = [uplink('wan', { mark: WAN }), uplink('wanb', { mark: WANB })];
  return { ...plan(interfaces, [rule([0])]), ...more };
}

export class EngineBench {
  readonly clock = new ManualClock();
  readonly kernel = new FakeKernel(this.clock);
  readonly told: DaemonEvent[] = [];
  readonly totals = new Totals();
  sweepsAsked = 0;
  engine: Engine;
  readonly #warnings = new Warnings(
    (event) => this.told.push(event),
    () => this.clock.now(),
  );

  private constructor(plan: Plan, parts: Partial<EngineParts>) {
    this.engine = this.#make(plan, parts);
  }

  /** An engine that knows its sets; `prepare` makes them. */
  static async open(
    plan: Plan,
    prepare: (kernel: FakeKernel) => void = (kernel) => void kernel.addSet('set', ['203.0.113.10']),
    parts: Partial<EngineParts> = {},
  ): Promise<EngineBench> {
    const bench = new EngineBench(plan, parts);
    prepare(bench.kernel);
    await bench.learn();
    return bench;
  }

  async learn(): Promise<void> {
    const learning = this.engine.ruleSets.refresh();
    await this.settle();
    await learning;
  }

  /** Another engine in place of this one, as a reload makes it. */
  async replace(plan: Plan): Promise<void> {
    const previous = this.engine;
    this.engine = this.#make(plan, { previous });
    await this.finish(previous.stop());
    await this.learn();
  }

  /** An entry begins, and its event comes. */
  begin(entry: ConntrackEntry): ConntrackEntry {
    this.kernel.add(entry);
    this.hear(entry);
    return entry;
  }

  /** The NEW event of an entry, whether it is still there or not. */
  hear(entry: ConntrackEntry): void {
    const now = this.clock.now();
    const bytes = encodeEvent(entry, 'new', { now, wallNs: BigInt(EPOCH_MS + now) * 1_000_000n });
    this.engine.takeEvent(bytes, 0, bytes.length);
  }

  /** An entry of a dump. */
  sweep(entry: ConntrackEntry, flags = 0): boolean {
    const bytes = encodeEntry(entry, this.clock.now());
    return this.engine.takeEntry(bytes, 0, bytes.length, flags);
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet++) {
      const before = this.#progress();
      await new Promise((resolve) => setImmediate(resolve));
      this.clock.turn();
      if (this.#progress() !== before) quiet = -1;
    }
  }

  /** Moves time in steps, as long as a busy event loop would notice each. */
  async pass(milliseconds: number, step = 100): Promise<void> {
    await this.settle();
    for (let left = milliseconds; left > 0; left -= step) {
      this.clock.advance(Math.min(step, left));
      await this.settle();
    }
  }

  /** Resolves with what is to come without time. */
  async finish<T>(promise: Promise<T>): Promise<T> {
    await this.settle();
    return promise;
  }

  events<K extends DaemonEvent['event']>(kind: K): Extract<DaemonEvent, { event: K }>[] {
    return this.told.filter((event): event is Extract<DaemonEvent, { event: K }> => event.event === kind);
  }

  #make(plan: Plan, parts: Partial<EngineParts>): Engine {
    const { clock, kernel, totals } = this;
    const connected = new NetworkSet([]);
    return new Engine({
      plan,
      ctnetlink: kernel.ctnetlink,
      ipset: kernel.ipset,
      clock,
      wallNow: () => EPOCH_MS + clock.now(),
      tell: (event) => this.told.push(event),
      warnings: this.#warnings,
      totals,
      connected: () => connected,
      online: plan.interfaces.map(() => true),
      onShed: () => {
        this.sweepsAsked++;
      },
      ...parts,
    });
  }

  #progress(): number {
    const { ctTransport, ipsetTransport } = this.kernel;
    return ctTransport.requests.length + ipsetTransport.requests.length + this.told.length + this.clock.turns;
  }
}

let nextId = 1;
/** IPS bits of a flow that both ends keep up, masqueraded. */
const ESTABLISHED = 0x18e;

/** An entry on an uplink: TCP to 203.0.113.10:443 unless something else is said. */
export function flowEntry(
  mark: number,
  tuple: Partial<CompleteTuple> = {},
  more: Partial<ConntrackEntry> = {},
): ConntrackEntry {
  const originalTuple = {
    source: '192.168.50.2',
    destination: '203.0.113.10',
    protocol: 6,
    sourcePort: 40_000,
    destinationPort: 443,
    ...tuple,
  };
  return { ...entryOf({ originalTuple, mark, id: nextId++, status: ESTABLISHED }, 0), ...more };
}
