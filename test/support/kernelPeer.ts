/** A kernel, the real one or the model, as a test asks it: a request's answers as messages, and events. */
import * as assert from 'uvu/assert';
import { ctnetlink, flowAttributes, IPCTNL_MSG_CT } from '../../src/ctnetlink/index.ts';
import { ipset } from '../../src/ipset/index.ts';
import type { VirtualClock } from '../../src/model/index.ts';
import {
  type AttributeTree,
  decodeTree,
  encodeRequest,
  messageFlags,
  messageSeq,
  messageType,
  messageTypeOf,
  NFNL_SUBSYS,
  NLM_F,
  NLMSG,
  type Transport,
  walkMessages,
  writeMessageSeq,
} from '../../src/nfnetlink/index.ts';
import { until } from './waiting.ts';

/** A refusal that ends what one request is answered by. */
const barrier = encodeRequest(
  {
    type: messageTypeOf(NFNL_SUBSYS.CTNETLINK, IPCTNL_MSG_CT.GET),
    flags: NLM_F.REQUEST | NLM_F.ACK,
    family: 2,
  },
  flowAttributes,
  {},
);

/** One kernel, with a socket for requests and one for events. */
export class Peer {
  readonly events: Uint8Array[] = [];
  readonly #requests: Transport;
  readonly #events: Transport;
  readonly #virtual: VirtualClock | undefined;
  #read: Uint8Array[] = [];
  #seq = 1000;

  constructor(requests: Transport, events: Transport, virtual?: VirtualClock) {
    this.#requests = requests;
    this.#events = events;
    this.#virtual = virtual;
    requests.onBatch(({ buffer, bounds, count }) => this.#take(this.#read, buffer, bounds, count));
    events.onBatch(({ buffer, bounds, count }) => this.#take(this.events, buffer, bounds, count));
    for (const transport of [requests, events])
      transport.onOverrun((error) => assert.unreachable(error.message));
  }

  /** The messages that answer the request, in order. */
  async ask(request: Uint8Array): Promise<Uint8Array[]> {
    this.#read = [];
    const seq = this.#seq++;
    const last = this.#seq++;
    const isDump = (messageFlags(request, 0) & NLM_F.DUMP) === NLM_F.DUMP;
    const both = new Uint8Array(request.length + barrier.length);
    both.set(request);
    both.set(barrier, request.length);
    writeMessageSeq(both, 0, seq);
    writeMessageSeq(both, request.length, last);
    this.#requests.send(both);
    const isEnd = (message: Uint8Array) => [NLMSG.ERROR, NLMSG.DONE].includes(messageType(message, 0) as 2);
    const ended = (of: number) => this.#read.some((each) => messageSeq(each, 0) === of && isEnd(each));
    await this.until(() => ended(last) && (!isDump || ended(seq)));
    return this.#read.filter((each) => messageSeq(each, 0) === seq);
  }

  /** Waits, or lets the model's time pass. */
  async until(isOver: () => boolean): Promise<void> {
    if (!this.#virtual) return until('the kernel has said all', isOver);
    await this.#virtual.run(this.#virtual.now());
    assert.ok(isOver(), 'the model says nothing more');
  }

  close(): Promise<unknown> {
    return Promise.all([this.#requests.close(), this.#events.close()]);
  }

  #take(into: Uint8Array[], buffer: Uint8Array, bounds: Uint32Array, count: number): void {
    for (let i = 0; i < count; i++)
      walkMessages(buffer, bounds[2 * i]!, bounds[2 * i + 1]!, (bytes, start, end) =>
        into.push(bytes.slice(start, end)),
      );
  }
}

/** What differs from kernel to kernel and from moment to moment: ids, times, sizes in memory. */
const passing = new Set([
  'CTA_ID',
  'CTA_TIMEOUT',
  'CTA_USE',
  'CTA_TIMESTAMP',
  'CTA_TIMESTAMP_EVENT',
  'IPSET_ATTR_INITVAL',
  'IPSET_ATTR_MEMSIZE',
  'IPSET_ATTR_TIMEOUT',
  'IPSET_ATTR_INDEX',
]);
/** Only entries that were made by netlink have it, and it is empty there. */
const UNTOLD = 'CTA_SYNPROXY';
/** A message as text, without what passes; elements of a listing in an order of their own. */
export function shown(message: Uint8Array): string {
  const { header, kind, nfgenmsg, attrs = [], error } = decodeTree(message, [ctnetlink, ipset]).messages[0]!;
  const head = `${kind} flags ${header.nlmsg_flags} family ${nfgenmsg?.family} version ${nfgenmsg?.version}`;
  return `${head} error ${error}: ${attrs.map(text).filter(Boolean).join(' ')}`;
}

function text({ attr, nested, value }: AttributeTree): string {
  if (attr === UNTOLD) return '';
  if (passing.has(attr)) return attr;
  if (!nested) return `${attr}=${JSON.stringify(value)}`;
  const inner = nested.map(text);
  return `${attr}(${(attr === 'IPSET_ATTR_ADT' ? inner.sort() : inner).join(' ')})`;
}
