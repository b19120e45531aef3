import { readFileSync } from 'node:fs';
import { ConntrackClient, type Flow, type FlowFilter, IPPROTO } from '../../ctnetlink/index.ts';
import { hasPorts, isIcmp, protocolName } from '../../ctnetlink/protocol.ts';
import { formatAddress, parseAddress } from '../../nfnetlink/address.ts';
import { AF } from '../../nfnetlink/constants.ts';
import type { Requester } from '../../nfnetlink/requester.ts';
import { fits } from '../candidates.ts';
import { ANSWER } from '../decide.ts';
import { describeFlow } from '../flowDescription.ts';
import { flowKey } from '../flowKey.ts';
import { FlowStore } from '../flowStore.ts';
import { ageOf, establishedFlag, MarkTable } from '../intake.ts';
import type { Network } from '../plan.ts';
import { type Probe, QuestionBatch } from '../questionBatch.ts';
import type { RuleSets } from '../ruleSets.ts';
import { answerOf } from '../setAnswer.ts';
import type { Standing } from '../standing.ts';
import type { DaemonState } from '../status.ts';
import { StoredFlow } from '../storedFlow.ts';
import { type ExplainFacts, explainFlow, type FlowExplanation, type FlowFacts } from './explain.ts';
import type { ExplainQuery } from './query.ts';

/** Where the facts come from: a running daemon, or sockets of one's own. */
export interface ExplainSources {
  readonly standing: Standing;
  readonly ruleSets: RuleSets;
  readonly connected: readonly Network[];
  readonly ctnetlink: Requester;
  readonly ipset: Requester;
  readonly daemon: DaemonState | null;
  /** Why nothing is reset now, where that is so. */
  readonly hold?: string;
  /** How long flows of the key (flowKey) rest. */
  readonly restMs: (flowKey: string) => number;
  /** Milliseconds of the daemon's clock, and of the world's, at the same moment. */
  readonly now: () => number;
  readonly wallNow: () => number;
}

/** The whole explanation; plain JSON. */
export interface Explanation {
  readonly destination: string;
  readonly daemon: DaemonState | null;
  /** Why nothing is reset now, where no daemon was asked; null where nothing holds resets back. */
  readonly hold: string | null;
  readonly interfaces: readonly { readonly name: string; readonly mark: number; readonly online: boolean }[];
  readonly tcpLoose: number | null;
  readonly recheckMs: readonly number[];
  readonly sweepMs: number;
  /** What was made up of a flow that is not in the table. */
  readonly assumed: readonly string[];
  readonly flows: readonly FlowExplanation[];
  /** Whether the table has more such flows than are explained. */
  readonly hasMore: boolean;
}

/** Flows that are explained one by one. */
const MOST_FLOWS = 10;

interface Fields {
  readonly family: number;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly mark: number;
  readonly id: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly status: number | undefined;
  /** Seconds; infinite where it is not known. */
  readonly age: number;
}

/** Explains the flows of the table that the query fits or, where there is none, one that could be on each interface. */
export async function explain(query: ExplainQuery, sources: ExplainSources): Promise<Explanation> {
  const { standing, ruleSets, connected, daemon, hold } = sources;
  const { plan } = standing;
  const listed = await listFlows(query, sources);
  const assumed: string[] = [];
  const fields = listed.length > 0 ? listed.slice(0, MOST_FLOWS) : imagined(query, sources, assumed);
  const around: ExplainFacts = {
    standing,
    sets: plan.rules.map((_, rule) => ruleSets.state(rule)),
    connected,
    daemon,
    tcpLoose: readTcpLoose(),
  };
  const subjects = await askSets(fields, sources);
  return {
    destination: formatAddress(query.destination),
    daemon,
    hold: hold ?? null,
    interfaces: plan.interfaces.map(({ name, mark }, index) => ({
      name,
      mark,
      online: standing.online[index]!,
    })),
    tcpLoose: around.tcpLoose ?? null,
    recheckMs: plan.recheckMs,
    sweepMs: plan.sweepMs,
    assumed,
    flows: subjects.map((subject) => explainFlow(subject, around)),
    hasMore: listed.length > MOST_FLOWS,
  };
}

async function listFlows(
  query: ExplainQuery,
  { ctnetlink, standing, wallNow }: ExplainSources,
): Promise<Fields[]> {
  const { protocol, sourcePort, destinationPort, mark } = query;
  const filter: FlowFilter = {
    family: familyOf(query.destination),
    protocol,
    original: {
      destination: formatAddress(query.destination),
      source: query.source && formatAddress(query.source),
      sourcePort,
      destinationPort,
    },
    ...(mark !== undefined && {
      mark: (mark & standing.plan.markMask) >>> 0,
      markMask: standing.plan.markMask,
    }),
  };
  const found: Fields[] = [];
  for await (const flow of new ConntrackClient(ctnetlink).list(filter)) {
    found.push(fieldsOf(flow, wallNow()));
    if (found.length > MOST_FLOWS) break;
  }
  return found;
}

/** As the daemon's door reads them (Intake). */
function fieldsOf(
  { family, originalTuple: tuple, mark = 0, id, status, timestamps }: Flow,
  wallNow: number,
): Fields {
  const isEcho = isIcmp(tuple.protocol);
  return {
    family,
    protocol: tuple.protocol,
    sourcePort: (isEcho ? tuple.icmpId : tuple.sourcePort) ?? 0,
    destinationPort: isEcho
      ? ((tuple.icmpType ?? 0) << 8) | (tuple.icmpCode ?? 0)
      : (tuple.destinationPort ?? 0),
    mark,
    id,
    source: parseAddress(tuple.source)!,
    destination: parseAddress(tuple.destination)!,
    status: status ?? 0,
    age: ageOf(timestamps?.start === undefined ? undefined : Number(timestamps.start) / 1e6, wallNow),
  };
}

const ASSUMED = { protocol: IPPROTO.TCP, sourcePort: 50_000, destinationPort: 443 };

function imagined(query: ExplainQuery, { standing }: ExplainSources, assumed: string[]): Fields[] {
  const { destination } = query;
  const isGiven = <T>(value: T | undefined, otherwise: T, what: string): T => {
    if (value !== undefined) return value;
    assumed.push(what);
    return otherwise;
  };
  const source = isGiven(
    query.source,
    new Uint8Array(destination.length),
    `source ${destination.length === 4 ? '0.0.0.0' : '::'}`,
  );
  const protocol = isGiven(query.protocol, ASSUMED.protocol, `protocol ${protocolName(ASSUMED.protocol)}`);
  const port = (given: number | undefined, otherwise: number, what: string) =>
    hasPorts(protocol) ? isGiven(given, otherwise, `${what} port ${otherwise}`) : 0;
  const flow = {
    family: familyOf(destination),
    protocol,
    sourcePort: port(query.sourcePort, ASSUMED.sourcePort, 'source'),
    // an ICMP flow begins with an echo request, code 0
    destinationPort: isIcmp(protocol)
      ? (destination.length === 4 ? 8 : 128) << 8
      : port(query.destinationPort, ASSUMED.destinationPort, 'destination'),
    id: 0,
    source,
    destination,
    status: undefined,
    // one that begins now
    age: 0,
  };
  const marks = query.mark === undefined ? standing.plan.interfaces.map(({ mark }) => mark) : [query.mark];
  return marks.map((mark) => ({ ...flow, mark }));
}

/** Asks about every flow each set that can hold it, also those that the daemon need not ask. */
async function askSets(flows: readonly Fields[], sources: ExplainSources): Promise<FlowFacts[]> {
  const store = new FlowStore(flows.length);
  const marks = new MarkTable(sources.standing.plan);
  const subjects: FlowFacts[] = [];
  for (const fields of flows) {
    const slot = store.take();
    const bytes = new Uint8Array(32);
    bytes.set(fields.source);
    bytes.set(fields.destination, 16);
    const place = marks.interfaceOf(fields.mark);
    const state = {
      // one whose mark names no interface is not judged
      interface: typeof place === 'number' ? place : 0,
      flags: establishedFlag(fields.status ?? 0),
      firstSeen: sources.now(),
    };
    store.write(slot, { ...fields, ...state, zone: 0 }, bytes, 0, 16);
    const { id, ...flow } = describeFlow(store, slot);
    const isListed = fields.status !== undefined;
    subjects.push({
      // one view for each flow: it lives as long as the explanation
      facts: new StoredFlow(store).at(slot),
      flow: { ...flow, ...(isListed && { id }) },
      status: fields.status,
      answers: await askAbout(slot, store, sources),
      restMs: sources.restMs(flowKey(store, slot)),
    });
  }
  return subjects;
}

async function askAbout(
  slot: number,
  store: FlowStore,
  { standing, ruleSets, ipset }: ExplainSources,
): Promise<(number | undefined)[]> {
  const { rules } = standing.plan;
  const facts = new StoredFlow(store).at(slot);
  const answers: (number | undefined)[] = rules.map(() => undefined);
  const probes = rules.flatMap((rule, index) => {
    const probe = fits(rule, facts)
      ? ruleSets.probe(index, store.family(slot), store.protocol(slot))
      : undefined;
    return probe ? [{ index, probe }] : [];
  });
  for (let from = 0; from < probes.length; from += QuestionBatch.LIMIT) {
    await askBatch(probes.slice(from, from + QuestionBatch.LIMIT), slot, store, ipset, answers);
  }
  return answers;
}

async function askBatch(
  probes: readonly { readonly index: number; readonly probe: Probe }[],
  slot: number,
  store: FlowStore,
  ipset: Requester,
  answers: (number | undefined)[],
): Promise<void> {
  const batch = new QuestionBatch();
  batch.clear(ANSWER.UNKNOWN);
  const questions = probes.map(({ probe }) => batch.ask(probe, store, slot));
  await ipset.pipeline(batch.bytes, {
    onAck: (question, errno) => batch.setAnswer(question, answerOf(errno)),
  });
  probes.forEach(({ index }, i) => {
    answers[index] = batch.answer(questions[i]!);
  });
}

function familyOf(address: Uint8Array): number {
  return address.length === 4 ? AF.INET : AF.INET6;
}

function readTcpLoose(): number | undefined {
  try {
    return Number(readFileSync('/proc/sys/net/netfilter/nf_conntrack_tcp_loose', 'utf8'));
  } catch {
    return undefined;
  }
}
