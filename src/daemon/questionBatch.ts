import type { FlowStore } from './flowStore.ts';

/** Writes the TEST of one set for a flow. */
export interface Probe {
  /** The most bytes that a request takes; a multiple of four. */
  readonly byteLength: number;
  /** Writes the whole request at `offset`, sequence number 0, and returns where it ends. */
  write(target: Uint8Array, offset: number, store: FlowStore, slot: number): number;
}

const HASH_SLOTS = 4096;

/**
 * The questions about a batch of flows, written one behind the other as they go onto the wire. A question
 * that stands there already (the same set, the same key) is not written again: two flows, or two rules
 * with one set, share its answer. All memory is taken once and used again.
 */
export class QuestionBatch {
  /** Most questions in a batch; at least MOST_RULES, so that every flow fits. */
  static readonly LIMIT = 1024;
  /** The longest TEST: a name of 31 bytes, two IPv6 addresses, port, protocol, interface. */
  static readonly LONGEST = 192;

  readonly #bytes = new Uint8Array(QuestionBatch.LIMIT * QuestionBatch.LONGEST);
  /** Where question i begins; the entry behind the last is the end of all. */
  readonly #starts = new Uint32Array(QuestionBatch.LIMIT + 1);
  /** Open addressing: question index + 1, 0 for free. */
  readonly #table = new Uint16Array(HASH_SLOTS);
  readonly #answers = new Uint8Array(QuestionBatch.LIMIT);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The requests, to be sent; valid until clear(). */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#starts[this.#count]!);
  }

  /** Whether `questions` more are sure to fit. */
  hasRoom(questions: number): boolean {
    return this.#count + questions <= QuestionBatch.LIMIT;
  }

  /** Writes a question, or finds the equal one; returns its index. */
  ask(probe: Probe, store: FlowStore, slot: number): number {
    const start = this.#starts[this.#count]!;
    const end = probe.write(this.#bytes, start, store, slot);
    let at = this.#hash(start, end) & (HASH_SLOTS - 1);
    for (;;) {
      const found = this.#table[at]! - 1;
      if (found === -1) break;
      if (this.#equals(found, start, end)) return found;
      at = (at + 1) & (HASH_SLOTS - 1);
    }
    this.#table[at] = ++this.#count;
    this.#starts[this.#count] = end;
    return this.#count - 1;
  }

  setAnswer(question: number, answer: number): void {
    this.#answers[question] = answer;
  }

  answer(question: number): number {
    return this.#answers[question]!;
  }

  /** Empties the batch; every answer becomes `initial`. */
  clear(initial: number): void {
    this.#table.fill(0);
    this.#answers.fill(initial);
    this.#count = 0;
  }

  // the header (16 bytes) holds a sequence number once it is sent, and says nothing of the question
  #hash(start: number, end: number): number {
    let hash = 0x811c9dc5;
    for (let i = start + 16; i < end; i++) hash = Math.imul(hash ^ this.#bytes[i]!, 0x01000193);
    return hash ^ (hash >>> 15);
  }

  #equals(question: number, start: number, end: number): boolean {
    const other = this.#starts[question]!;
    if (this.#starts[question + 1]! - other !== end - start) return false;
    for (let i = 16; i < end - start; i++)
      if (this.#bytes[other + i] !== this.#bytes[start + i]) return false;
    return true;
  }
}
