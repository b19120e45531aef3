/** Daemons with a part broken, each by what is handed to it or put in its way: the referee has to see every one. */

import {
  type CompleteTuple,
  encodeDeleteFlow,
  FlowView,
  flowAttributes,
  IPCTNL_MSG_CT,
} from '../../src/ctnetlink/index.ts';
import type { Daemon } from '../../src/daemon/daemon.ts';
import type { Plan } from '../../src/daemon/plan.ts';
import type { Sockets } from '../../src/daemon/sockets.ts';
import type { StateFiles } from '../../src/daemon/stateFiles.ts';
import { encodeEntry, type ModelKernel } from '../../src/model/index.ts';
import {
  ATTRIBUTES_AT,
  commandOf,
  concatenated,
  ERRNO,
  messageType,
  type Requester,
  walkMessages,
} from '../../src/nfnetlink/index.ts';

/** What of a daemon is broken. */
export interface Mutant {
  readonly name: string;
  readonly plan?: (plan: Plan) => Plan;
  readonly sockets?: (sockets: Sockets, kernel: ModelKernel) => Sockets;
  readonly files?: (files: StateFiles) => StateFiles;
  readonly daemon?: (daemon: Daemon) => void;
}

const plans = (name: string, change: (plan: Plan) => Partial<Plan>): Mutant => ({
  name,
  plan: (plan) => ({ ...plan, ...change(plan) }),
});
const rules = (
  name: string,
  change: (rule: Plan['rules'][number]) => Partial<Plan['rules'][number]>,
): Mutant => plans(name, (plan) => ({ rules: plan.rules.map((rule) => ({ ...rule, ...change(rule) })) }));
const limits = (name: string, changed: Partial<Plan['limits']>): Mutant =>
  plans(name, (plan) => ({ limits: { ...plan.limits, ...changed } }));

export const mutants: readonly Mutant[] = [
  plans('the last rule that holds a flow decides', ({ rules: all }) => ({ rules: [...all].reverse() })),
  plans('exemptions are forgotten', () => ({ exempt: { destinations: [], sources: [], ports: [] } })),
  plans('a dry run is none', () => ({ dryRun: false })),
  plans('an interface that has just changed counts at once', () => ({
    settle: { offlineMs: 0, onlineMs: 0 },
  })),
  plans('nothing is asked again', () => ({ recheckMs: [1_000_000] })),
  limits('there is no budget', {
    resetsPerSecond: Number.POSITIVE_INFINITY,
    resetsPerClientPerSecond: Number.POSITIVE_INFINITY,
  }),
  limits('the budget of a client is that of all', { resetsPerClientPerSecond: Number.POSITIVE_INFINITY }),
  limits('what has returned does not rest', { cooldownMs: 1 }),
  rules('protocols are not compared', ({ protocol: _, ...rule }) => ({
    ...rule,
    protocol: undefined as never,
  })),
  rules('sets are not watched', () => ({ watch: false })),
  rules('clients stay pinned', () => ({ sticky: null })),
  rules('what is to stay at failover is reset', () => ({ failover: 'reset' })),
  rules('what is to stay at failback is reset', () => ({ failback: 'reset' })),
  rules('every member is as good as the best', ({ members }) => ({
    members: members.map((member) => ({ ...member, metric: 1 })),
  })),
  {
    name: 'interfaces are online for ever',
    files: (files) => ({ ...filesOf(files), read: () => 'online' }),
  },
  {
    name: 'interfaces stay as they were',
    files: (files) => {
      const first = new Map<string, string | undefined>();
      const read = (path: string) => {
        if (!first.has(path)) first.set(path, files.read(path));
        return first.get(path);
      };
      return { ...filesOf(files), read };
    },
  },
  {
    name: 'overruns of events are not noticed',
    sockets: (sockets) => ({
      ...socketsOf(sockets),
      openEvents: (options, size) => sockets.openEvents({ ...options, onOverrun: () => {} }, size),
    }),
  },
  {
    name: 'events are not heard',
    sockets: (sockets) => ({
      ...socketsOf(sockets),
      openEvents: (options, size) => sockets.openEvents({ ...options, onMessage: () => {} }, size),
    }),
  },
  {
    name: 'connected networks are not known',
    sockets: (sockets) => ({
      ...socketsOf(sockets),
      openRoute: async () => ({ ...requesterOf(await sockets.openRoute()), visit: async () => {} }),
    }),
  },
  {
    name: 'an entry is not read again before its reset',
    sockets: (sockets, kernel) => ({
      ...socketsOf(sockets),
      openCtnetlink: async () => unread(await sockets.openCtnetlink(), kernel),
    }),
  },
  {
    name: 'an entry is deleted whatever was read of it',
    sockets: (sockets, kernel) => ({
      ...socketsOf(sockets),
      openCtnetlink: async () => careless(await sockets.openCtnetlink(), kernel),
    }),
  },
  {
    name: 'a socket stays open',
    sockets: (sockets) => ({
      ...socketsOf(sockets),
      openIpset: async () => ({ ...requesterOf(await sockets.openIpset()), close: async () => {} }),
    }),
  },
  {
    name: 'a client that could not be unpinned is taken for unpinned',
    sockets: (sockets) => ({
      ...socketsOf(sockets),
      openIpset: async () => {
        const requester = await sockets.openIpset();
        return {
          ...requesterOf(requester),
          acknowledge: (message, options) => requester.acknowledge(message, options).catch(() => {}),
        };
      },
    }),
  },
  {
    name: 'a pause is none',
    daemon: (daemon) => withHold(daemon, ({ isOpen }) => (isOpen ? 'breaker' : undefined)),
  },
  {
    name: 'an open circuit breaker is ignored',
    daemon: (daemon) => withHold(daemon, ({ isPaused }) => (isPaused ? 'paused' : undefined)),
  },
  {
    name: 'the circuit breaker never opens',
    daemon: ({ engine: { guard } }) => {
      const returned = guard.returned.bind(guard);
      guard.returned = (key, now) => {
        const answer = returned(key, now);
        if (!guard.isPaused) guard.resume();
        return { ...answer, opened: false };
      };
    },
  },
  {
    name: 'the circuit breaker opens too early',
    daemon: ({ engine: { guard } }) => {
      const returned = guard.returned.bind(guard);
      guard.returned = (key, now) => {
        returned('another flow', now);
        return returned(key, now);
      };
    },
  },
  {
    name: 'a resume is none',
    daemon: (daemon) => {
      daemon.resume = () => void daemon.sweep();
    },
  },
  {
    name: 'nothing goes on after a resume',
    daemon: (daemon) => {
      let held: Hold;
      withHold(daemon, ({ isOpen }) => {
        if (isOpen) held = 'breaker';
        return held;
      });
    },
  },
  {
    name: 'the table is never swept',
    daemon: (daemon) => {
      daemon.sweep = async () => undefined;
    },
  },
  {
    name: 'another plan is not put in force',
    daemon: (daemon) => {
      daemon.reload = async () => {};
    },
  },
];

type Hold = Daemon['engine']['guard']['hold'];

/** Another answer to whether resets are held, by the guard of the first plan. */
function withHold({ engine: { guard } }: Daemon, answer: (is: typeof guard) => Hold): void {
  Object.defineProperty(guard, 'hold', { get: () => answer(guard) });
}

function filesOf(files: StateFiles): StateFiles {
  return {
    read: (path) => files.read(path),
    identify: (folder) => files.identify(folder),
    newest: (folder) => files.newest(folder),
    watch: (folder, onChange) => files.watch(folder, onChange),
  };
}

function socketsOf(sockets: Sockets): Sockets {
  return {
    openCtnetlink: () => sockets.openCtnetlink(),
    openIpset: () => sockets.openIpset(),
    openRoute: () => sockets.openRoute(),
    openEvents: (options, size) => sockets.openEvents(options, size),
    openRouteEvents: (options) => sockets.openRouteEvents(options),
  };
}

function requesterOf(requester: Requester): Requester {
  return {
    acknowledge: (message, options) => requester.acknowledge(message, options),
    query: (message, decode, options) => requester.query(message, decode, options),
    pipeline: (messages, handler, options) => requester.pipeline(messages, handler, options),
    dump: (message, decode, options) => requester.dump(message, decode, options),
    visit: (message, visitor, options) => requester.visit(message, visitor, options),
    close: () => requester.close(),
  };
}

const commandAt = (messages: Uint8Array) => commandOf(messageType(messages, 0));

/** Questions about entries are answered without asking the kernel. */
function unread(requester: Requester, kernel: ModelKernel): Requester {
  return {
    ...requesterOf(requester),
    async pipeline(messages, handler, options) {
      if (commandAt(messages) !== IPCTNL_MSG_CT.GET) return requester.pipeline(messages, handler, options);
      let index = 0;
      walkMessages(messages, 0, messages.length, (bytes, start, end) => {
        const { originalTuple, zone } = flowAttributes.decode(bytes, start + ATTRIBUTES_AT, end);
        const entry = kernel.conntrack.find(originalTuple as CompleteTuple, zone);
        const answer = entry && encodeEntry(entry, kernel.clock.now());
        if (answer) handler.onData?.(index, answer, 0, answer.length);
        handler.onAck(index++, entry ? 0 : ERRNO.ENOENT, bytes, start, end);
      });
    },
  };
}

/** What is asked about is deleted, also where it has changed. */
function careless(requester: Requester, kernel: ModelKernel): Requester {
  const view = new FlowView();
  return {
    ...requesterOf(requester),
    async pipeline(messages, handler, options) {
      if (commandAt(messages) !== IPCTNL_MSG_CT.GET) return requester.pipeline(messages, handler, options);
      const read: Uint8Array[] = [];
      await requester.pipeline(
        messages,
        {
          ...handler,
          onData: (index, bytes, start, end) => {
            handler.onData?.(index, bytes, start, end);
            read.push(bytes.slice(start, end));
          },
        },
        options,
      );
      const deletions = read.flatMap((bytes) => {
        const { originalTuple, id } = view.attach(bytes, 0, bytes.length).toFlow();
        return kernel.conntrack.find(originalTuple) ? [encodeDeleteFlow({ originalTuple, id })] : [];
      });
      if (deletions.length > 0)
        await requester.pipeline(concatenated(deletions), { onAck: () => {} }, options);
    },
  };
}
