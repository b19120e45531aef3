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

/** The daemon's sockets for requests. */
export interface Requesters {
  readonly ctnetlink: Requester;
  /** For dumps alone: requests on the same socket would keep a dump flowing that should wait. */
  readonly dumps: Requester;
  readonly ipset: Requester;
  readonly route: Requester;
}

/** Opens all of them, or none: where one cannot be opened, the others are closed again. */
export async function openRequesters(sockets: Sockets): Promise<Requesters> {
  const settled = await Promise.allSettled([
    sockets.openCtnetlink(),
    sockets.openCtnetlink(),
    sockets.openIpset(),
    sockets.openRoute(),
  ]);
  const failed = settled.find((each) => each.status === 'rejected');
  const opened = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  if (failed) {
    await Promise.all(opened.map((requester) => requester.close()));
    throw failed.reason;
  }
  const [ctnetlink, dumps, ipset, route] = opened as [Requester, Requester, Requester, Requester];
  return { ctnetlink, dumps, ipset, route };
}
