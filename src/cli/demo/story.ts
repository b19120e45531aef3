import type { Lab, TrafficFlow } from '../../lab/index.ts';
import type { RouterDaemon } from './routerDaemon.ts';

/** Prints one line: who does what. */
export type Narrate = (who: string, what: string) => void;

/** What the laboratory's firewall does, said to the daemon. */
export const demoConfig = {
  markMask: '0x3f00',
  interfaces: { wan: { mark: '0x100' }, wanb: { mark: '0x200' } },
  rules: [
    { name: 'app_1', set: 'app_1.v4', family: 'ipv4', interfaces: ['wanb'] },
    { name: 'app_1', set: 'app_1.v6', family: 'ipv6', interfaces: ['wanb'] },
  ],
};

/** Flows that the daemon must leave alone, and what is asked of each in the end. */
export interface Bystander {
  readonly what: string;
  readonly flow: TrafficFlow;
  readonly wan: number;
}

interface Move {
  readonly protocol: 'tcp' | 'udp';
  readonly address: string;
  readonly set: string;
}

/** What is shown to move, in this order. */
export const moves: readonly Move[] = [
  { protocol: 'tcp', address: '203.0.113.10', set: 'app_1.v4' },
  { protocol: 'udp', address: '203.0.113.11', set: 'app_1.v4' },
  { protocol: 'tcp', address: '2001:db8:113::10', set: 'app_1.v6' },
];

const wanName = (wan: number | undefined) => (wan === 1 ? 'wan' : wan === 2 ? 'wanb' : 'no WAN');
const PLACED = '203.0.113.12';
const IN_NO_SET = '203.0.113.13';

/** One flow that begins on the wrong uplink, is recognised late, and moves. @throws Error where it does not. */
export async function showMove(lab: Lab, daemon: RouterDaemon, move: Move, narrate: Narrate): Promise<void> {
  const { protocol, address, set } = move;
  const what = `${protocol} ${address}`;
  const flow = await lab.client(1)[protocol]({ address });
  const first = await flow.send();
  narrate(
    'client1',
    `${what}: a flow begins; no set holds its address yet, it leaves by ${wanName(first.wan)}`,
  );
  if (first.wan !== 1) throw new Error(`${what} did not begin on wan`);

  const since = daemon.events.length;
  await lab.addToSet(set, address);
  narrate('dpi', `${what}: recognised; the address is added to set ${set}, which belongs on wanb`);

  const isIts = (event: { flow: { destination: string; protocol: string } }) =>
    event.flow.destination === address && event.flow.protocol === protocol;
  const reset = await daemon.event('reset', isIts, { since });
  const { outcome, from, expected } = reset;
  narrate('resteer', `${what}: on ${from}, expected on ${expected.join(' or ')}: entry ${outcome}`);
  if (outcome !== 'deleted') throw new Error(`the entry of ${what} was not deleted: ${outcome}`);

  const echo = await flow.sendUntil(({ wan }) => wan === 2, { withinMs: 10_000 });
  const how =
    protocol === 'tcp'
      ? `got ${echo.resets === 1 ? 'a TCP reset' : `${echo.resets} TCP resets`} and connected again`
      : 'goes on with its next packet, from the same port';
  narrate('client1', `${what}: ${how}, by ${wanName(echo.wan)}`);
  const moved = await daemon.event('moved', isIts, { since });
  narrate('resteer', `${what}: moved from ${moved.from} to ${moved.to}, ${moved.afterMs} ms after the reset`);
  await flow.close();
}

/** Starts the flows that nothing may happen to. */
export async function startBystanders(lab: Lab, narrate: Narrate): Promise<Bystander[]> {
  await lab.addToSet('app_1.v4', PLACED);
  const placed = await lab.client(2).tcp({ address: PLACED });
  const unclaimed = await lab.client(2).tcp({ address: IN_NO_SET });
  const bystanders = [
    { what: `tcp ${PLACED}`, flow: placed, wan: 2 },
    { what: `tcp ${IN_NO_SET}`, flow: unclaimed, wan: 1 },
  ];
  for (const { what, flow, wan } of bystanders) {
    const echo = await flow.send();
    const why = wan === 2 ? 'its address is in app_1.v4 already' : 'its address is in no set';
    narrate('client2', `${what}: ${why}, it leaves by ${wanName(echo.wan)}, where it belongs`);
    if (echo.wan !== wan) throw new Error(`${what} did not begin on ${wanName(wan)}`);
  }
  return bystanders;
}

/** @throws Error where one of them was touched. */
export async function checkBystanders(
  bystanders: readonly Bystander[],
  daemon: RouterDaemon,
  narrate: Narrate,
): Promise<void> {
  for (const { what, flow, wan } of bystanders) {
    const { wan: now, resets, connections } = await flow.send();
    const wasReset = daemon.events.some(
      (event) => event.event === 'reset' && what.endsWith(` ${event.flow.destination}`),
    );
    if (now !== wan || resets > 0 || connections !== 1 || wasReset) {
      throw new Error(
        `${what} was touched: on ${wanName(now)}, ${resets} resets, ${connections} connections`,
      );
    }
    narrate('client2', `${what}: untouched, the same connection, still by ${wanName(now)}`);
  }
}
