import { describeTransport } from '../nfnetlink/transport/select.ts';
import type { Engine } from './engine.ts';
import type { ResetGuard } from './guard.ts';
import type { Totals } from './totals.ts';

export interface StatusFacts {
  readonly uptimeMs: number;
  readonly totals: Totals;
  readonly engine: Engine;
  readonly isSweeping: boolean;
  /** The event socket's, in bytes as the kernel accounts them. */
  readonly receiveBuffer: number;
  /** How many directly connected networks are known. */
  readonly connected: number;
}

/** Whether misplaced flows are reset now. */
export type DaemonState = 'running' | 'paused' | 'breaker-open';

export function stateOf(guard: ResetGuard): DaemonState {
  return guard.isPaused ? 'paused' : guard.isOpen ? 'breaker-open' : 'running';
}

/** Everything that `resteer status` shows; plain JSON. */
export type DaemonStatus = ReturnType<typeof statusOf>;

export function statusOf({ uptimeMs, totals, engine, isSweeping, receiveBuffer, connected }: StatusFacts) {
  const { plan, standing, guard, ruleSets, judge, store } = engine;
  const names = (rule: number, family: 'ipv4' | 'ipv6') =>
    standing.expected(rule, family).map((index) => plan.interfaces[index]!.name);
  return {
    uptimeMs: Math.round(uptimeMs),
    state: stateOf(guard),
    dryRun: plan.dryRun,
    transport: describeTransport().kind,
    events: totals.events,
    malformed: totals.malformed,
    judged: Object.values(totals.verdicts).reduce((sum, count) => sum + count, 0),
    tested: judge.totals.tested,
    questions: judge.totals.questions,
    verdicts: { ...totals.verdicts },
    ignored: { ...totals.ignored },
    resets: { ...totals.resets },
    suppressed: { ...totals.suppressed },
    moved: totals.moved,
    returned: totals.returned,
    overruns: totals.overruns,
    shed: totals.shed,
    evicted: totals.evicted,
    sweeps: { done: totals.sweeps, flows: totals.swept, running: isSweeping },
    queues: engine.depths,
    latencyMs: totals.latencyMs,
    receiveBuffer,
    memory: { rss: process.memoryUsage.rss(), flowStore: store.byteLength },
    connectedNetworks: connected,
    interfaces: plan.interfaces.map(({ name, mark }, index) => ({
      name,
      mark,
      online: standing.online[index]!,
    })),
    rules: plan.rules.map(({ name, set, family }, rule) => ({
      name,
      set,
      setState: ruleSets.state(rule).kind,
      expected: Object.fromEntries(
        (['ipv4', 'ipv6'] as const)
          .filter((each) => family === undefined || family === each)
          .map((each) => [each, names(rule, each)]),
      ),
    })),
  };
}
