import type { Clock } from '../nfnetlink/clock.ts';
import { ERRNO, NFNLGRP } from '../nfnetlink/constants.ts';
import {
  concatenated,
  messageFamily,
  messageFlags,
  NETLINK,
  NFNL_SUBSYS,
  NLM_F,
  subsystemOf,
  type TransportOptions,
} from '../nfnetlink/index.ts';
import { ack, data, done, readdressed, type ScriptedRequest } from '../testing/replies.ts';
import { answerConntrack } from './conntrackCommands.ts';
import { type ConntrackEvent, encodeEvent } from './conntrackEntry.ts';
import { ConntrackTable } from './conntrackTable.ts';
import { answerIpset, type SetTable } from './ipsetCommands.ts';
import { type Answer, ModelSocket, type SocketOwner } from './modelSocket.ts';
import type { Outcome } from './outcome.ts';
import { RouteTable } from './routeTable.ts';

/** What goes wrong with a request: the errno of its refusal, or that there is no room for its answer. */
export type Trouble = number | 'lost';

export interface ModelKernelOptions {
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  /** Whether flows have a start time (nf_conntrack_timestamp). */
  readonly hasTimestamps?: boolean;
  /** The largest receive buffer that is given where one is asked for, as accounted; no limit by default. */
  readonly largestReceiveBuffer?: number;
  /** Bytes of a datagram of a dump behind the first; 32,448 by default. */
  readonly dumpChunk?: number;
  /** Milliseconds between the coming of a datagram into an empty socket and its reading; none by default. */
  readonly readingDelay?: (socket: ModelSocket) => number;
  /**
   * Asked before each request is done: an errno with which it is refused, or 'lost' where it is done and its
   * answer finds the receive buffer full. Without a loss the kernel answers always; who reads late hears late.
   */
  readonly trouble?: (request: ScriptedRequest, socket: ModelSocket) => Trouble | undefined;
}

const FIRST_CHUNK = 3776;
const LARGEST_CHUNK = 32_448;

const groups: Record<ConntrackEvent, number> = {
  new: NFNLGRP.CONNTRACK_NEW,
  update: NFNLGRP.CONNTRACK_UPDATE,
  destroy: NFNLGRP.CONNTRACK_DESTROY,
};

/**
 * A kernel as far as the daemon knows one: connection tracking, sets, addresses and routes behind netlink
 * sockets that take and give the kernel's own bytes. What it answers is held to the real one's by a test.
 * Nothing in it depends on chance: faults are what its options say.
 */
export class ModelKernel implements SocketOwner {
  readonly clock: Clock;
  readonly conntrack: ConntrackTable;
  readonly sets: SetTable = new Map();
  readonly network = new RouteTable();
  /** Those that are open. */
  readonly sockets = new Set<ModelSocket>();
  /** Hears every request before it is done, and what goes wrong with it. */
  onRequest: (request: ScriptedRequest, socket: ModelSocket, trouble: Trouble | undefined) => void = () => {};
  readonly #options: ModelKernelOptions;
  #nextPortId = 0x80000001;

  constructor(options: ModelKernelOptions) {
    this.clock = options.clock;
    this.#options = options;
    this.conntrack = new ConntrackTable(() => this.clock.now());
    this.conntrack.onEvent = (kind, entry, { portId, isEarly }) => {
      if (!this.#hears(NETLINK.NETFILTER, groups[kind])) return;
      const facts = { now: this.clock.now(), wallNs: this.wallNs, isEarly, tellsMark: portId !== 0 };
      this.#tell(NETLINK.NETFILTER, groups[kind], encodeEvent(entry, kind, facts), portId);
    };
    this.network.onEvent = (group, message) => this.#tell(NETLINK.ROUTE, group, message, 0);
  }

  get largestReceiveBuffer(): number {
    return this.#options.largestReceiveBuffer ?? Number.POSITIVE_INFINITY;
  }

  /** Nanoseconds since 1970. */
  get wallNs(): bigint {
    return BigInt(Math.round(this.#options.wallNow() * 1000)) * 1000n;
  }

  /** The start time of a flow that begins now; undefined where flows have none. */
  get startTime(): bigint | undefined {
    return this.#options.hasTimestamps ? this.wallNs : undefined;
  }

  /** Opens a socket. */
  open({ protocol = NETLINK.NETFILTER, receiveBuffer, groups = [] }: TransportOptions = {}): ModelSocket {
    const socket = new ModelSocket(this, protocol, this.#nextPortId++, receiveBuffer);
    for (const group of groups) socket.joinGroup(group);
    this.sockets.add(socket);
    return socket;
  }

  answer(request: ScriptedRequest, socket: ModelSocket): Answer {
    const trouble = this.#options.trouble?.(request, socket);
    this.onRequest(request, socket, trouble);
    const outcome = typeof trouble === 'number' ? { errno: trouble } : this.#outcomeOf(request, socket);
    if (trouble !== 'lost') return this.#inDatagrams(request, outcome);
    socket.lose();
    return { datagrams: [] };
  }

  readingDelay(socket: ModelSocket): number {
    return this.#options.readingDelay?.(socket) ?? 0;
  }

  onClose(socket: ModelSocket): void {
    this.sockets.delete(socket);
  }

  #outcomeOf(request: ScriptedRequest, socket: ModelSocket): Outcome {
    const { bytes, type } = request;
    const isDump = (messageFlags(bytes, 0) & NLM_F.DUMP) === NLM_F.DUMP;
    if (isDump && socket.isDumping) return { errno: ERRNO.EBUSY };
    if (socket.protocol === NETLINK.ROUTE) {
      const messages = this.network.list(type, messageFamily(bytes, 0));
      return messages ? { errno: 0, dump: () => messages.shift() } : { errno: ERRNO.EINVAL };
    }
    const subsystem = subsystemOf(type);
    if (subsystem === NFNL_SUBSYS.CTNETLINK)
      return answerConntrack(this.conntrack, request, () => this.clock.now());
    if (subsystem === NFNL_SUBSYS.IPSET) return answerIpset(this.sets, request, () => this.clock.now());
    return { errno: ERRNO.EINVAL };
  }

  #inDatagrams(request: ScriptedRequest, outcome: Outcome): Answer {
    const { errno, data: messages = [], dump, refusals = 1 } = outcome;
    if (dump) return { datagrams: [], dump: this.#chunks(request, dump) };
    const wantsAck = errno !== 0 || (messageFlags(request.bytes, 0) & NLM_F.ACK) !== 0;
    const acks = Array.from({ length: wantsAck ? refusals : 0 }, () => ack(errno));
    const steps = [data(...messages), ...acks].flatMap((reply) => reply(request));
    return { datagrams: steps.flatMap((step) => (step.kind === 'datagram' ? step.bytes : [])) };
  }

  /** Fills datagrams with the messages of a dump, each when it is to be sent. */
  #chunks(request: ScriptedRequest, next: () => Uint8Array | undefined): () => Uint8Array | undefined {
    let room = FIRST_CHUNK;
    let pending = next();
    let isDone = false;
    return () => {
      if (isDone) return undefined;
      if (!pending) {
        isDone = true;
        const [step] = done()(request);
        return step?.kind === 'datagram' ? step.bytes : undefined;
      }
      const messages: Uint8Array[] = [];
      for (let length = 0; pending && (messages.length === 0 || length + pending.length <= room); ) {
        messages.push(pending);
        length += pending.length;
        pending = next();
      }
      room = this.#options.dumpChunk ?? LARGEST_CHUNK;
      return readdressed(concatenated(messages), request);
    };
  }

  #hears(protocol: number, group: number): boolean {
    for (const socket of this.sockets)
      if (socket.protocol === protocol && socket.groups.has(group)) return true;
    return false;
  }

  /** Multicast: sequence number 0, and the port id of who caused it. */
  #tell(protocol: number, group: number, message: Uint8Array, portId: number): void {
    const bytes = readdressed(message, { seq: 0, portId });
    for (const socket of this.sockets)
      if (socket.protocol === protocol && socket.groups.has(group)) socket.take(bytes);
  }
}
