// Compiled, never run: a line that compiles where it must not is an unused @ts-expect-error.
import {
  type CompleteTuple,
  type ConntrackClient,
  type EventHandlers,
  type EventKind,
  encodeDeleteFlow,
  type Flow,
  type FlowKey,
  type FlowView,
  IPPROTO,
  type RawFlowKey,
  writeDeleteFlow,
} from '../../src/ctnetlink/index.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const hold = <T extends true>(..._held: T[]): void => {};

// What names a flow is always there; what the kernel may leave out may be absent.
hold<Equal<Flow['originalTuple'], CompleteTuple>>();
hold<Equal<Flow['id'], number>>();
hold<Equal<Flow['mark'], number | undefined>>();
hold<Equal<CompleteTuple['source'], string>>();
hold<Equal<CompleteTuple['sourcePort'], number | undefined>>();
declare const flow: Flow;
// @ts-expect-error a flow that was read does not change
flow.mark = 1;
// @ts-expect-error what stands in requests alone is not in a flow
void flow.markMask;

// A flow that was read names itself, as a whole.
const key: FlowKey = flow;
encodeDeleteFlow(key);
const tuple = { source: '10.0.0.1', destination: '10.0.0.2', protocol: IPPROTO.ICMP };
encodeDeleteFlow({ originalTuple: tuple, id: 1 });
// @ts-expect-error a deletion without a tuple would empty the table
encodeDeleteFlow({});
// @ts-expect-error nor does an id name a flow
encodeDeleteFlow({ id: 1 });
// @ts-expect-error a tuple without addresses names no flow
encodeDeleteFlow({ originalTuple: { protocol: IPPROTO.TCP } });
declare const raw: RawFlowKey;
const buffer = new Uint8Array(120);
writeDeleteFlow(buffer, 0, raw, 1);
// @ts-expect-error an id alone is no key
writeDeleteFlow(buffer, 0, { id: 1 }, 1);
declare const withoutAddresses: Omit<RawFlowKey, 'sourceAt' | 'destinationAt' | 'bytes'>;
// @ts-expect-error a raw key has addresses
writeDeleteFlow(buffer, 0, withoutAddresses, 1);
// @ts-expect-error a raw key is deleted by its id too
writeDeleteFlow(buffer, 0, raw);

// Expected outcomes are values.
declare const client: ConntrackClient;
hold<Equal<Awaited<ReturnType<typeof client.get>>, Flow | undefined>>();
hold<Equal<Awaited<ReturnType<typeof client.delete>>, 'deleted' | 'absent'>>();
// @ts-expect-error no such field
client.list({ marc: 1 });
// @ts-expect-error ports are numbers
client.list({ original: { sourcePort: '80' } });

// A view is read in place.
hold<Equal<FlowView['kind'], EventKind>>();
hold<Equal<FlowView['mark'], number>>();
declare const view: FlowView;
// @ts-expect-error a view shows what arrived
view.mark = 1;
const handlers: EventHandlers = { onFlow: ({ kind }) => hold<Equal<typeof kind, EventKind>>() };
void handlers;
// @ts-expect-error no such kind of event
void ({ kinds: ['changed'] } satisfies EventHandlers);
