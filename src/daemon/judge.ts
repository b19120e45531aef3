import type { Requester } from '../nfnetlink/requester.ts';
import { candidatesOf } from './candidates.ts';
import { ANSWER, decide } from './decide.ts';
import type { FlowStore } from './flowStore.ts';
import { type Probe, QuestionBatch } from './questionBatch.ts';
import { answerOf } from './setAnswer.ts';
import { SlotQueue } from './slotQueue.ts';
import type { Standing } from './standing.ts';
import { StoredFlow } from './storedFlow.ts';
import type { Verdict } from './verdict.ts';

/** What the judge must know of the sets. */
export interface SetProbes {
  /** How to ask a rule's set about such flows; undefined where it is missing or can hold none of them. */
  probe(rule: number, family: number, protocol: number): Probe | undefined;
  /** Whether it is known what the rule's set is; as long as it is not, it may hold anything. */
  isKnown(rule: number): boolean;
}

export interface JudgeParts {
  readonly store: FlowStore;
  readonly sets: SetProbes;
  readonly requester: Requester;
  /** The present standing, asked for each batch. */
  readonly standing: () => Standing;
  /** Receives the verdict and, with it, the slot. */
  readonly onVerdict: (slot: number, verdict: Verdict) => void;
  /** Called when a batch's verdicts are all given. */
  readonly onRound: () => void;
  /** Hears that a batch could not be asked; its flows are judged unclassified. */
  readonly onFailure: (error: unknown) => void;
}

/** Batches under way at once: one being answered while the next is written. */
const BATCHES = 2;
/** Flows of one batch; each asks at least one question. */
const FLOWS = 512;
/** In place of a question: a set that is not there holds nothing. */
const NOT_ASKED = -1;
/** In place of a question: a rule without a set takes every flow that it fits. */
const TAKEN = -2;
/** In place of a question: nobody knows yet how to ask the set. */
const NOT_KNOWN = -3;

interface Round {
  readonly questions: QuestionBatch;
  readonly slots: Int32Array;
  /** For flow i: where its questions begin in `asked`, and one entry more for the end. */
  readonly first: Uint32Array;
  readonly asked: number[];
  readonly rules: number[];
  flows: number;
  standing: Standing;
}

/**
 * Judges flows in batches: which rules could matter, what their sets say, what follows. Flows wait in a queue
 * while all batches are under way, so what is in flight is bounded, and they are judged in order.
 */
export class Judge {
  readonly #parts: JudgeParts;
  readonly #waiting: SlotQueue;
  readonly #idle: Round[] = [];
  readonly #flow: StoredFlow;
  readonly #rules: number[] = [];
  readonly #answers: number[] = [];
  #drained: (() => void)[] = [];
  #stopped: (() => void) | undefined;
  #tested = 0;
  #questions = 0;

  constructor(parts: JudgeParts) {
    this.#parts = parts;
    this.#waiting = new SlotQueue(parts.store);
    this.#flow = new StoredFlow(parts.store);
    for (let i = 0; i < BATCHES; i++) {
      this.#idle.push({
        questions: new QuestionBatch(),
        slots: new Int32Array(FLOWS),
        first: new Uint32Array(FLOWS + 1),
        asked: [],
        rules: [],
        flows: 0,
        standing: parts.standing(),
      });
    }
  }

  /** Flows that wait for a batch; those under way are not counted. */
  get backlog(): number {
    return this.#waiting.length;
  }
  /** Whether nothing waits and nothing is under way. */
  get isIdle(): boolean {
    return this.#waiting.length === 0 && this.#idle.length === BATCHES;
  }
  /** Flows that were asked about, and questions that went to the kernel for them. */
  get totals(): { readonly tested: number; readonly questions: number } {
    return { tested: this.#tested, questions: this.#questions };
  }

  /** Takes a flow; it is asked about with the next flush(). */
  submit(slot: number): void {
    this.#waiting.push(slot);
  }

  /** Sends what has been submitted, as far as batches are free; the rest follows by itself. */
  flush(): void {
    while (this.#waiting.length > 0 && this.#idle.length > 0) {
      const round = this.#idle.pop()!;
      this.#fill(round);
      if (round.questions.count > 0) void this.#ask(round);
      else this.#conclude(round);
    }
  }

  /** Resolves when no flow waits for a batch. */
  drained(): Promise<void> {
    this.flush();
    if (this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  /** Gives up the flows that wait: they are `unclassified`. Resolves when nothing is under way any more. */
  stop(): Promise<void> {
    while (this.#waiting.length > 0) this.#parts.onVerdict(this.#waiting.shift(), { kind: 'unclassified' });
    if (this.isIdle) {
      this.#settleDrained();
      this.#parts.onRound();
      return Promise.resolve();
    }
    return new Promise((resolve) => (this.#stopped = resolve));
  }

  #fill(round: Round): void {
    const { store, sets } = this.#parts;
    const standing = this.#parts.standing();
    round.standing = standing;
    round.questions.clear(ANSWER.UNKNOWN);
    round.flows = 0;
    let asked = 0;
    const { rules } = round;
    while (this.#waiting.length > 0 && round.flows < FLOWS) {
      const slot = this.#waiting.head;
      const family = store.family(slot);
      const protocol = store.protocol(slot);
      const count = candidatesOf(standing, this.#flow.at(slot), rules);
      if (!round.questions.hasRoom(count) && round.flows > 0) break;
      this.#waiting.shift();
      round.slots[round.flows] = slot;
      round.first[round.flows++] = asked;
      for (let i = 0; i < count; i++) {
        const probe = sets.probe(rules[i]!, family, protocol);
        round.asked[asked++] = probe ? round.questions.ask(probe, store, slot) : this.#unasked(rules[i]!);
        round.asked[asked++] = rules[i]!;
      }
      round.first[round.flows] = asked;
    }
  }

  async #ask(round: Round): Promise<void> {
    const { questions } = round;
    this.#tested += round.flows;
    this.#questions += questions.count;
    try {
      await this.#parts.requester.pipeline(questions.bytes, {
        onAck: (index, errno) => questions.setAnswer(index, answerOf(errno)),
      });
    } catch (error) {
      this.#parts.onFailure(error);
    }
    this.#conclude(round);
    this.flush();
  }

  #conclude(round: Round): void {
    const { questions, standing, asked } = round;
    const { onVerdict } = this.#parts;
    const rules = this.#rules;
    const answers = this.#answers;
    for (let f = 0; f < round.flows; f++) {
      const slot = round.slots[f]!;
      let count = 0;
      for (let i = round.first[f]!; i < round.first[f + 1]!; i += 2) {
        const question = asked[i]!;
        if (question === TAKEN) answers[count] = ANSWER.HIT;
        else if (question === NOT_KNOWN) answers[count] = ANSWER.UNKNOWN;
        else answers[count] = question === NOT_ASKED ? ANSWER.MISS : questions.answer(question);
        rules[count++] = asked[i + 1]!;
      }
      onVerdict(slot, decide(standing, this.#flow.at(slot), rules, answers, count));
    }
    this.#idle.push(round);
    if (this.#waiting.length === 0) this.#settleDrained();
    this.#parts.onRound();
    if (this.isIdle) this.#stopped?.();
  }

  /** What stands in place of the question of a rule that has none. */
  #unasked(rule: number): number {
    if (this.#parts.standing().plan.rules[rule]!.set === null) return TAKEN;
    return this.#parts.sets.isKnown(rule) ? NOT_ASKED : NOT_KNOWN;
  }

  #settleDrained(): void {
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}
