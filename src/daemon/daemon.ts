import { release } from 'node:os';
import { kernelFeatures } from '../ctnetlink/index.ts';
import type { Clock } from '../nfnetlink/clock.ts';
import { NFNLGRP } from '../nfnetlink/constants.ts';
import type { EventSubscription } from '../nfnetlink/index.ts';
import { Engine } from './engine.ts';
import type { Explanation } from './explain/gather.ts';
import type { ExplainRequest } from './explain/query.ts';
import type { Pauser } from './guard.ts';
import { Machine } from './machine.ts';
import type { Plan } from './plan.ts';
import { openRequesters, type Requesters, type Sockets } from './sockets.ts';
import type { StateFiles } from './stateFiles.ts';
import { type DaemonStatus, stateOf, statusOf } from './status.ts';
import { Sweeper, type SweepResult } from './sweeper.ts';
import { WHOLE_TABLE } from './sweepScope.ts';
import { isTableEmpty } from './tableCount.ts';
import type { SweepCause, Tell } from './tell.ts';
import { Totals } from './totals.ts';
import { UPKEEP_MS, Upkeep } from './upkeep.ts';
import { Warnings } from './warnings.ts';

export interface DaemonOptions {
  readonly plan: Plan;
  readonly sockets: Sockets;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  readonly files: StateFiles;
  readonly tell: Tell;
  /** The kernel's release, for what it can filter; this machine's by default. */
  readonly kernelRelease?: string;
}

/** 4 MiB holds about 10,000 events: a second of a busy router's. It grows from there, never past the cap. */
const FIRST_RECEIVE_BUFFER = 4 << 20;
const LARGEST_RECEIVE_BUFFER = 32 << 20;

/**
 * The daemon: its sockets, one engine for the plan in force, sweeps, and what it follows of the machine.
 * Made by start(), ended by stop().
 */
export class Daemon {
  readonly #options: DaemonOptions;
  readonly #totals = new Totals();
  readonly #warnings: Warnings;
  readonly #startedAt: number;
  readonly #sweeper: Sweeper;
  readonly #requesters: Requesters;
  readonly #upkeep: Upkeep;
  readonly #machine: Machine;
  #events: EventSubscription | undefined;
  #engine: Engine;
  #reloading: Promise<void> = Promise.resolve();
  #isReady = false;
  #stopping: Promise<void> | undefined;

  /**
   * Starts and resolves when the first sweep is done.
   * @throws TransportError where a socket cannot be had: EPERM without CAP_NET_ADMIN.
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options, await openRequesters(options.sockets));
    try {
      await daemon.#begin();
    } catch (error) {
      await daemon.#close();
      throw error;
    }
    return daemon;
  }

  private constructor(options: DaemonOptions, requesters: Requesters) {
    const { clock, tell, files, plan } = options;
    const { dumps, ipset, route } = requesters;
    this.#options = options;
    this.#requesters = requesters;
    this.#startedAt = clock.now();
    this.#warnings = new Warnings(tell, () => clock.now());
    this.#machine = new Machine(
      {
        ...{ route, ipset, clock, files, warnings: this.#warnings },
        onInterfaces: (states, changed) => {
          const marks = this.#engine.setOnline(states.online, states);
          for (const index of changed) {
            const { name } = this.plan.interfaces[index]!;
            tell({ event: 'interface', name, online: states.online[index]! });
          }
          void this.#sweeper.request('interface', { kind: 'interfaces', marks });
        },
        onElements: (scope) => void this.#sweeper.request('elements', scope),
      },
      plan,
    );
    this.#engine = this.#makeEngine(plan);
    this.#upkeep = new Upkeep({
      ...{ clock, files, warnings: this.#warnings },
      engine: () => this.#engine,
      onSweepDue: () => void this.sweep('periodic'),
    });
    this.#sweeper = new Sweeper({
      requester: dumps,
      features: kernelFeatures(options.kernelRelease ?? release()),
      engine: () => this.#engine,
      now: () => clock.now(),
      isTableEmpty: () => isTableEmpty(files),
      tell,
      onDone: (result) => {
        this.#totals.sweeps++;
        this.#totals.swept += result.flows;
        this.#tellReady(result);
      },
      onFailure: (error) => this.#sweepFailed(error),
    });
  }

  get plan(): Plan {
    return this.#engine.plan;
  }

  get engine(): Engine {
    return this.#engine;
  }

  status(): DaemonStatus {
    return statusOf({
      uptimeMs: this.#options.clock.now() - this.#startedAt,
      totals: this.#totals,
      engine: this.#engine,
      isSweeping: this.#sweeper.isRunning,
      receiveBuffer: this.#events?.receiveBufferSize ?? 0,
      connected: this.#machine.connected.list.length,
    });
  }

  /**
   * Explains flows by what this daemon knows.
   * @throws Refusal where the request is wrong.
   */
  async explain(request: ExplainRequest): Promise<Explanation> {
    // loaded when somebody asks, which most daemons are never
    const { decodeExplainQuery } = await import('./explain/query.ts');
    const { explain } = await import('./explain/gather.ts');
    const { plan, standing, ruleSets, guard } = this.#engine;
    const { clock, wallNow } = this.#options;
    const query = decodeExplainQuery(request, plan.interfaces);
    return explain(query, {
      standing,
      ruleSets,
      connected: this.#machine.connected.list,
      ctnetlink: this.#requesters.ctnetlink,
      ipset: this.#requesters.ipset,
      daemon: stateOf(guard),
      restMs: (flowKey) => guard.restMs(flowKey, clock.now()),
      now: () => clock.now(),
      wallNow,
    });
  }

  /** Sweeps the whole table; undefined where that failed. */
  sweep(cause: SweepCause = 'request'): Promise<SweepResult | undefined> {
    return this.#sweeper.request(cause, WHOLE_TABLE);
  }

  /** Puts another plan in force. What the old one knew of flows that returned stays known. */
  reload(plan: Plan): Promise<void> {
    // a signal that comes while it stops would arm what was just let go of
    if (this.#stopping) return this.#stopping;
    // two signals in a row: one reload after the other
    const turn = this.#reloading.then(() => this.#reload(plan));
    this.#reloading = turn.catch(() => {});
    return turn;
  }

  async #reload(plan: Plan): Promise<void> {
    const before = this.#engine;
    this.#machine.follow(plan);
    this.#engine = this.#makeEngine(plan, before);
    await before.stop();
    await this.#learn();
    this.#options.tell({ event: 'reload', ok: true });
    this.#upkeep.armSweep();
    void this.sweep('reload');
  }

  /** Goes on judging and watching, resets nothing. */
  pause(by?: Pauser): void {
    this.#engine.guard.pause(by);
  }

  /** Resets again, also after the circuit breaker had opened; what was left alone is found by a sweep. */
  resume(by?: Pauser): void {
    this.#engine.guard.resume(by);
    void this.sweep();
  }

  /** Ends what is under way, closes everything and tells the totals. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    await this.#reloading;
    // what waits is let go of; what is under way comes to its end and counts
    const { queues } = this.status();
    await this.#close();
    this.#options.tell({ event: 'stopped', ...this.status(), queues });
  }

  async #close(): Promise<void> {
    this.#sweeper.stop();
    this.#upkeep.stop();
    await Promise.all([this.#machine.close(), this.#events?.close()]);
    await this.#engine.stop();
    await Promise.all(Object.values(this.#requesters).map((requester) => requester.close()));
  }

  async #begin(): Promise<void> {
    const { sockets } = this.#options;
    await this.#machine.followNetworks(sockets);
    await this.#learn();
    // subscribed before the table is read: what begins in between is seen twice rather than never
    this.#events = await sockets.openEvents(
      {
        groups: [NFNLGRP.CONNTRACK_NEW],
        onMessage: (bytes, start, end) => this.#engine.takeEvent(bytes, start, end),
        onOverrun: () => this.#overrun(),
        onMalformed: () => this.#totals.malformed++,
        onError: (error) =>
          this.#warnings.warn('event socket', error.message, 'sweeps go on; restart resteer for events'),
      },
      FIRST_RECEIVE_BUFFER,
    );
    this.#upkeep.begin();
    await this.sweep('start');
  }

  /** The first sweep that succeeds, which may not be the first. */
  #tellReady({ flows, misplaced, ms }: SweepResult): void {
    if (this.#isReady) return;
    this.#isReady = true;
    this.#options.tell({ event: 'ready', flows, misplaced, ms });
  }

  /** Learns the sets as they are now, and what is in them before the next sweep. */
  async #learn(): Promise<void> {
    const engine = this.#engine;
    await this.#upkeep.learnSets(engine);
    await this.#machine.watchSets(engine.plan);
  }

  #makeEngine(plan: Plan, previous?: Engine): Engine {
    const { clock, wallNow, tell } = this.#options;
    return new Engine({
      plan,
      ctnetlink: this.#requesters.ctnetlink,
      ipset: this.#requesters.ipset,
      clock,
      wallNow,
      tell,
      warnings: this.#warnings,
      totals: this.#totals,
      connected: () => this.#machine.connected.networks,
      online: this.#machine.states.online,
      history: this.#machine.states,
      onShed: () => void this.#sweeper.request('shed', WHOLE_TABLE),
      ...(previous && { previous }),
    });
  }

  #overrun(): void {
    this.#totals.overruns++;
    const events = this.#events;
    if (!events) return;
    const wanted = Math.min(events.receiveBufferSize, LARGEST_RECEIVE_BUFFER);
    const receiveBuffer = events.growReceiveBuffer(wanted);
    this.#options.tell({ event: 'overrun', count: this.#totals.overruns, receiveBuffer });
    this.#engine.onceCaughtUp(() => void this.sweep('overrun'));
  }

  #sweepFailed(error: unknown): void {
    if (this.#stopping) return;
    this.#warnings.warn('sweep', (error as Error).message, 'the table is read again in a second');
    this.#options.clock
      .after(UPKEEP_MS, () => {
        if (!this.#stopping) void this.sweep('overrun');
      })
      .unref();
  }
}
