import { readFileSync } from 'node:fs';
import { openConntrack } from '../../ctnetlink/client.ts';
import { openConntrackEvents } from '../../ctnetlink/events.ts';
import { systemClock } from '../../nfnetlink/clock.ts';
import { AF } from '../../nfnetlink/constants.ts';
import { openConnection } from '../../nfnetlink/open.ts';
import type { FlowTable } from '../../report/flowTable.ts';
import { Ending } from './ending.ts';
import { Observer } from './observer.ts';
import type { ReportSettings } from './settings.ts';
import { untrackedFamilies, untrackedText } from './tracking.ts';

const EVENTS_SYSCTL = '/proc/sys/net/netfilter/nf_conntrack_events';
/** How often the table is listed where no events come. */
const LISTING_MS = 10_000;

const LOSS =
  'events were lost, since more came than could be read: the table is listed again; what began and ended ' +
  'meanwhile is missing';
const NO_EVENTS =
  'the kernel sends no events, since nf_conntrack_events is 0: the table is listed every 10 s, and what is ' +
  'shorter is missing: sysctl -w net.netfilter.nf_conntrack_events=1';

/**
 * Fills the table from the kernel until the time is over, nothing new comes any more, or `stopped` resolves.
 * @param say hears what hinders it, as soon as that is known
 * @throws what the kernel refuses: EPERM without CAP_NET_ADMIN
 */
export async function followKernel(
  table: FlowTable,
  settings: ReportSettings,
  stopped: Promise<void>,
  say: (text: string) => void,
): Promise<void> {
  const ending = new Ending(systemClock);
  void stopped.then(ending.end);
  const client = await openConntrack();
  let losses = 0;
  const observer = new Observer({
    ...{ client, filter: settings.filter, table, clock: systemClock },
    openEvents: openConntrackEvents,
    onLoss: () => {
      if (losses++ === 0) say(LOSS);
    },
    onFailure: ending.fail,
  });
  try {
    // an earlier report may have counted what is there
    await ending.orOver(observer.start(settings.isResumed ? 0 : 1));
    await ending.orOver(sayWhoIsUntracked(observer, settings, say));
    if (areEventsOff()) {
      say(NO_EVENTS);
      ending.every(LISTING_MS, () => observer.list());
    }
    if (settings.durationMs !== undefined) ending.endAfter(settings.durationMs);
    if (settings.idleMs !== undefined) ending.endAtRest(settings.idleMs, () => observer.lastNew);
    await ending.over;
    if (losses > 1)
      say(`events were lost ${losses} times: filter less, or see resteer doctor for the buffer`);
  } finally {
    ending.close();
    await observer.close();
    await client.close();
  }
}

/** A family of which a flow was seen needs no rule that is looked for. */
async function sayWhoIsUntracked(
  observer: Observer,
  { checkedFilter: { family } }: ReportSettings,
  say: (text: string) => void,
): Promise<void> {
  const wanted: number[] = [AF.INET, AF.INET6].filter(
    (each) => (family === undefined || family === each) && !observer.hasSeen(each),
  );
  if (wanted.length === 0) return;
  const connection = await openConnection();
  try {
    const untracked = (await untrackedFamilies(connection)).filter((each) => wanted.includes(each));
    if (untracked.length > 0) say(untrackedText(untracked));
  } finally {
    await connection.close();
  }
}

function areEventsOff(): boolean {
  try {
    return readFileSync(EVENTS_SYSCTL, 'latin1').trim() === '0';
  } catch {
    return false;
  }
}
