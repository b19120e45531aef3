import { IpsetClient } from '../ipset/index.ts';
import type { Clock } from '../nfnetlink/clock.ts';
import type { EventSubscription, Requester } from '../nfnetlink/index.ts';
import { CONNECTED_GROUPS, ConnectedNetworks } from './connectedNetworks.ts';
import { type FollowedStates, type InterfaceStates, InterfaceWatch } from './interfaceState.ts';
import type { Plan } from './plan.ts';
import { MOST_WATCHED, SetWatch } from './setWatch.ts';
import type { Sockets } from './sockets.ts';
import type { StateFiles } from './stateFiles.ts';
import type { SweepScope } from './sweepScope.ts';
import type { Warnings } from './warnings.ts';

export interface MachineParts {
  readonly route: Requester;
  readonly ipset: Requester;
  readonly clock: Clock;
  readonly files: StateFiles;
  readonly warnings: Warnings;
  /** Hears that interfaces went online or offline: the states, and the indices that changed. */
  readonly onInterfaces: (states: FollowedStates, changed: readonly number[]) => void;
  /** Hears which flows new elements of watched sets concern. */
  readonly onElements: (scope: SweepScope) => void;
}

/** What is followed of the machine beside its flows: connected networks, interfaces' states, sets. */
export class Machine {
  readonly connected: ConnectedNetworks;
  readonly #parts: MachineParts;
  #routeEvents: EventSubscription | undefined;
  #interfaces: InterfaceWatch;
  #setWatch: SetWatch | undefined;

  /** Follows the interfaces of the plan at once, networks and sets when asked to. */
  constructor(parts: MachineParts, plan: Plan) {
    this.#parts = parts;
    this.connected = new ConnectedNetworks(parts.route, {
      clock: parts.clock,
      onFailure: (error) =>
        parts.warnings.warn(
          'connected networks',
          error instanceof Error ? error.message : String(error),
          'the networks known before stay exempt',
        ),
    });
    this.#interfaces = this.#watchInterfaces(plan);
  }

  /** The states of the plan's interfaces, by index. */
  get states(): FollowedStates {
    return this.#interfaces.states;
  }

  /** Follows addresses and routes, and learns them as they are. */
  async followNetworks(sockets: Pick<Sockets, 'openRouteEvents'>): Promise<void> {
    this.#routeEvents = await sockets.openRouteEvents({
      groups: CONNECTED_GROUPS,
      onMessage: (bytes, start, end) => this.connected.heard(bytes, start, end),
      onOverrun: () => this.connected.overrun(),
      onError: (error) => this.#parts.warnings.warn('route events', error.message, 'restart resteer'),
    });
    await this.connected.read();
  }

  /**
   * Follows the interfaces of another plan, with what is known of those of the same name; the sets of the old
   * one are no longer watched.
   */
  follow(plan: Plan): void {
    const before = this.#interfaces;
    before.close();
    this.#setWatch?.stop();
    this.#interfaces = this.#watchInterfaces(plan, before);
  }

  /** Watches the plan's sets; resolves when what they hold now is known. */
  async watchSets(plan: Plan): Promise<void> {
    const { ipset, clock, warnings, onElements } = this.#parts;
    this.#setWatch = new SetWatch({
      plan,
      client: new IpsetClient(ipset),
      clock,
      onNew: onElements,
      onTooLarge: (rule) =>
        warnings.warn(
          `rule ${rule.name}`,
          `set ${rule.set} has more than ${MOST_WATCHED} elements and is not watched`,
          'new elements are noticed by rechecks and periodic sweeps; "watch": false says that this is meant',
        ),
    });
    await this.#setWatch.start();
  }

  /** Follows nothing any more, from the call on; resolves when its subscription is closed. */
  async close(): Promise<void> {
    this.#interfaces.close();
    this.#setWatch?.stop();
    this.connected.close();
    await this.#routeEvents?.close();
  }

  #watchInterfaces(plan: Plan, previous?: InterfaceWatch): InterfaceWatch {
    const { clock, files, onInterfaces } = this.#parts;
    const watch = new InterfaceWatch(plan.interfaces, {
      clock,
      files,
      ...(plan.settle && { settle: plan.settle }),
      ...(previous && { previous }),
      onChange: (states, changed) => {
        onInterfaces(states, changed);
        this.#warnOfStates(states);
      },
    });
    this.#warnOfStates(watch.states);
    return watch;
  }

  #warnOfStates({ warnings }: InterfaceStates): void {
    for (const warning of warnings) this.#parts.warnings.warn('interface state', warning, 'correct the file');
  }
}
