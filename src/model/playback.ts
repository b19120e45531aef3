import {
  type CompleteTuple,
  type FlowAttributes,
  flowAttributes,
  IPCTNL_MSG_CT,
} from '../ctnetlink/index.ts';
import {
  findSetType,
  IPSET_CMD,
  type ListedElementWire,
  plainRequest,
  type SetReply,
  setReply,
} from '../ipset/index.ts';
import { ERRNO } from '../nfnetlink/constants.ts';
import {
  ATTRIBUTES_AT,
  ackErrno,
  commandOf,
  ECHO_AT,
  messageFlags,
  messageSeq,
  messageType,
  NFNL_SUBSYS,
  NLM_F,
  NLMSG,
  subsystemOf,
  walkMessages,
} from '../nfnetlink/index.ts';
import type { ConntrackEntry } from './conntrackEntry.ts';
import type { NewEntry } from './conntrackTable.ts';
import type { ModelKernel } from './modelKernel.ts';
import { ModelSet } from './modelSet.ts';

/**
 * Plays what a kernel told into a model: events of flows, listings of the table and of sets. What the recording
 * tells of a flow that was deleted in the model and made again there goes on being true of it, but for the bits of
 * the mark that name its interface.
 */
export class Playback {
  /** Hears that a set holds what was listed, or is not there. */
  onListed: (name: string) => void = () => {};
  /** Hears of a flow that somebody has deleted in the model. */
  onDeleted: (entry: ConntrackEntry) => void = () => {};
  readonly #kernel: ModelKernel;
  readonly #markMask: number;
  /** By tuple and zone: deleted flows whose clients may go on sending. */
  readonly #deleted = new Map<string, ConntrackEntry>();
  readonly #remade = new WeakSet<ConntrackEntry>();
  #listing: string | undefined;

  /** @param markMask the bits of the mark that name the interface */
  constructor(kernel: ModelKernel, markMask: number) {
    this.#kernel = kernel;
    this.#markMask = markMask;
    const tell = kernel.conntrack.onEvent;
    kernel.conntrack.onEvent = (event, entry, about) => {
      tell(event, entry, about);
      if (event !== 'destroy' || about.portId === 0) return;
      this.#deleted.set(keyOf(entry.originalTuple, entry.zone), entry);
      this.onDeleted(entry);
    };
  }

  /**
   * Takes one datagram of the kernel's.
   * @throws DecodeError where it is malformed; what came before in it was played
   */
  take(datagram: Uint8Array): void {
    walkMessages(datagram, 0, datagram.length, (bytes, start, end) => this.#message(bytes, start, end));
  }

  /** The next packet of a deleted flow: it is made again with this mark, if the recording has not ended it. */
  remake(entry: ConntrackEntry, mark: number): void {
    const { originalTuple, replyTuple, zone, status, startedAt } = entry;
    const key = keyOf(originalTuple, zone);
    if (this.#deleted.get(key) !== entry) return;
    this.#deleted.delete(key);
    const remade = this.#kernel.conntrack.add({
      ...{ originalTuple, replyTuple, zone, mark, status },
      ...(startedAt !== undefined && { startedAt: this.#kernel.wallNs }),
    });
    if (remade) this.#remade.add(remade);
  }

  #message(bytes: Uint8Array, start: number, end: number): void {
    if ((messageFlags(bytes, start) & NLM_F.REQUEST) !== 0) return;
    const type = messageType(bytes, start);
    if (type === NLMSG.ERROR) {
      this.#refusal(bytes, start, end);
    } else if (subsystemOf(type) === NFNL_SUBSYS.CTNETLINK) {
      this.#flow(bytes, start, end, commandOf(type));
    } else if (subsystemOf(type) === NFNL_SUBSYS.IPSET && commandOf(type) === IPSET_CMD.LIST) {
      this.#set(setReply.decode(bytes, start + ATTRIBUTES_AT, end));
    }
  }

  /** Of a listing of a set: that there is none. */
  #refusal(bytes: Uint8Array, start: number, end: number): void {
    const echo = start + ECHO_AT;
    if (ackErrno(bytes, start, end) !== ERRNO.ENOENT || echo + ATTRIBUTES_AT > end) return;
    const asked = messageType(bytes, echo);
    if (subsystemOf(asked) !== NFNL_SUBSYS.IPSET || commandOf(asked) !== IPSET_CMD.LIST) return;
    const { setName } = plainRequest.decode(bytes, echo + ATTRIBUTES_AT, end);
    if (setName === undefined) return;
    this.#kernel.sets.delete(setName);
    this.onListed(setName);
  }

  #flow(bytes: Uint8Array, start: number, end: number, command: number): void {
    const told = flowAttributes.decode(bytes, start + ATTRIBUTES_AT, end);
    if (!told.originalTuple?.source || !told.replyTuple?.source) return;
    const isEvent = messageSeq(bytes, start) === 0;
    const isNew = (messageFlags(bytes, start) & NLM_F.CREATE) !== 0;
    if (command === IPCTNL_MSG_CT.DELETE) this.#ended(told);
    else if (command !== IPCTNL_MSG_CT.NEW) return;
    else if (isEvent && isNew) this.#began(told);
    else this.#changed(told);
  }

  #began(told: FlowAttributes): void {
    // the model may have it already, made again
    this.#ended(told);
    this.#kernel.conntrack.add(flowOf(told));
  }

  #ended(told: FlowAttributes): void {
    const tuple = told.originalTuple as CompleteTuple;
    this.#deleted.delete(keyOf(tuple, told.zone ?? 0));
    const entry = this.#kernel.conntrack.find(tuple, told.zone);
    if (entry) this.#kernel.conntrack.remove(entry);
  }

  /** An update, or an entry of a listing: what is not known yet began before the recording. */
  #changed(told: FlowAttributes): void {
    const tuple = told.originalTuple as CompleteTuple;
    const { conntrack } = this.#kernel;
    const entry = conntrack.find(tuple, told.zone);
    const deleted = this.#deleted.get(keyOf(tuple, told.zone ?? 0));
    if (!entry && !deleted) {
      conntrack.add(flowOf(told), 0, false);
      return;
    }
    const { status, mark } = told;
    const known = (entry ?? deleted)!;
    if (status !== undefined) known.status = status;
    // an update tells of a mark where it is not 0, or has become it
    if (mark !== undefined) known.mark = this.#markOf(known, mark);
    if (entry) conntrack.changed(entry);
  }

  #markOf(entry: ConntrackEntry, mark: number): number {
    if (!this.#remade.has(entry)) return mark;
    return ((mark & ~this.#markMask) | (entry.mark & this.#markMask)) >>> 0;
  }

  /** One message of a listing: the first of each set has its header. */
  #set(reply: SetReply): void {
    const { setName = '', typeName, family = 0, revision = 0, data = {}, elements } = reply;
    if (typeName !== undefined) {
      const type = findSetType(typeName);
      if (!type) return;
      const { sets, clock } = this.#kernel;
      sets.set(setName, new ModelSet(type, family, revision, optionsOf(data), () => clock.now()));
      this.#listing = setName;
    }
    if (this.#listing !== setName) return;
    const set = this.#kernel.sets.get(setName)!;
    for (const element of elements?.data ?? []) set.add(wishOf(element), false);
    this.onListed(setName);
  }
}

/** The options that decide what a set holds; sizes and references are the recorded kernel's own. */
function optionsOf({ timeout, netmask }: NonNullable<SetReply['data']>) {
  return { ...(timeout !== undefined && { timeout }), ...(netmask !== undefined && { netmask }) };
}

/** A listed element as one that is to be added. */
function wishOf({ bytes: _, packets: __, skbMark: ___, ...element }: ListedElementWire) {
  return element;
}

function flowOf(told: FlowAttributes): NewEntry {
  const { originalTuple, replyTuple, zone, mark, status, id, protocolInfo, timestamps } = told;
  return {
    originalTuple: originalTuple as CompleteTuple,
    replyTuple: replyTuple as CompleteTuple,
    ...(zone !== undefined && { zone }),
    ...(mark !== undefined && { mark }),
    ...(status !== undefined && { status }),
    ...(id !== undefined && { id }),
    ...(protocolInfo && { protocolInfo }),
    ...(timestamps?.start !== undefined && { startedAt: timestamps.start }),
  };
}

function keyOf({ source, destination, protocol, ...rest }: CompleteTuple, zone: number): string {
  const { sourcePort = '', destinationPort = '', icmpId = '', icmpType = '', zone: oneWay = '' } = rest;
  return `${zone} ${oneWay} ${protocol} ${source} ${destination} ${sourcePort} ${destinationPort} ${icmpId} ${icmpType}`;
}
