import {
  ATTRIBUTES_AT,
  DecodeError,
  EncodeError,
  type KernelError,
  type MessageDecoder,
  type NetlinkError,
  type Requester,
  type RequestOptions,
  type ValueOf,
} from '../nfnetlink/index.ts';
import { protocolReply, type SetReply, setReply } from './attributes.ts';
import { IPSET_CMD, IPSET_ERR, IPSET_PROTOCOL, IPSET_PROTOCOL_MIN } from './constants.ts';
import type { SetShape } from './element.ts';
import { asIpsetError, type IpsetErrorContext } from './errors.ts';
import { decodeShape, sameShape } from './header.ts';
import { plainMessage, typeMessage } from './messages.ts';
import { checkSetName } from './setName.ts';
import type { SetType } from './setType.ts';

/** Reads what LIST, HEADER, TYPE, GET_BYNAME and GET_BYINDEX answer. */
export const readReply: MessageDecoder<SetReply> = (bytes, start, end) =>
  setReply.decode(bytes, start + ATTRIBUTES_AT, end);

const readShape: MessageDecoder<SetShape> = (bytes, start, end) =>
  decodeShape(readReply(bytes, start, end), start);

const readProtocol: MessageDecoder<ValueOf<typeof protocolReply>> = (bytes, start, end) =>
  protocolReply.decode(bytes, start + ATTRIBUTES_AT, end);

/** The revisions of a set type that a kernel has. */
export interface TypeRevisions {
  readonly newest: number;
  readonly oldest: number;
}

/**
 * What one conversation has learned of the kernel: the protocol version, the revisions of set types, and
 * the types of sets. Refusals become IpsetError here.
 */
export class KernelSession {
  readonly requester: Requester;
  #protocol: Promise<number> | undefined;
  readonly #revisions = new Map<string, TypeRevisions>();
  readonly #shapes = new Map<string, SetShape>();

  constructor(requester: Requester) {
    this.requester = requester;
  }

  /**
   * The protocol version to speak: the newest that both sides know. Asked once.
   * @throws IpsetError where the kernel has no ipset; EncodeError where it is older than protocol 6.
   */
  protocol(): Promise<number> {
    // without anyone's signal: many may wait for it
    this.#protocol ??= this.#negotiate().catch((error) => {
      this.#protocol = undefined;
      throw error;
    });
    return this.#protocol;
  }

  async #negotiate(): Promise<number> {
    const message = plainMessage(IPSET_CMD.PROTOCOL, { protocol: IPSET_PROTOCOL });
    const reply = await this.query(message, readProtocol, { command: IPSET_CMD.PROTOCOL });
    const { protocol: newest = 0, protocolMin: oldest = newest } = reply;
    if (newest >= IPSET_PROTOCOL_MIN && oldest <= IPSET_PROTOCOL) return Math.min(newest, IPSET_PROTOCOL);
    throw new EncodeError(
      `the kernel speaks ipset protocol ${oldest} to ${newest}, this library ${IPSET_PROTOCOL_MIN} to ` +
        `${IPSET_PROTOCOL}: use a kernel from 2.6.39 on`,
      'protocol',
    );
  }

  /**
   * The revisions of a set type; loads its module where the kernel has it. Asked once a type and family.
   * @throws IpsetError FIND_TYPE where the kernel lacks the type.
   */
  async revisions(type: SetType, family: number, options?: RequestOptions): Promise<TypeRevisions> {
    const key = `${type.name} ${family}`;
    const known = this.#revisions.get(key);
    if (known) return known;
    const message = typeMessage(await this.protocol(), type.name, family);
    const reply = await this.query(message, readReply, { command: IPSET_CMD.TYPE }, options);
    const { revision: newest = 0, revisionMin: oldest = newest } = reply;
    const found = { newest, oldest };
    this.#revisions.set(key, found);
    return found;
  }

  /**
   * A set's type, revision and family, asked now.
   * @throws IpsetError ENOENT where there is no such set.
   */
  async learn(setName: string, options?: RequestOptions): Promise<SetShape> {
    const message = plainMessage(IPSET_CMD.HEADER, { protocol: await this.protocol(), setName });
    this.#shapes.delete(setName);
    const context = { command: IPSET_CMD.HEADER, set: setName };
    const shape = await this.query(message, readShape, context, options);
    this.#shapes.set(setName, shape);
    return shape;
  }

  /** Forgets a set whose name may mean another one from now on. */
  forget(setName?: string): void {
    if (setName === undefined) this.#shapes.clear();
    else this.#shapes.delete(setName);
  }

  /**
   * Runs `work` with what is known of a set. Where it fails in a way that a stale type explains (a set can
   * be destroyed and made again), the type is asked again, and where it differs the work is done again.
   * `work` must have had no effect where it throws.
   */
  async withSet<T>(
    setName: string,
    work: (set: SetShape, protocol: number) => Promise<T>,
    options?: RequestOptions,
  ): Promise<T> {
    checkSetName(setName);
    const protocol = await this.protocol();
    const known = this.#shapes.get(setName);
    if (!known) return work(await this.learn(setName, options), protocol);
    try {
      return await work(known, protocol);
    } catch (error) {
      if (!mayBeStale(error)) throw error;
      const now = await this.learn(setName, options);
      if (sameShape(known, now)) throw error;
      return work(now, protocol);
    }
  }

  /**
   * Runs `work`, whose requests were written for `set`, and asks in the same turn, so that the requests
   * travel together, whether the set is still what is known of it.
   * @throws EncodeError where it is not; IpsetError ENOENT where there is no such set any more.
   */
  async confirming<T>(
    set: SetShape,
    protocol: number,
    work: () => Promise<T>,
    options?: RequestOptions,
  ): Promise<T> {
    const [confirmed, done] = await Promise.allSettled([this.#confirm(set, protocol, options), work()]);
    if (confirmed.status === 'rejected') throw confirmed.reason;
    if (done.status === 'rejected') throw done.reason;
    return done.value;
  }

  async #confirm(set: SetShape, protocol: number, options?: RequestOptions): Promise<void> {
    const message = plainMessage(IPSET_CMD.HEADER, { protocol, setName: set.name });
    const context = { command: IPSET_CMD.HEADER, set: set.name };
    const now = await this.query(message, readShape, context, options);
    if (sameShape(now, set)) return;
    throw new EncodeError(
      `set ${set.name} is no longer ${set.type.name} of the family and revision that was asked about`,
      'set',
    );
  }

  /** Sends one message that is acknowledged. */
  async acknowledge(
    message: Uint8Array,
    context: IpsetErrorContext,
    options?: RequestOptions,
  ): Promise<void> {
    try {
      await this.requester.acknowledge(message, options);
    } catch (error) {
      throw asIpsetError(error, context);
    }
  }

  /**
   * Sends one message that is answered by one of data.
   * @throws DecodeError where it is acknowledged without any.
   */
  async query<T>(
    message: Uint8Array,
    decode: MessageDecoder<T>,
    context: IpsetErrorContext,
    options?: RequestOptions,
  ): Promise<T> {
    let replies: T[];
    try {
      replies = await this.requester.query(message, decode, options);
    } catch (error) {
      throw asIpsetError(error, context);
    }
    if (replies.length > 0) return replies[0]!;
    throw new DecodeError('the kernel acknowledged a question without an answer', 0);
  }

  /** Sends a dump request. */
  async *dump<T>(
    message: Uint8Array,
    decode: MessageDecoder<T>,
    context: IpsetErrorContext,
    options?: RequestOptions,
  ): AsyncGenerator<T, void, undefined> {
    try {
      yield* this.requester.dump(message, decode, options);
    } catch (error) {
      throw asIpsetError(error, context);
    }
  }
}

/** Whether an error could come from a set that is no longer what it was. */
function mayBeStale(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { kind } = error as NetlinkError;
  if (kind === 'encode') return true;
  return kind === 'kernel' && (error as KernelError).errno !== IPSET_ERR.EXIST;
}
