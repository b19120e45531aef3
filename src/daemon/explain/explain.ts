import { IPS } from '../../ctnetlink/index.ts';
import { isIcmp, protocolName } from '../../ctnetlink/protocol.ts';
import { formatAddress } from '../../nfnetlink/address.ts';
import { candidatesOf, fits, type RuleFacts } from '../candidates.ts';
import { ANSWER, decide } from '../decide.ts';
import type { FlowDescription } from '../flowDescription.ts';
import { addressLength } from '../flowStore.ts';
import { MarkTable } from '../intake.ts';
import { contains, NetworkSet } from '../network.ts';
import { familyName, type Network, type Plan, type PlanRule } from '../plan.ts';
import type { SetState } from '../ruleSets.ts';
import { outOfScope } from '../scope.ts';
import type { Placement, Standing } from '../standing.ts';
import type { DaemonState } from '../status.ts';
import type { Verdict } from '../verdict.ts';

/** One flow, as it was gathered. */
export interface FlowFacts {
  readonly facts: RuleFacts & Placement;
  /** Without an id for a flow that is not in the table. */
  readonly flow: Omit<FlowDescription, 'id'> & { readonly id?: number };
  /** IPS bits of its entry; undefined for a flow that is not in the table. */
  readonly status: number | undefined;
  /** What each rule's set says of it (ANSWER), by rule index; undefined where it was not asked. */
  readonly answers: readonly (number | undefined)[];
  /** How long it still rests after it came back, in milliseconds; 0 where it does not, or no daemon was asked. */
  readonly restMs: number;
}

/** What holds for every flow. */
export interface ExplainFacts {
  readonly standing: Standing;
  /** By rule index. */
  readonly sets: readonly SetState[];
  readonly connected: readonly Network[];
  /** The state of the daemon that was asked; null where none was. */
  readonly daemon: DaemonState | null;
  /** net.netfilter.nf_conntrack_tcp_loose; undefined where it cannot be read. */
  readonly tcpLoose: number | undefined;
}

export interface RuleExplanation {
  readonly rule: string;
  /** Null for a rule without a set, which takes every flow that it fits. */
  readonly set: string | null;
  /** Whether what is in its set is out of scope. */
  readonly exempts: boolean;
  readonly setState: SetState['kind'] | null;
  readonly setType: string | null;
  /** What keeps the rule, or its set, from the flow; null where nothing does. */
  readonly unfit: string | null;
  /** What the set was asked, and its answer; null where it was not asked. */
  readonly asked: string | null;
  readonly answer: 'in' | 'not in' | 'no answer' | null;
  /** Whether the daemon asks it: whether its answer can make this flow misplaced, or keep it from being so. */
  readonly matters: boolean;
  readonly expected: readonly string[];
  readonly decides: boolean;
}

export interface FlowExplanation {
  readonly flow: FlowFacts['flow'];
  /** Whether the flow is in the table; otherwise it is one that could be. */
  readonly inTable: boolean;
  /** The interface that its mark names. */
  readonly interface: string | null;
  /** The network that puts it out of scope, where it is one. */
  readonly network: string | null;
  readonly rules: readonly RuleExplanation[];
  readonly verdict: Verdict['kind'];
  /** Why it is ignored. */
  readonly reason: string | null;
  /** The rule that decided, be it that the flow is exempt. */
  readonly decidedBy: string | null;
  readonly expected: readonly string[];
  readonly action: 'reset' | 'recheck' | 'none';
  /** What a reset would do to it. */
  readonly effect: string | null;
  /** What would prevent the reset, or make it do harm. */
  readonly obstacles: readonly string[];
}

/** Walks one flow through scope, rules and decision; pure. */
export function explainFlow(subject: FlowFacts, around: ExplainFacts): FlowExplanation {
  const { standing } = around;
  const { plan } = standing;
  const { facts, flow } = subject;
  const index = new MarkTable(plan).interfaceOf(flow.mark);
  const scope = outOfScope(facts, {
    connected: new NetworkSet(around.connected),
    exemptDestinations: new NetworkSet(plan.exempt.destinations),
    exemptSources: new NetworkSet(plan.exempt.sources),
    exemptPorts: plan.exempt.ports,
  });
  const outside = typeof index === 'string' ? index : scope;
  const judged = outside ? undefined : judge(subject, standing, around.sets);
  const verdict: Verdict = judged?.verdict ?? { kind: 'ignored', reason: outside! };
  const decider = judged?.decider;
  return {
    flow,
    inTable: subject.status !== undefined,
    interface: typeof index === 'number' ? plan.interfaces[index]!.name : null,
    network: scope ? networkOf(scope, facts, plan, around.connected) : null,
    rules: judged ? explainRules(subject, around, judged) : [],
    verdict: verdict.kind,
    reason: verdict.kind === 'ignored' ? verdict.reason : null,
    decidedBy: decider === undefined ? null : plan.rules[decider]!.name,
    expected: decider === undefined ? [] : expectedNames(standing, decider, facts.family),
    action: actionOf(verdict, plan),
    effect: verdict.kind === 'misplaced' ? effectOf(subject) : null,
    obstacles: verdict.kind === 'misplaced' ? obstaclesOf(subject, around) : [],
  };
}

interface Judged {
  readonly verdict: Verdict;
  /** The rule that decided. */
  readonly decider: number | undefined;
  /** The rules that the daemon asks. */
  readonly asked: readonly number[];
}

/** The daemon's own way from candidates to the verdict. */
function judge(subject: FlowFacts, standing: Standing, sets: readonly SetState[]): Judged {
  const candidates: number[] = [];
  const { facts, answers } = subject;
  const count = candidatesOf(standing, facts, candidates);
  const asked = candidates.slice(0, count);
  const said = asked.map((rule) => answers[rule] ?? unaskedAnswer(standing.plan.rules[rule]!, sets[rule]!));
  const verdict = decide(standing, facts, asked, said, count);
  const hit = verdict.kind === 'ignored' ? asked[said.indexOf(ANSWER.HIT)] : undefined;
  return { verdict, decider: 'rule' in verdict ? verdict.rule : hit, asked };
}

/** A rule without a set takes what it fits, a set that can hold no such flow is a miss; one not known yet is neither. */
function unaskedAnswer({ set }: PlanRule, { kind }: SetState): number {
  if (set === null) return ANSWER.HIT;
  return kind === 'unknown' ? ANSWER.UNKNOWN : ANSWER.MISS;
}

function explainRules(
  { facts, answers }: FlowFacts,
  { standing, sets }: ExplainFacts,
  { asked, decider }: Judged,
): RuleExplanation[] {
  return standing.plan.rules.flatMap((rule, r) => {
    const set = sets[r]!;
    const answer = answers[r];
    // one of mwan3's own sets, under a name that this mwan3 does not use or of the other family
    if (rule.exempt === 'optional' && answer === undefined) return [];
    return {
      rule: rule.name,
      set: rule.set,
      exempts: rule.exempt !== undefined,
      setState: rule.set === null ? null : set.kind,
      setType: 'shape' in set ? set.shape.type.name : null,
      unfit: unfitOf(rule, set, facts, answer),
      asked: answer === undefined ? null : keyText(rule, facts),
      answer: answer === undefined ? null : answerTexts[answer]!,
      matters: asked.includes(r),
      expected: expectedNames(standing, r, facts.family),
      decides: r === decider,
    };
  });
}

const answerTexts = ['not in', 'in', 'no answer'] as const;

const aspects = {
  family: 'another address family',
  protocol: 'another protocol',
  destinationPorts: 'another destination port',
  sourcePorts: 'another source port',
  sources: 'another source',
  destinations: 'another destination',
} as const;

/** Which part of the rule does not fit, told by the very function that decides it; or what is wrong with its set. */
function unfitOf(rule: PlanRule, set: SetState, facts: RuleFacts, answer: number | undefined): string | null {
  for (const [aspect, text] of Object.entries(aspects)) {
    const open = { ...rule, sources: [], destinations: [], sourcePorts: [], destinationPorts: [] };
    delete (open as { family?: unknown }).family;
    delete (open as { protocol?: unknown }).protocol;
    const only: PlanRule = { ...open, [aspect]: rule[aspect as keyof typeof aspects] };
    if (!fits(only, facts)) return text;
  }
  if (rule.set === null) return null;
  if (set.kind === 'missing') return 'there is no such set';
  if (set.kind === 'unknown') return 'nothing is known of the set';
  if (set.kind === 'unfit') return set.why;
  return answer === undefined ? 'its set can hold no such flow' : null;
}

function keyText({ match }: PlanRule, facts: RuleFacts): string {
  const { bytes, family, protocol } = facts;
  const length = addressLength(family);
  const address = (at: number) => formatAddress(bytes.subarray(at, at + length));
  return match
    .map((field) => {
      if (field === 'src') return address(facts.sourceAt);
      if (field === 'dst') return address(facts.destinationAt);
      // ICMP's type and code stand for its port in either direction
      const isSource = field === 'sport' && !isIcmp(protocol);
      return `${protocolName(protocol)}:${isSource ? facts.sourcePort : facts.destinationPort}`;
    })
    .join(',');
}

function expectedNames({ plan, expected }: Standing, rule: number, family: number): string[] {
  return expected(rule, familyName(family)).map((index) => plan.interfaces[index]!.name);
}

function networkOf(
  reason: string,
  { family, bytes, sourceAt, destinationAt }: RuleFacts,
  { exempt }: Plan,
  connected: readonly Network[],
): string | null {
  const lists: Readonly<Record<string, readonly [readonly Network[], number]>> = {
    connected: [connected, destinationAt],
    'exempt-destination': [exempt.destinations, destinationAt],
    'exempt-source': [exempt.sources, sourceAt],
  };
  const [networks, at] = lists[reason] ?? [[], 0];
  const found = networks.find(
    (network) => network.address.length === addressLength(family) && contains(network, bytes, at),
  );
  return found ? `${formatAddress(found.address)}/${found.prefix}` : null;
}

function actionOf(verdict: Verdict, plan: Plan): FlowExplanation['action'] {
  if (verdict.kind === 'misplaced') return 'reset';
  return verdict.kind === 'unclassified' && plan.recheckMs.length > 0 ? 'recheck' : 'none';
}

const TCP = 'tcp';

function effectOf({ flow, status }: FlowFacts): string {
  if (flow.protocol !== TCP) return 'its next packet makes it anew on the right interface';
  if (status === undefined) {
    return 'masqueraded, the client gets a TCP reset with its next packet and connects anew; otherwise it goes on';
  }
  return (status & IPS.SRC_NAT) !== 0
    ? 'the client gets a TCP reset with its next packet, and connects anew on the right interface'
    : 'it goes on with its next packet, on the right interface';
}

function obstaclesOf({ flow, status = 0, restMs }: FlowFacts, around: ExplainFacts): string[] {
  const { daemon, tcpLoose, standing } = around;
  return [
    standing.plan.dryRun && 'dry run: nothing is deleted',
    daemon === 'paused' && 'resets are paused: resteer control resume',
    daemon === 'breaker-open' && 'the circuit breaker is open: mend the rules, then resteer control resume',
    restMs > 0 && `it came back after its last reset and rests for ${Math.ceil(restMs / 1000)} s`,
    (status & IPS.DYING) !== 0 && 'its entry is being removed already',
    (status & (IPS.OFFLOAD | IPS.HW_OFFLOAD)) !== 0 &&
      'it is offloaded: kernels before 5.10.182, 5.15.115, 6.1.32 and 6.4 do not delete its entry (EBUSY)',
    flow.protocol === TCP &&
      tcpLoose === 0 &&
      'nf_conntrack_tcp_loose is 0: a masqueraded TCP flow falls silent instead of being reset; ' +
        'sysctl -w net.netfilter.nf_conntrack_tcp_loose=1',
  ].filter((text): text is string => typeof text === 'string');
}
