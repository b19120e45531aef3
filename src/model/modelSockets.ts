import { ctnetlink } from '../ctnetlink/index.ts';
import { ipset } from '../ipset/index.ts';
import {
  EventSubscription,
  NETLINK,
  RequestConnection,
  type SubscriptionOptions,
  type Subsystem,
} from '../nfnetlink/index.ts';
import type { ModelKernel } from './modelKernel.ts';

/** Conversations with the model, by the library's own code, in the model's time. */
export class ModelSockets {
  readonly #kernel: ModelKernel;

  constructor(kernel: ModelKernel) {
    this.#kernel = kernel;
  }

  openCtnetlink(): Promise<RequestConnection> {
    return this.#connect(NETLINK.NETFILTER, [ctnetlink]);
  }
  openIpset(): Promise<RequestConnection> {
    return this.#connect(NETLINK.NETFILTER, [ipset]);
  }
  openRoute(): Promise<RequestConnection> {
    return this.#connect(NETLINK.ROUTE, []);
  }

  async openEvents(options: SubscriptionOptions, receiveBuffer: number): Promise<EventSubscription> {
    return new EventSubscription(this.#kernel.open({ receiveBuffer }), this.#timed(options));
  }
  async openRouteEvents(options: SubscriptionOptions): Promise<EventSubscription> {
    return new EventSubscription(this.#kernel.open({ protocol: NETLINK.ROUTE }), this.#timed(options));
  }

  async #connect(protocol: number, subsystems: readonly Subsystem[]): Promise<RequestConnection> {
    const { clock } = this.#kernel;
    return new RequestConnection(this.#kernel.open({ protocol }), { subsystems, clock, firstSeq: 1 });
  }

  #timed(options: SubscriptionOptions): SubscriptionOptions {
    return { ...options, clock: this.#kernel.clock };
  }
}
