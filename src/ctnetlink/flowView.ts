import { ATTRIBUTE_HEADER, align4, lengthOf } from '../nfnetlink/attribute.ts';
import { NLM_F } from '../nfnetlink/constants.ts';
import { DecodeError } from '../nfnetlink/errors.ts';
import {
  ATTRIBUTES_AT,
  commandOf,
  messageFamily,
  messageFlags,
  messagePortId,
  messageType,
} from '../nfnetlink/message.ts';
import { flowAttributes } from './attributes.ts';
import { attributeWord, lengthIn, typeIn } from './attributeWord.ts';
import { CTA, CTA_PROTOINFO, CTA_PROTOINFO_TCP, CTA_TIMESTAMP, IPCTNL_MSG_CT } from './constants.ts';
import type { Flow, FlowAttributes } from './flow.ts';
import { readCounters, readTcpInfo, readTimestamps } from './flowFields.ts';
import type { CompleteTuple } from './tuple.ts';
import { TupleView } from './tupleView.ts';

/** What happened to a flow. */
export type EventKind = 'new' | 'update' | 'destroy';

const TABLE_SIZE = CTA.TIMESTAMP_EVENT + 1;

/**
 * The least payload that an attribute says something with: flowAttributes takes an empty nest for a value,
 * an empty integer for padding, and a short integer for an error.
 */
const needed = new Uint8Array(TABLE_SIZE).fill(1);
for (const entry of flowAttributes.table) if (entry.codec.format === 'nested') needed[entry.type] = 0;
for (const type of [CTA.STATUS, CTA.TIMEOUT, CTA.MARK, CTA.USE, CTA.ID]) needed[type] = 4;
needed[CTA.ZONE] = 2;
needed[CTA.TIMESTAMP_EVENT] = 8;

const NAMES_A_FLOW = (1 << CTA.TUPLE_ORIG) | (1 << CTA.TUPLE_REPLY) | (1 << CTA.ID);

const NO_BYTES: Uint8Array = new Uint8Array(0);
const ORIGINAL = 1;
const REPLY = 2;

/**
 * A message about a flow, read in place and reused for the next: no allocation but where a getter says so.
 * It is valid as long as the bytes are, in callbacks until they return; toFlow() outlives them.
 *
 * Malformed bytes throw DecodeError, from `attach` or from the getter that meets them, and nothing else.
 * The last of repeated attributes counts, as in nla_parse().
 */
export class FlowView {
  private bytes = NO_BYTES;
  private data: DataView = new DataView(NO_BYTES.buffer);
  private start = 0;
  /** Payload offsets by attribute number; what stands there counts only where `present` has its bit. */
  private readonly at = new Int32Array(TABLE_SIZE);
  private present = 0;
  private readonly originalView = new TupleView();
  private readonly replyView = new TupleView();
  /** Which of the two tuple views are attached to this message. */
  private attached = 0;

  /**
   * Reads the message from `start` to `end`, nlmsghdr included.
   * @throws DecodeError where the attributes are malformed, or lack what names a flow: tuples and id.
   */
  attach(bytes: Uint8Array, start: number, end: number): this {
    if (end - start < ATTRIBUTES_AT) {
      throw new DecodeError(`${end - start} bytes where a netfilter message needs 20`, start);
    }
    // a receive buffer is used over and over
    if (bytes !== this.bytes) this.data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.bytes = bytes;
    this.start = start;
    this.attached = 0;
    let present = 0;
    for (let offset = start + ATTRIBUTES_AT; offset < end; ) {
      const word = attributeWord(this.data, offset, end);
      const type = typeIn(word);
      if (type < TABLE_SIZE) {
        const payload = offset + ATTRIBUTE_HEADER;
        const length = lengthIn(word) - ATTRIBUTE_HEADER;
        if (length >= needed[type]!) {
          this.at[type] = payload;
          present |= 1 << type;
        } else if (length !== 0) throw tooShort(type, length, payload);
      }
      offset += align4(lengthIn(word));
    }
    this.present = present;
    if ((present & NAMES_A_FLOW) !== NAMES_A_FLOW) throw namesNoFlow(present, end);
    return this;
  }

  /** 'update' also for the entries of dumps and for answers to GET, which are no events. */
  get kind(): EventKind {
    if (commandOf(messageType(this.bytes, this.start)) === IPCTNL_MSG_CT.DELETE) return 'destroy';
    const made = messageFlags(this.bytes, this.start) & (NLM_F.CREATE | NLM_F.EXCL);
    return made === 0 ? 'update' : 'new';
  }
  /** AF.INET or AF.INET6. */
  get family(): number {
    return messageFamily(this.bytes, this.start);
  }
  /** Whose request caused the event; 0 where packets or time did. */
  get portId(): number {
    return messagePortId(this.bytes, this.start);
  }
  /** The direction of the first packet. */
  get original(): TupleView {
    if ((this.attached & ORIGINAL) === 0) this.attachTuple(this.originalView, CTA.TUPLE_ORIG, ORIGINAL);
    return this.originalView;
  }
  /** The direction of the answers. */
  get reply(): TupleView {
    if ((this.attached & REPLY) === 0) this.attachTuple(this.replyView, CTA.TUPLE_REPLY, REPLY);
    return this.replyView;
  }
  /** Opaque; see Flow.id for what it is worth. */
  get id(): number {
    return this.data.getUint32(this.at[CTA.ID]!);
  }
  /** IPS bits; 0 where absent. */
  get status(): number {
    return this.u32(CTA.STATUS);
  }
  /** Seconds that are left; 0 where absent, as in the event of an entry that expired. */
  get timeout(): number {
    return this.u32(CTA.TIMEOUT);
  }
  /** 0 where absent: events leave out a mark of 0 unless it was set by netlink. */
  get mark(): number {
    return this.u32(CTA.MARK);
  }
  get hasMark(): boolean {
    return this.has(CTA.MARK);
  }
  /** The zone of both directions; 0, the default zone, where absent. */
  get zone(): number {
    return this.has(CTA.ZONE) ? this.data.getUint16(this.at[CTA.ZONE]!) : 0;
  }
  /** TCP_CONNTRACK; undefined where the message does not tell. */
  get tcpState(): number | undefined {
    const info = this.has(CTA.PROTOINFO) ? this.at[CTA.PROTOINFO]! : 0;
    const tcp = info === 0 ? 0 : find(this.data, info, this.stop(info), CTA_PROTOINFO.TCP);
    const state = tcp === 0 ? 0 : find(this.data, tcp, this.stop(tcp), CTA_PROTOINFO_TCP.STATE);
    return state === 0 || this.stop(state) === state ? undefined : this.bytes[state];
  }
  /** When the entry was made, in milliseconds since 1970; undefined without nf_conntrack_timestamp. */
  get startedAt(): number | undefined {
    const times = this.payloadStart(CTA.TIMESTAMP);
    const start = times === 0 ? 0 : find(this.data, times, this.stop(times), CTA_TIMESTAMP.START);
    if (start === 0 || this.stop(start) - start < 8) return undefined;
    return (this.data.getUint32(start) * 2 ** 32 + this.data.getUint32(start + 4)) / 1e6;
  }
  /** Whether the message carries an attribute (CTA). */
  has(attribute: number): boolean {
    return attribute < TABLE_SIZE && (this.present & (1 << attribute)) !== 0;
  }

  /** The buffer that the message stands in, for readers of what has no getter of its own. */
  get buffer(): Uint8Array {
    return this.bytes;
  }
  /** Where the payload of an attribute (CTA) begins in `buffer`; 0 where the message lacks it. */
  payloadStart(attribute: number): number {
    return this.has(attribute) ? this.at[attribute]! : 0;
  }
  /** Where a payload ends, by where it begins. */
  payloadEnd(start: number): number {
    return this.stop(start);
  }

  /**
   * The whole message as an object of its own. Fields that it lacks are undefined.
   * @throws DecodeError where any attribute is malformed.
   */
  toFlow(): Flow {
    const at = this.at;
    return {
      family: this.family,
      originalTuple: complete(this.original, at[CTA.TUPLE_ORIG]!, 'CTA_TUPLE_ORIG'),
      replyTuple: complete(this.reply, at[CTA.TUPLE_REPLY]!, 'CTA_TUPLE_REPLY'),
      masterTuple: this.value<FlowAttributes['masterTuple']>(CTA.TUPLE_MASTER),
      id: this.id,
      status: this.optionalU32(CTA.STATUS),
      timeout: this.optionalU32(CTA.TIMEOUT),
      mark: this.optionalU32(CTA.MARK),
      zone: this.has(CTA.ZONE) ? this.data.getUint16(at[CTA.ZONE]!) : undefined,
      use: this.optionalU32(CTA.USE),
      protocolInfo:
        this.quick(CTA.PROTOINFO, readTcpInfo) ?? this.value<FlowAttributes['protocolInfo']>(CTA.PROTOINFO),
      helper: this.value<FlowAttributes['helper']>(CTA.HELP),
      originalCounters: this.quick(CTA.COUNTERS_ORIG, readCounters),
      replyCounters: this.quick(CTA.COUNTERS_REPLY, readCounters),
      timestamps: this.quick(CTA.TIMESTAMP, readTimestamps),
      originalSequenceAdjustment: this.value<FlowAttributes['originalSequenceAdjustment']>(CTA.SEQ_ADJ_ORIG),
      replySequenceAdjustment: this.value<FlowAttributes['replySequenceAdjustment']>(CTA.SEQ_ADJ_REPLY),
      synproxy: this.value<FlowAttributes['synproxy']>(CTA.SYNPROXY),
      labels: this.value<FlowAttributes['labels']>(CTA.LABELS),
      securityContext: this.value<FlowAttributes['securityContext']>(CTA.SECCTX),
      eventTimestamp: this.has(CTA.TIMESTAMP_EVENT)
        ? this.data.getBigUint64(at[CTA.TIMESTAMP_EVENT]!)
        : undefined,
    };
  }

  private attachTuple(tuple: TupleView, type: number, flag: number): void {
    const at = this.at[type]!;
    try {
      tuple.attach(this.bytes, this.data, at, this.stop(at));
    } catch (error) {
      throw error instanceof DecodeError ? error.within(flowAttributes.byType[type]!.name) : error;
    }
    this.attached |= flag;
  }

  private u32(type: number): number {
    return this.has(type) ? this.data.getUint32(this.at[type]!) : 0;
  }

  private optionalU32(type: number): number | undefined {
    return this.has(type) ? this.data.getUint32(this.at[type]!) : undefined;
  }

  /** Where the payload at `at` ends; its header was checked when it was found. */
  private stop(at: number): number {
    return at - ATTRIBUTE_HEADER + lengthOf(this.bytes, at - ATTRIBUTE_HEADER);
  }

  /** What stands in most messages is read by hand. */
  private quick<T>(type: number, read: (data: DataView, start: number, end: number) => T): T | undefined {
    if (!this.has(type)) return undefined;
    const at = this.at[type]!;
    try {
      return read(this.data, at, this.stop(at));
    } catch (error) {
      throw error instanceof DecodeError ? error.within(flowAttributes.byType[type]!.name) : error;
    }
  }

  /** What rarely stands in a message, or has many shapes, is read by its table. */
  private value<T>(type: number): T | undefined {
    if (!this.has(type)) return undefined;
    const at = this.at[type]!;
    const { codec, name } = flowAttributes.byType[type]!;
    try {
      return codec.decode(this.bytes, at, this.stop(at)) as T;
    } catch (error) {
      throw error instanceof DecodeError ? error.within(name) : error;
    }
  }
}

/** Payload of the last attribute with this number; 0 where there is none. */
function find(data: DataView, start: number, end: number, type: number): number {
  let found = 0;
  for (let offset = start; offset < end; ) {
    const word = attributeWord(data, offset, end);
    if (typeIn(word) === type) found = offset + ATTRIBUTE_HEADER;
    offset += align4(lengthIn(word));
  }
  return found;
}

function complete(view: TupleView, at: number, name: string): CompleteTuple {
  if (!view.isComplete) throw new DecodeError('the tuple lacks an address or the protocol', at, name);
  return view.toTuple() as CompleteTuple;
}

function namesNoFlow(present: number, end: number): DecodeError {
  const missing = [CTA.TUPLE_ORIG, CTA.TUPLE_REPLY, CTA.ID].find((type) => (present & (1 << type)) === 0)!;
  return new DecodeError(
    'the message names no flow: this is missing',
    end,
    flowAttributes.byType[missing]!.name,
  );
}

function tooShort(type: number, length: number, offset: number): DecodeError {
  const entry = flowAttributes.byType[type];
  return new DecodeError(`${length} bytes where ${needed[type]} are needed`, offset, entry?.name ?? '');
}
