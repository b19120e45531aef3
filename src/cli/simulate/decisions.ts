import { eventText } from '../../daemon/eventText.ts';
import { type FlowDescription, flowText } from '../../daemon/flowDescription.ts';
import type { DaemonEvent } from '../../daemon/tell.ts';
import { keyOfFlow } from './simulation.ts';

/** What is decided about a flow: that it is reset, or that it would be and is left alone. */
export type Decision = Extract<DaemonEvent, { event: 'reset' | 'suppressed' }>;

/** The first decision about a flow. */
export interface FlowDecision {
  readonly flow: FlowDescription;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly decision: Decision;
}

/** The first decision about each flow of a run, by what tells the flow from others. */
export class Decisions {
  readonly byFlow = new Map<string, FlowDecision>();

  take(event: DaemonEvent, at: number): void {
    if (event.event !== 'reset' && event.event !== 'suppressed') return;
    const key = keyOfFlow(event.flow);
    if (!this.byFlow.has(key)) this.byFlow.set(key, { flow: event.flow, at, decision: event });
  }
}

/** A flow that two runs decide about otherwise; undefined where one leaves it where it is. */
export interface Difference {
  readonly flow: FlowDescription;
  readonly before: FlowDecision | undefined;
  readonly after: FlowDecision | undefined;
}

/** The flows whose decisions differ in what is done or why, in the order of the runs. */
export function differencesOf(before: Decisions, after: Decisions): Difference[] {
  const keys = new Set([...before.byFlow.keys(), ...after.byFlow.keys()]);
  return [...keys].flatMap((key) => {
    const [one, other] = [before.byFlow.get(key), after.byFlow.get(key)];
    return meaningOf(one) === meaningOf(other)
      ? []
      : { flow: (one ?? other)!.flow, before: one, after: other };
  });
}

/** What makes a decision another one: neither its moment nor the flow's id does. */
function meaningOf(decided: FlowDecision | undefined): string {
  if (!decided) return 'none';
  const { event, rule, set, from, expected } = decided.decision;
  return JSON.stringify([
    event,
    'outcome' in decided.decision && decided.decision.outcome,
    rule,
    set,
    from,
    expected,
  ]);
}

export function differenceText({ flow, before, after }: Difference): string {
  const line = (sign: string, decided: FlowDecision | undefined) =>
    `  ${sign} ${decided ? `${timeText(decided.at)} ${eventText(decided.decision)}` : 'left where it is'}\n`;
  return `${flowText(flow)}\n${line('-', before)}${line('+', after)}`;
}

export function differenceJson({ flow, before, after }: Difference): string {
  const side = (decided: FlowDecision | undefined) =>
    decided ? { time: timeText(decided.at), ...decided.decision } : null;
  return `${JSON.stringify({ event: 'difference', flow, before: side(before), after: side(after) })}\n`;
}

function timeText(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
