import { IpsetClient } from '../ipset/index.ts';
import type { Clock } from '../nfnetlink/clock.ts';
import type { Requester } from '../nfnetlink/requester.ts';
import { ConnectedNetworks } from './connectedNetworks.ts';
import { readInterfaceStates } from './interfaceState.ts';
import type { Network, Plan } from './plan.ts';
import { RuleSets } from './ruleSets.ts';
import type { Sockets } from './sockets.ts';
import { makeStanding, type Standing } from './standing.ts';
import type { StateFiles } from './stateFiles.ts';

/** What a single look at this machine needs, without a daemon. */
export interface Survey {
  readonly standing: Standing;
  readonly ruleSets: RuleSets;
  readonly connected: ConnectedNetworks;
  readonly networks: readonly Network[];
  readonly ctnetlink: Requester;
  readonly ipset: Requester;
  /** What is odd about the interfaces' state files. */
  readonly warnings: readonly string[];
}

export interface SurveyParts {
  readonly plan: Plan;
  readonly sockets: Sockets;
  readonly files: StateFiles;
  readonly clock: Clock;
}

/**
 * Opens sockets, reads interfaces, networks and sets once, and closes the sockets when the body is done.
 * @throws TransportError, KernelError EPERM without CAP_NET_ADMIN
 */
export async function withSurvey<T>(
  { plan, sockets, files, clock }: SurveyParts,
  body: (survey: Survey) => Promise<T>,
): Promise<T> {
  const opened: Requester[] = [];
  const open = async (opening: Promise<Requester>) => {
    const requester = await opening;
    opened.push(requester);
    return requester;
  };
  try {
    const ctnetlink = await open(sockets.openCtnetlink());
    const ipset = await open(sockets.openIpset());
    const connected = new ConnectedNetworks(await open(sockets.openRoute()), { clock, onFailure: () => {} });
    await connected.read();
    const ruleSets = new RuleSets(plan, new IpsetClient(ipset), () => {});
    await ruleSets.refresh();
    const { online, warnings } = readInterfaceStates(plan.interfaces, files);
    const standing = makeStanding(plan, online);
    return await body({
      standing,
      ruleSets,
      connected,
      networks: connected.list,
      ctnetlink,
      ipset,
      warnings,
    });
  } finally {
    await Promise.all(opened.map((requester) => requester.close()));
  }
}
