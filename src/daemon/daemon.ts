import { release } from 'node:os';
import { kernelFeatures } from '../ctnetlink/index.ts';
import type { Clock, Timer } from '../nfnetlink/clock.ts';
import { NFNLGRP } from '../nfnetlink/constants.ts';
import type { EventSubscription, Requester } from '../nfnetlink/index.ts';
import { Engine } from './engine.ts';
import { checkEventsSetting } from './eventsSetting.ts';
import type { Explanation } from './explain/gather.ts';
import type { ExplainRequest } from './explain/query.ts';
import { Machine } from './machine.ts';
import type { Plan } from './plan.ts';
import type { Sockets } from './sockets.ts';
import type { StateFiles } from './stateFiles.ts';
import { type DaemonStatus, stateOf, statusOf } from './status.ts';
import { Sweeper, type SweepResult } from './sweeper.ts';
import { WHOLE_TABLE } from './sweepScope.ts';
import { isTableEmpty } from './tableCount.ts';
import type { SweepCause, Tell } from './tell.ts';
import { Totals } from './totals.ts';
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
/** How often sets are learned anew and resets whose successor never came are forgotten. */
const UPKEEP_MS = 1000;

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
  readonly #ctnetlink: Requester;
  /** For dumps alone: requests on the same socket would keep a dump flowing that should wait. */
  readonly #dumps: Requester;
  readonly #ipset: Requester;
  readonly #route: Requester;
  readonly #machine: Machine;
  #events: EventSubscription | undefined;
  #engine: Engine;
  #upkeep: Timer | undefined;
  #periodic: Timer | undefined;
  #reloading: Promise<void> = Promise.resolve();
  #isReady = false;
  #stopping: Promise<void> | undefined;

  /**
   * Starts and resolves when the first sweep is done.
   * @throws TransportError where a socket cannot be had: EPERM without CAP_NET_ADMIN.
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { sockets } = options;
    const opened = await openAll([
      sockets.openCtnetlink(),
      sockets.openCtnetlink(),
      sockets.openIpset(),
      sockets.openRoute(),
    ]);
    const daemon = new Daemon(options, opened as [Requester, Requester, Requester, Requester]);
    try {
      await daemon.#begin();
    } catch (error) {
      await daemon.#close();
      throw error;
    }
    return daemon;
  }

  private constructor(
    options: DaemonOptions,
    [ctnetlink, dumps, ipset, route]: readonly [Requester, Requester, Requester, Requester],
  ) {
    const { clock, tell } = options;
    this.#options = options;
    this.#ctnetlink = ctnetlink;
    this.#dumps = dumps;
    this.#ipset = ipset;
    this.#route = route;
    this.#startedAt = clock.now();
    this.#warnings = new Warnings(tell, () => clock.now());
    const { files, plan } = options;
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
      ctnetlink: this.#ctnetlink,
      ipset: this.#ipset,
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
    this.#armPeriodic();
    void this.sweep('reload');
  }

  /** Goes on judging and watching, resets nothing. */
  pause(): void {
    this.#engine.guard.pause();
  }

  /** Resets again, also after the circuit breaker had opened; what was left alone is found by a sweep. */
  resume(): void {
    this.#engine.guard.resume();
    void this.sweep();
  }

  /** Ends what is under way, closes everything and tells the totals. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    await this.#reloading;
    const status = this.status();
    await this.#close();
    this.#options.tell({ event: 'stopped', ...status });
  }

  async #close(): Promise<void> {
    this.#sweeper.stop();
    this.#upkeep?.cancel();
    this.#periodic?.cancel();
    await Promise.all([this.#machine.close(), this.#events?.close()]);
    await this.#engine.stop();
    const requesters = [this.#ctnetlink, this.#dumps, this.#ipset, this.#route];
    await Promise.all(requesters.map((requester) => requester.close()));
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
    this.#armPeriodic();
    this.#armUpkeep();
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
    await this.#refreshSets(engine);
    await this.#machine.watchSets(engine.plan);
  }

  #makeEngine(plan: Plan, previous?: Engine): Engine {
    const { clock, wallNow, tell } = this.#options;
    return new Engine({
      plan,
      ctnetlink: this.#ctnetlink,
      ipset: this.#ipset,
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
    this.#warnings.warn('sweep', messageOf(error), 'the table is read again in a second');
    this.#options.clock
      .after(UPKEEP_MS, () => {
        if (!this.#stopping) void this.sweep('overrun');
      })
      .unref();
  }

  #armPeriodic(): void {
    this.#periodic?.cancel();
    checkEventsSetting(this.#options.files, this.#warnings, this.#engine.plan.sweepMs);
    this.#periodic = this.#options.clock.after(this.#engine.plan.sweepMs, () => {
      void this.sweep('periodic');
      this.#armPeriodic();
    });
  }

  #armUpkeep(): void {
    this.#upkeep = this.#options.clock.after(UPKEEP_MS, () => {
      this.#engine.upkeep();
      void this.#refreshSets(this.#engine).finally(() => {
        if (!this.#stopping) this.#armUpkeep();
      });
    });
  }

  async #refreshSets(engine: Engine): Promise<void> {
    try {
      await engine.ruleSets.refresh();
      this.#warnings.mended('ipset');
    } catch (error) {
      if (this.#stopping) return;
      this.#warnings.warn(
        'ipset',
        messageOf(error),
        'resteer doctor says what is missing; it is tried again',
      );
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** All of them, or none: where one cannot be opened, the others are closed again. */
async function openAll(opening: readonly Promise<Requester>[]): Promise<Requester[]> {
  const settled = await Promise.allSettled(opening);
  const failed = settled.find((each) => each.status === 'rejected');
  const opened = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  if (!failed) return opened;
  await Promise.all(opened.map((requester) => requester.close()));
  throw (failed as PromiseRejectedResult).reason;
}
