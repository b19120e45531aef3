import { ClosedError, type NetlinkError, OverrunError } from '../nfnetlink/errors.ts';
import type { Subsystem } from '../nfnetlink/subsystem.ts';
import type { Batch, Transport } from '../nfnetlink/transport.ts';
import { difference, messageLines, normalized } from './difference.ts';
import { handBatch } from './handBatch.ts';
import { messagesOf, type Reply, requestOf, type ScriptedRequest, type Step } from './replies.ts';

export interface ScriptOptions {
  /** Sources of names for the message of an unexpected request. */
  readonly subsystems?: readonly Subsystem[];
  /** Default 4711. */
  readonly portId?: number;
  /** Default 212992, as Linux has it. */
  readonly receiveBufferSize?: number;
  /** Datagrams that are delivered in one batch at most; default 64, as the ffi transport; 1 as `handle`. */
  readonly batchSize?: number;
  /** Datagrams that the receive buffer holds; what comes in excess is an overrun. Default: no limit. */
  readonly queueLimit?: number;
  /** Delivers by `deliver()` only; otherwise each answer comes as soon as the sender has returned. */
  readonly isManual?: boolean;
}

/** A program instead of a script: the answers to any request, or undefined for one that is not expected. */
export type KernelProgram = (request: ScriptedRequest, index: number) => readonly Reply[] | undefined;

interface Expectation {
  readonly message: Uint8Array;
  readonly replies: readonly Reply[];
}

/**
 * A kernel that follows a script: requests come in the expected order, byte for byte (but for sequence
 * number, port id and the flags that a connection sets), and are answered by the replies given.
 *
 *     const kernel = new ScriptedTransport({ subsystems: [ctnetlink] });
 *     kernel.expect(getRequest, data(entry), ack());
 *     const connection = new RequestConnection(kernel);
 *     ...
 *     kernel.assertDone();
 *
 * An unexpected request makes `send` throw, which rejects that request with both trees side by side, and
 * `assertDone` repeats it. Batches are overwritten after the callback, as the kernel's are.
 */
export class ScriptedTransport implements Transport {
  readonly kind = 'scripted';
  readonly portId: number;
  receiveBufferSize: number;
  truncated = 0;
  /** Every message that was sent, in order, copied. */
  readonly requests: ScriptedRequest[] = [];
  /** How many messages each datagram held. */
  readonly datagrams: number[] = [];
  readonly groups: number[] = [];
  /** The most datagrams that waited to be read at one time. */
  mostQueued = 0;
  isPaused = false;
  isRef = true;
  isClosed = false;
  readonly #options: ScriptOptions;
  readonly #script: Expectation[] = [];
  #program: KernelProgram | undefined;
  #fault: Error | undefined;
  readonly #queue: Step[] = [];
  #held: Step[] = [];
  #queued = 0;
  #isCongested = false;
  #isDeliveryDue = false;
  #onBatch: ((batch: Batch) => void) | undefined;
  #onOverrun: ((error: OverrunError) => void) | undefined;
  #onError: ((error: NetlinkError) => void) | undefined;

  constructor(options: ScriptOptions = {}) {
    this.#options = options;
    this.portId = options.portId ?? 4711;
    this.receiveBufferSize = options.receiveBufferSize ?? 212_992;
  }

  /** The next request and what answers it. */
  expect(message: Uint8Array, ...replies: readonly Reply[]): this {
    this.#script.push({ message: message.slice(), replies });
    return this;
  }

  /** Answers what the script does not expect. */
  program(program: KernelProgram): this {
    this.#program = program;
    return this;
  }

  /** Datagrams that nobody asked for: events. */
  emit(...datagrams: readonly Uint8Array[]): void {
    for (const bytes of datagrams) this.#enqueue({ kind: 'datagram', bytes: bytes.slice() });
  }

  /** Tells of an overrun, behind what waits to be read. */
  overrun(): void {
    this.#enqueue({ kind: 'overrun' });
  }

  /** Lets go of what `later` holds back. */
  release(): void {
    const held = this.#held;
    this.#held = [];
    for (const step of held) this.#enqueue(step);
  }

  /** The socket fails: it is closed, and says why. */
  fail(error: NetlinkError): void {
    this.#close();
    this.#call(() => this.#onError?.(error));
  }

  /** Delivers at most so many datagrams, unless paused. */
  deliver(datagrams = Number.POSITIVE_INFINITY): void {
    const batchSize = this.#options.batchSize ?? 64;
    let left = datagrams;
    while (left > 0 && this.#queue.length > 0 && this.#onBatch && !this.isPaused && !this.isClosed) {
      if (this.#queue[0]!.kind === 'overrun') {
        this.#queue.shift();
        this.#call(() => this.#onOverrun?.(new OverrunError()));
        continue;
      }
      const batch: Uint8Array[] = [];
      while (batch.length < Math.min(left, batchSize)) {
        const step = this.#queue[0];
        if (step?.kind !== 'datagram') break;
        batch.push(step.bytes);
        this.#queue.shift();
      }
      left -= batch.length;
      this.#queued -= batch.length;
      if (this.#queued === 0) this.#isCongested = false;
      handBatch(batch, (whole) => this.#call(() => this.#onBatch?.(whole)));
    }
  }

  /** @throws the first unexpected request, or names the expected ones that did not come. */
  assertDone(): void {
    if (this.#fault) throw this.#fault;
    const [next] = this.#script;
    if (!next) return;
    const lines = messageLines(normalized(next.message), this.#options.subsystems ?? []);
    throw new Error(
      `${this.#script.length} expected requests did not come; the next is\n${lines.join('\n')}`,
    );
  }

  send(datagram: Uint8Array): void {
    if (this.isClosed) throw new ClosedError();
    const messages = messagesOf(datagram);
    const steps = messages.flatMap((message) => this.#answer(requestOf(message, this.portId)));
    this.datagrams.push(messages.length);
    for (const step of steps) if (step.kind === 'refusal') throw step.error;
    for (const step of steps) this.#enqueue(step);
  }

  onBatch(callback: (batch: Batch) => void): void {
    this.#onBatch = callback;
    this.#schedule();
  }

  onOverrun(callback: (error: OverrunError) => void): void {
    this.#onOverrun = callback;
  }

  onError(callback: (error: NetlinkError) => void): void {
    this.#onError = callback;
  }

  joinGroup(group: number): void {
    this.groups.push(group);
  }

  growReceiveBuffer(bytes: number): number {
    this.receiveBufferSize = Math.max(this.receiveBufferSize, 2 * bytes);
    return this.receiveBufferSize;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.#schedule();
  }

  ref(): void {
    this.isRef = true;
  }

  unref(): void {
    this.isRef = false;
  }

  async close(): Promise<void> {
    this.#close();
  }

  #close(): void {
    this.isClosed = true;
    this.#queue.length = 0;
  }

  #answer(request: ScriptedRequest): readonly Step[] {
    const index = this.requests.push(request) - 1;
    const expected = this.#script[0];
    const isNext = expected !== undefined && isEqual(normalized(expected.message), normalized(request.bytes));
    if (isNext) this.#script.shift();
    const replies = isNext ? expected.replies : this.#program?.(request, index);
    if (!replies) {
      this.#fault ??= this.#unexpected(request, expected);
      throw this.#fault;
    }
    return replies.flatMap((reply) => reply(request));
  }

  #unexpected({ bytes }: ScriptedRequest, expected: Expectation | undefined): Error {
    const subsystems = this.#options.subsystems ?? [];
    const where = `request ${this.requests.length} is not the expected one`;
    return new Error(
      expected
        ? `${where} (- expected, + sent):\n${difference(expected.message, bytes, subsystems)}`
        : `${where}: no more requests were expected, and this was sent:\n` +
            messageLines(normalized(bytes), subsystems).join('\n'),
    );
  }

  #enqueue(step: Step): void {
    if (step.kind === 'held') {
      this.#held.push(...step.steps);
    } else if (step.kind === 'datagram') {
      this.#enqueueDatagram(step);
    } else {
      this.#queue.push(step);
    }
    this.#schedule();
  }

  /** Like the kernel: once the buffer was full, everything is lost until it has been read empty. */
  #enqueueDatagram(step: Step): void {
    if (this.#isCongested) return;
    if (this.#queued >= (this.#options.queueLimit ?? Number.POSITIVE_INFINITY)) {
      this.#isCongested = true;
      this.#queue.unshift({ kind: 'overrun' });
      return;
    }
    this.#queue.push(step);
    this.#queued += 1;
    this.mostQueued = Math.max(this.mostQueued, this.#queued);
  }

  #schedule(): void {
    if (this.#options.isManual || this.#isDeliveryDue || this.#queue.length === 0) return;
    this.#isDeliveryDue = true;
    queueMicrotask(() => {
      this.#isDeliveryDue = false;
      this.deliver();
    });
  }

  /** What a callback throws is an uncaught exception that leaves the socket running. */
  #call(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  }
}

function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}
