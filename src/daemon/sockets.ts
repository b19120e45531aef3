import { ctnetlink } from '../ctnetlink/index.ts';
import { ipset } from '../ipset/index.ts';
import {
  type EventSubscription,
  NETLINK,
  openConnection,
  openSubscription,
  type Requester,
  type SubscriptionOptions,
} from '../nfnetlink/index.ts';

/** The daemon's sockets, each with one task, so that none's answers are lost in another's flood. */
export interface Sockets {
  openCtnetlink(): Promise<Requester>;
  openIpset(): Promise<Requester>;
  openRoute(): Promise<Requester>;
  /** Events of connection tracking, with a receive buffer of so many bytes. */
  openEvents(options: SubscriptionOptions, receiveBuffer: number): Promise<EventSubscription>;
  openRouteEvents(options: SubscriptionOptions): Promise<EventSubscription>;
}

/** Sockets of the kernel that this process runs on, in its network namespace. */
export const systemSockets: Sockets = {
  openCtnetlink: () => openConnection({ subsystems: [ctnetlink] }),
  openIpset: () => openConnection({ subsystems: [ipset] }),
  openRoute: () => openConnection({ protocol: NETLINK.ROUTE }),
  openEvents: (options, receiveBuffer) => openSubscription({ ...options, receiveBuffer }),
  openRouteEvents: (options) => openSubscription({ ...options, protocol: NETLINK.ROUTE }),
};
