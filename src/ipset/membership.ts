import {
  decodeRefusal,
  EncodeError,
  messageTypeOf,
  NFNL_SUBSYS,
  type PipelineHandler,
  type RequestOptions,
} from '../nfnetlink/index.ts';
import { IPSET_CMD, IPSET_ERR } from './constants.ts';
import type { SetShape } from './element.ts';
import { asIpsetError } from './errors.ts';
import type { KernelSession } from './kernelSession.ts';
import type { TestTemplate } from './testTemplate.ts';

/** How many keys are asked about in one pipeline; bounds the memory of a tester. */
const CHUNK = 4096;

/**
 * Asks about many raw keys of one set (`IpsetClient.tester`). The buffer of messages is made once, so
 * that a key costs no allocation.
 *
 * The set's type is asked for together with each pipeline: the kernel answers 'not in the set' to a key
 * that it cannot read, and a set may be destroyed and made again with another type.
 */
export class MembershipTester {
  readonly #session: KernelSession;
  readonly #template: TestTemplate;
  readonly #answers: Answers;
  #messages = new Uint8Array(0);
  #prepared = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** Made by `IpsetClient.tester`. */
  constructor(session: KernelSession, template: TestTemplate) {
    this.#session = session;
    this.#template = template;
    this.#answers = new Answers(template.set);
  }

  /** Bytes of a key (see TestTemplate). */
  get keyLength(): number {
    return this.#template.keyLength;
  }

  /**
   * Asks about every key of `keys`, which follow one another without gaps, in order.
   * @param results receives 1 for a key that is in the set and 0 for one that is not
   * @returns results
   * @throws EncodeError where the lengths do not fit, or the set is now of another type or family: make a
   * new tester; IpsetError ENOENT where there is no such set.
   */
  async testMany(keys: Uint8Array, results?: Uint8Array, options?: RequestOptions): Promise<Uint8Array> {
    const count = keys.length / this.keyLength;
    if (!Number.isInteger(count)) {
      throw new EncodeError(`${keys.length} bytes are not whole keys of ${this.keyLength}`, 'keys');
    }
    const found = results ?? new Uint8Array(count);
    if (found.length < count) throw new EncodeError(`${count} keys need as many bytes`, 'results');
    // one pipeline at a time: the messages belong to the connection until it resolves
    const turn = this.#last.then(() => this.#run(keys, count, found, options));
    this.#last = turn.catch(() => undefined);
    await turn;
    return found;
  }

  async #run(keys: Uint8Array, count: number, results: Uint8Array, options?: RequestOptions): Promise<void> {
    for (let first = 0; first < count; first += CHUNK) {
      const size = Math.min(CHUNK, count - first);
      this.#reserve(size);
      this.#fill(keys, first, size);
      this.#answers.begin(results, first);
      const messages = this.#messages.subarray(0, size * this.#template.messageLength);
      const ask = () => this.#session.requester.pipeline(messages, this.#answers, options);
      await this.#session.confirming(this.#template.set, this.#template.protocol, ask, options);
      if (this.#answers.failure) throw this.#answers.failure;
    }
  }

  #reserve(size: number): void {
    if (size <= this.#prepared) return;
    const { messageLength } = this.#template;
    this.#messages = new Uint8Array(size * messageLength);
    for (let i = 0; i < size; i++) this.#template.prepare(this.#messages, i * messageLength);
    this.#prepared = size;
  }

  #fill(keys: Uint8Array, first: number, size: number): void {
    const template = this.#template;
    const { keyLength, messageLength } = template;
    for (let i = 0; i < size; i++) {
      template.fill(this.#messages, i * messageLength, keys, (first + i) * keyLength);
    }
  }
}

const testType = messageTypeOf(NFNL_SUBSYS.IPSET, IPSET_CMD.TEST);

/** Hears the answers to one pipeline of tests. */
class Answers implements PipelineHandler {
  /** The first refusal that is no answer. */
  failure: unknown;
  readonly #set: SetShape;
  #results: Uint8Array = new Uint8Array(0);
  #first = 0;

  constructor(set: SetShape) {
    this.#set = set;
  }

  begin(results: Uint8Array, first: number): void {
    this.#results = results;
    this.#first = first;
    this.failure = undefined;
  }

  onAck(index: number, errno: number, bytes: Uint8Array, start: number, end: number): void {
    if (errno === 0 || errno === IPSET_ERR.EXIST) {
      this.#results[this.#first + index] = errno === 0 ? 1 : 0;
    } else {
      this.failure ??= asIpsetError(decodeRefusal(bytes, start, end, testType), {
        command: IPSET_CMD.TEST,
        set: this.#set.name,
        method: this.#set.type.method,
        index: this.#first + index,
      });
    }
  }
}
