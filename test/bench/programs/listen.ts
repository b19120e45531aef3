/** Hears NEW events and reads what a daemon would: mark, addresses and ports, in place. */
import { type ConntrackEvents, openConntrackEvents } from '../../../src/ctnetlink/index.ts';
import { serve } from './serve.ts';

let events: ConntrackEvents | undefined;
let overruns = 0;
let sum = 0;

async function start({ moderation }: { moderation?: false }): Promise<number> {
  events = await openConntrackEvents({
    kinds: ['new'],
    receiveBuffer: 32 << 20,
    ...(moderation === false && { moderation }),
    onView: (view) => {
      const { original } = view;
      sum ^= view.mark ^ original.sourceIpv4 ^ original.destinationIpv4 ^ original.destinationPort;
    },
    onOverrun: () => {
      overruns += 1;
    },
  });
  return events.subscription.receiveBufferSize;
}

serve({ start, totals: () => ({ messages: events!.stats.messages, overruns, sum }) });
