import {
  ATTRIBUTES_AT,
  decodeRefusal,
  EncodeError,
  messageTypeOf,
  NFNL_SUBSYS,
  type PipelineHandler,
  type Requester,
  type RequestOptions,
} from '../nfnetlink/index.ts';
import { setReply } from './attributes.ts';
import { IPSET_CMD, IPSET_ERR } from './constants.ts';
import type { SetShape } from './element.ts';
import { asIpsetError } from './errors.ts';
import { decodeShape, sameShape } from './header.ts';
import { plainMessage } from './messages.ts';
import { ipset } from './subsystem.ts';
import type { TestTemplate } from './testTemplate.ts';

/** How many keys are asked about in one pipeline; bounds the memory of a tester. */
const CHUNK = 4096;

/**
 * Asks about many raw keys of one set (`IpsetClient.tester`). The buffer of messages is made once, so
 * that a key costs no allocation.
 *
 * The set's header is asked for in front of each pipeline, in the same datagram: the kernel answers 'not
 * in the set' to a key that it cannot read, and a set may be destroyed and made again with another type.
 */
export class MembershipTester {
  readonly #requester: Requester;
  readonly #template: TestTemplate;
  readonly #header: Uint8Array;
  readonly #answers: Answers;
  #messages = new Uint8Array(0);
  #prepared = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** Made by `IpsetClient.tester`, which learns the set's type and the kernel's protocol. */
  constructor(requester: Requester, template: TestTemplate, protocol: number) {
    this.#requester = requester;
    this.#template = template;
    this.#header = plainMessage(IPSET_CMD.HEADER, { protocol, setName: template.set.name });
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
  async testMany(
    keys: Uint8Array,
    results: Uint8Array = new Uint8Array(keys.length / this.keyLength),
    options?: RequestOptions,
  ): Promise<Uint8Array> {
    const count = keys.length / this.keyLength;
    if (!Number.isInteger(count)) {
      throw new EncodeError(`${keys.length} bytes are not whole keys of ${this.keyLength}`, 'keys');
    }
    if (results.length < count) throw new EncodeError(`${count} keys need as many bytes`, 'results');
    // one pipeline at a time: the messages belong to the connection until it resolves
    const turn = this.#last.then(() => this.#run(keys, count, results, options));
    this.#last = turn.catch(() => undefined);
    await turn;
    return results;
  }

  async #run(keys: Uint8Array, count: number, results: Uint8Array, options?: RequestOptions): Promise<void> {
    for (let first = 0; first < count; first += CHUNK) {
      const size = Math.min(CHUNK, count - first);
      this.#reserve(size);
      this.#fill(keys, first, size);
      this.#answers.begin(results, first);
      const end = this.#header.length + size * this.#template.messageLength;
      await this.#requester.pipeline(this.#messages.subarray(0, end), this.#answers, options);
      this.#answers.check();
    }
  }

  #reserve(size: number): void {
    if (size <= this.#prepared) return;
    const { messageLength } = this.#template;
    this.#messages = new Uint8Array(this.#header.length + size * messageLength);
    this.#messages.set(this.#header);
    for (let i = 0; i < size; i++) {
      this.#template.prepare(this.#messages, this.#header.length + i * messageLength);
    }
    this.#prepared = size;
  }

  #fill(keys: Uint8Array, first: number, size: number): void {
    const template = this.#template;
    const { keyLength, messageLength } = template;
    let at = this.#header.length;
    let key = first * keyLength;
    for (let i = 0; i < size; i++, at += messageLength, key += keyLength) {
      template.fill(this.#messages, at, keys, key);
    }
  }
}

const testType = messageTypeOf(NFNL_SUBSYS.IPSET, IPSET_CMD.TEST);
const headerType = messageTypeOf(NFNL_SUBSYS.IPSET, IPSET_CMD.HEADER);

/** Hears the answers to one pipeline: the header first, then a test a key. */
class Answers implements PipelineHandler {
  readonly #set: SetShape;
  #results: Uint8Array = new Uint8Array(0);
  #first = 0;
  #found: SetShape | undefined;
  #failure: unknown;

  constructor(set: SetShape) {
    this.#set = set;
  }

  begin(results: Uint8Array, first: number): void {
    this.#results = results;
    this.#first = first;
    this.#found = undefined;
    this.#failure = undefined;
  }

  onData(_index: number, bytes: Uint8Array, start: number, end: number): void {
    this.#found = decodeShape(setReply.decode(bytes, start + ATTRIBUTES_AT, end), start);
  }

  onAck(index: number, errno: number, bytes: Uint8Array, start: number, end: number): void {
    if (index > 0 && (errno === 0 || errno === IPSET_ERR.EXIST)) {
      this.#results[this.#first + index - 1] = errno === 0 ? 1 : 0;
    } else if (errno !== 0 && this.#failure === undefined) {
      const refusal = decodeRefusal(bytes, start, end, index === 0 ? headerType : testType, ipset);
      this.#failure = asIpsetError(refusal, {
        command: index === 0 ? IPSET_CMD.HEADER : IPSET_CMD.TEST,
        set: this.#set.name,
        method: this.#set.type.method,
        ...(index > 0 && { index: this.#first + index - 1 }),
      });
    }
  }

  /** Throws what went wrong in the pipeline that has ended. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#found && !sameShape(this.#found, this.#set)) {
      throw new EncodeError(
        `set ${this.#set.name} was ${this.#set.type.name} and is now ${this.#found.type.name}, or of ` +
          'another family: make a new tester',
        'set',
      );
    }
  }
}
