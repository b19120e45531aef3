import { type ConnectionOptions, RequestConnection } from './connection.ts';
import { EventSubscription, type SubscriptionOptions } from './subscription.ts';
import { openTransport } from './transport/select.ts';
import type { TransportOptions } from './transport.ts';

/** Events are smaller than a page; only dump chunks are larger. */
const eventSlotSize = 4096;

/** What is asked of a new socket for requests; it joins no group. */
export type OpenConnectionOptions = ConnectionOptions & Omit<TransportOptions, 'groups'>;

/**
 * Opens a socket for requests, by the best means that this runtime has.
 * @throws TransportError where there is no such means, or the kernel has no netfilter netlink.
 */
export async function openConnection(options: OpenConnectionOptions = {}): Promise<RequestConnection> {
  return new RequestConnection(await openTransport(options), options);
}

/** What is asked of a new socket for events. */
export type OpenSubscriptionOptions = SubscriptionOptions & Omit<TransportOptions, 'groups'>;

/**
 * Opens a socket for events and joins the groups.
 * @throws TransportError EPERM without CAP_NET_ADMIN; also where there is no means to open one.
 */
export async function openSubscription(options: OpenSubscriptionOptions): Promise<EventSubscription> {
  const { groups, ...rest } = options;
  const transport = await openTransport({ slotSize: eventSlotSize, ...rest, ...(groups && { groups }) });
  return new EventSubscription(transport, rest);
}
