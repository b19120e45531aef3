import { type OpenConnectionOptions, openConnection } from '../nfnetlink/open.ts';
import { IpsetClient } from './client.ts';
import { ipset } from './subsystem.ts';

/**
 * Opens a socket in the present network namespace and speaks ipset over it.
 * @throws TransportError where no socket can be made. CAP_NET_ADMIN is asked for by the first request.
 */
export async function openIpset(
  options: Omit<OpenConnectionOptions, 'subsystems'> = {},
): Promise<IpsetClient> {
  return new IpsetClient(await openConnection({ ...options, subsystems: [ipset] }));
}
