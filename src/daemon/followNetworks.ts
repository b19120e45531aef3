import { NETLINK } from '../nfnetlink/constants.ts';
import { openConnection, openSubscription } from '../nfnetlink/open.ts';
import { CONNECTED_GROUPS, ConnectedNetworks, type ConnectedNetworksOptions } from './connectedNetworks.ts';

/** The directly connected networks, and the two sockets by which they are followed. */
export interface FollowedNetworks {
  readonly connected: ConnectedNetworks;
  /** Closes both sockets; idempotent. */
  close(): Promise<void>;
}

/**
 * Opens sockets for rtnetlink, subscribes, and reads the networks for the first time. Needs no privileges.
 * @throws TransportError where no socket can be made, KernelError where the kernel refuses to tell.
 */
export async function followNetworks(options: ConnectedNetworksOptions): Promise<FollowedNetworks> {
  const protocol = NETLINK.ROUTE;
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    await Promise.all(closers.map((each) => each()));
  };
  try {
    const connection = await openConnection({ protocol });
    const connected = new ConnectedNetworks(connection, options);
    closers.push(async () => connected.close());
    closers.push(() => connection.close());
    const subscription = await openSubscription({
      protocol,
      groups: CONNECTED_GROUPS,
      onMessage: (bytes, start, end) => connected.heard(bytes, start, end),
      onOverrun: () => connected.overrun(),
      onError: options.onFailure,
    });
    closers.push(() => subscription.close());
    await connected.read();
    return { connected, close };
  } catch (error) {
    await close();
    throw error;
  }
}
