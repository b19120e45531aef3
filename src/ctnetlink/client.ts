import { release } from 'node:os';
import { decodeRefusal } from '../nfnetlink/ack.ts';
import { ERRNO } from '../nfnetlink/constants.ts';
import type { KernelError } from '../nfnetlink/errors.ts';
import { concatenated, messageType } from '../nfnetlink/message.ts';
import { type OpenConnectionOptions, openConnection } from '../nfnetlink/open.ts';
import type { Requester, RequestOptions } from '../nfnetlink/requester.ts';
import { ExpectationClient } from './expectationClient.ts';
import type { FlowFilter } from './filter.ts';
import { type FilterPlan, type KernelFeatures, kernelFeatures, planFilter } from './filterPlan.ts';
import type { Flow } from './flow.ts';
import type { FlowKey } from './flowKey.ts';
import { FlowView } from './flowView.ts';
import { collect, doneOrAbsent, foundOrAbsent } from './outcome.ts';
import {
  type CreateOptions,
  encodeCreateFlow,
  encodeUpdateFlow,
  type FlowChanges,
  type NewFlow,
} from './requests/change.ts';
import { encodeDeleteFlow } from './requests/delete.ts';
import { encodeFlushTable } from './requests/flush.ts';
import { encodeGetFlow, encodeGetFlowAndZero } from './requests/get.ts';
import {
  encodeGetTableStatistics,
  encodeListCpuStatistics,
  encodeListDying,
  encodeListFlows,
  encodeListFlowsAndZero,
  encodeListUnconfirmed,
} from './requests/list.ts';
import {
  type CpuStatistics,
  decodeCpuStatistics,
  decodeTableStatistics,
  type TableStatistics,
} from './statistics.ts';
import { ctnetlink, ctnetlinkExp } from './subsystem.ts';

/** What became of one of many deletions; `error` is there where it was refused. */
export type DeleteOutcome =
  | { readonly outcome: 'deleted' | 'absent' }
  | { readonly outcome: 'refused'; readonly error: KernelError };

export interface ConntrackClientOptions {
  /** What the kernel compares in dumps; the default is told by its release. */
  readonly features?: KernelFeatures;
}

/**
 * Questions and orders about the flows of one network namespace.
 *
 * Values that have no encoding (a mark above 32 bits, a port above 65535, addresses of two families) throw
 * EncodeError before anything is sent; refusals of the kernel are KernelError; where nothing is known of what
 * the kernel did, it is TransportError, TimeoutError, OverrunError or ClosedError.
 */
export class ConntrackClient {
  readonly expectations: ExpectationClient;
  private readonly requester: Requester;
  private readonly features: KernelFeatures;

  /** The client owns the requester from now on, and closes it. */
  constructor(requester: Requester, options: ConntrackClientOptions = {}) {
    this.requester = requester;
    this.features = options.features ?? kernelFeatures(release());
    this.expectations = new ExpectationClient(requester);
  }

  /** Which part of a filter the kernel compares and which is left to this process. */
  plan(filter: FlowFilter): FilterPlan {
    return planFilter(filter, this.features);
  }

  /**
   * The flows that fit a filter, as the kernel lists them. The table changes meanwhile: a flow may come twice
   * or not at all where the kernel resizes it.
   */
  list(filter: FlowFilter = {}, options?: RequestOptions): AsyncIterable<Flow> {
    const { family, attributes, matches } = this.plan(filter);
    const message = encodeListFlows(family, attributes);
    const view = new FlowView();
    if (Object.keys(filter).length === 0) {
      return this.requester.dump(
        message,
        (bytes, start, end) => view.attach(bytes, start, end).toFlow(),
        options,
      );
    }
    const decode = (bytes: Uint8Array, start: number, end: number) =>
      matches(view.attach(bytes, start, end)) ? view.toFlow() : undefined;
    return present(this.requester.dump(message, decode, options));
  }

  /**
   * The same, each flow in place: the fastest way through a large table. The view is valid until the visitor
   * returns.
   */
  async visit(
    filter: FlowFilter,
    visitor: (view: FlowView) => void,
    options?: RequestOptions,
  ): Promise<void> {
    const { family, attributes, matches } = this.plan(filter);
    const view = new FlowView();
    await this.requester.visit(
      encodeListFlows(family, attributes),
      (bytes, start, end) => {
        if (matches(view.attach(bytes, start, end))) visitor(view);
      },
      options,
    );
  }

  /** The flow that a tuple of either direction names. The key's id is not compared. */
  async get(key: FlowKey, options?: RequestOptions): Promise<Flow | undefined> {
    return foundOrAbsent(this.requester.query(encodeGetFlow(key), decodeFlow, options));
  }

  /** The same, and sets the flow's counters to 0. */
  async getAndZero(key: FlowKey, options?: RequestOptions): Promise<Flow | undefined> {
    return foundOrAbsent(this.requester.query(encodeGetFlowAndZero(key), decodeFlow, options));
  }

  /** Every flow of a family (AF; both by default), and sets the counters of each to 0. */
  listAndZero(family?: number, options?: RequestOptions): AsyncIterable<Flow> {
    return this.requester.dump(encodeListFlowsAndZero(family), decodeFlow, options);
  }

  /** @throws KernelError EEXIST where one of the two tuples is taken */
  async create(flow: NewFlow, options?: RequestOptions & CreateOptions): Promise<void> {
    await this.requester.acknowledge(encodeCreateFlow(flow, options), options);
  }

  /** Changes a flow. See encodeUpdateFlow() for what each change means. */
  async update(key: FlowKey, changes: FlowChanges, options?: RequestOptions): Promise<'updated' | 'absent'> {
    return doneOrAbsent(this.requester.acknowledge(encodeUpdateFlow(key, changes), options), 'updated');
  }

  /** Deletes one flow. Where the key has an id and the flow has another, it is left and counts as absent. */
  async delete(key: FlowKey, options?: RequestOptions): Promise<'deleted' | 'absent'> {
    return doneOrAbsent(this.requester.acknowledge(encodeDeleteFlow(key), options), 'deleted');
  }

  /**
   * Deletes many flows, many to a datagram; outcomes in the order of the keys. A refusal ends nothing.
   * @throws EncodeError where any key is wrong, before anything is sent
   */
  async deleteMany(keys: Iterable<FlowKey>, options?: RequestOptions): Promise<DeleteOutcome[]> {
    const messages = Array.from(keys, encodeDeleteFlow);
    const outcomes: DeleteOutcome[] = [];
    const handler = {
      onAck: (index: number, errno: number, bytes: Uint8Array, start: number, end: number) => {
        outcomes[index] = deleteOutcome(errno, messages[index]!, bytes, start, end);
      },
    };
    if (messages.length > 0) await this.requester.pipeline(concatenated(messages), handler, options);
    return outcomes;
  }

  /** EMPTIES the table: deletes every flow of every zone, or of one family (AF.INET, AF.INET6). */
  async flushTable(family?: number, options?: RequestOptions): Promise<void> {
    await this.requester.acknowledge(encodeFlushTable(family), options);
  }

  /** How many flows there are, and may be. */
  async count(options?: RequestOptions): Promise<TableStatistics> {
    const answers = await this.requester.query(encodeGetTableStatistics(), decodeTableStatistics, options);
    return answers[0] ?? {};
  }

  /** What each CPU has counted. */
  async statistics(options?: RequestOptions): Promise<CpuStatistics[]> {
    return collect(this.requester.dump(encodeListCpuStatistics(), decodeCpuStatistics, options));
  }

  /** Flows that were deleted and whose end a listener has yet to hear. */
  listDying(options?: RequestOptions): AsyncIterable<Flow> {
    return this.requester.dump(encodeListDying(), decodeFlow, options);
  }

  /** Flows whose first packet has not left yet; newer kernels list none. */
  listUnconfirmed(options?: RequestOptions): AsyncIterable<Flow> {
    return this.requester.dump(encodeListUnconfirmed(), decodeFlow, options);
  }

  /** Closes the socket; what still waits is rejected with ClosedError. Idempotent. */
  close(): Promise<void> {
    return this.requester.close();
  }
}

/** Opens a socket and the client over it. */
export async function openConntrack(
  options: OpenConnectionOptions & ConntrackClientOptions = {},
): Promise<ConntrackClient> {
  const connection = await openConnection({ subsystems: [ctnetlink, ctnetlinkExp], ...options });
  return new ConntrackClient(connection, options);
}

/**
 * Reads a message about a flow, an event or an answer.
 * @throws DecodeError where it is malformed or names no flow.
 */
export function decodeFlow(bytes: Uint8Array, start: number, end: number): Flow {
  return new FlowView().attach(bytes, start, end).toFlow();
}

async function* present<T>(values: AsyncIterable<T | undefined>): AsyncIterable<T> {
  for await (const value of values) if (value !== undefined) yield value;
}

function deleteOutcome(
  errno: number,
  request: Uint8Array,
  bytes: Uint8Array,
  start: number,
  end: number,
): DeleteOutcome {
  if (errno === 0) return { outcome: 'deleted' };
  if (errno === ERRNO.ENOENT) return { outcome: 'absent' };
  const error = decodeRefusal(bytes, start, end, messageType(request, 0), ctnetlink);
  return { outcome: 'refused', error };
}
