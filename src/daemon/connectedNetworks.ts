import {
  AF,
  type Clock,
  DecodeError,
  MESSAGE_HEADER,
  type MessageDecoder,
  messageFlags,
  messageType,
  type NetlinkError,
  NLM_F,
  type Requester,
  systemClock,
  type Timer,
  toHex,
} from '../nfnetlink/index.ts';
import { address, encodeAddressDump, encodeRouteDump, RTM, RTNLGRP, route } from '../rtnetlink/index.ts';
import { NetworkSet } from './network.ts';
import { networkOfRoute, networksOfAddress } from './onLink.ts';
import type { Network } from './plan.ts';

/** What to join to hear of every change: of links too, since IPv4 drops a dead link's routes in silence. */
export const CONNECTED_GROUPS: readonly number[] = [
  RTNLGRP.LINK,
  RTNLGRP.IPV4_IFADDR,
  RTNLGRP.IPV4_ROUTE,
  RTNLGRP.IPV6_IFADDR,
  RTNLGRP.IPV6_ROUTE,
];

/** Changes come in company: an address brings three routes. */
const SETTLE_MS = 100;
const RETRY_MS = 1000;

export interface ConnectedNetworksOptions {
  /** Hears of another set of networks. Not called where a change came to nothing. */
  readonly onChange?: () => void;
  /** Hears that the kernel could not be asked; the last known networks stay, and it is asked again. */
  readonly onFailure: (error: unknown) => void;
  readonly clock?: Clock;
}

/**
 * The networks on the links of this machine, its own addresses and its broadcast addresses, followed as
 * they change: a change is a reason to read everything again, so that nothing depends on what events say.
 * The owner subscribes to CONNECTED_GROUPS first, hands over what is heard, then calls read().
 */
export class ConnectedNetworks {
  readonly #requester: Requester;
  readonly #options: ConnectedNetworksOptions;
  readonly #clock: Clock;
  #list: readonly Network[] = [];
  #set = new NetworkSet([]);
  #key = '';
  #timer: Timer | undefined;
  #isReading = false;
  #isStale = false;
  #isClosed = false;

  /** @param requester of a NETLINK_ROUTE socket; the owner closes it */
  constructor(requester: Requester, options: ConnectedNetworksOptions) {
    this.#requester = requester;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** The networks of the last reading; another object after a change. */
  get networks(): NetworkSet {
    return this.#set;
  }

  /** The same, each once, in the order of its bytes. */
  get list(): readonly Network[] {
    return this.#list;
  }

  /**
   * Reads all addresses and routes. Changes are followed in any case, also where this fails.
   * @throws what the requester throws
   */
  async read(): Promise<void> {
    this.#isReading = true;
    this.#isStale = false;
    try {
      this.#take(await this.#ask());
    } finally {
      this.#isReading = false;
      if (this.#isStale) this.#readAfter(SETTLE_MS);
    }
  }

  /** One event of CONNECTED_GROUPS, in place. */
  heard(bytes: Uint8Array, start: number, end: number): void {
    if (isChange(bytes, start, end)) this.#changed();
  }

  /** Events were lost. */
  overrun(): void {
    this.#changed();
  }

  /** No callback runs any more. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #changed(): void {
    if (this.#isReading) this.#isStale = true;
    else this.#readAfter(SETTLE_MS);
  }

  #readAfter(milliseconds: number): void {
    if (this.#timer || this.#isClosed) return;
    this.#timer = this.#clock.after(milliseconds, () => {
      this.#timer = undefined;
      this.read().catch((error) => this.#failed(error));
    });
    this.#timer.unref();
  }

  #failed(error: unknown): void {
    if (this.#isClosed) return;
    // routes that change all the time, as they do while links come up, are read when they rest
    if ((error as { kind?: unknown } | undefined)?.kind !== 'dump-interrupted')
      this.#options.onFailure(error);
    this.#readAfter(RETRY_MS);
  }

  async #ask(): Promise<Network[]> {
    const networks: Network[] = [];
    for (const family of [AF.INET, AF.INET6]) {
      await this.#visit(encodeAddressDump(family), networks, (bytes, start, end) => {
        if (messageType(bytes, start) !== RTM.NEWADDR) return;
        networks.push(...networksOfAddress(address.decode(bytes, start + MESSAGE_HEADER, end)));
      });
      await this.#visit(encodeRouteDump(family), networks, (bytes, start, end) => {
        if (messageType(bytes, start) !== RTM.NEWROUTE) return;
        const network = networkOfRoute(route.decode(bytes, start + MESSAGE_HEADER, end));
        if (network) networks.push(network);
      });
    }
    return networks;
  }

  async #visit(request: Uint8Array, networks: Network[], visitor: MessageDecoder<void>): Promise<void> {
    try {
      await this.#requester.visit(request, visitor);
    } catch (error) {
      if (!(error instanceof Error) || (error as NetlinkError).kind !== 'dump-interrupted') throw error;
      // the table changed under the dump, which may have missed some: those known before stay for now
      networks.push(...this.#list);
      this.#isStale = true;
    }
  }

  #take(networks: readonly Network[]): void {
    if (this.#isClosed) return;
    const byKey = new Map(
      networks.map((network) => [`${toHex(network.address)}/${network.prefix}`, network]),
    );
    const keys = [...byKey.keys()].sort();
    const key = keys.join(' ');
    if (key === this.#key) return;
    this.#key = key;
    this.#list = keys.map((each) => byKey.get(each)!);
    this.#set = new NetworkSet(this.#list);
    this.#options.onChange?.();
  }
}

/** Whether an event can have changed the networks; routes through gateways, which may come in floods, cannot. */
function isChange(bytes: Uint8Array, start: number, end: number): boolean {
  const type = messageType(bytes, start);
  if (type !== RTM.NEWROUTE && type !== RTM.DELROUTE) return true;
  // nothing else tells that the replaced route is gone
  if (type === RTM.NEWROUTE && (messageFlags(bytes, start) & NLM_F.REPLACE) !== 0) return true;
  try {
    return networkOfRoute(route.decode(bytes, start + MESSAGE_HEADER, end)) !== undefined;
  } catch (error) {
    if (error instanceof DecodeError) return true;
    throw error;
  }
}
