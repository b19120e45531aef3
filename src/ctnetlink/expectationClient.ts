import type { Requester, RequestOptions } from '../nfnetlink/requester.ts';
import {
  decodeExpectation,
  type Expectation,
  type ExpectationKey,
  encodeCreateExpectation,
  encodeDeleteExpectation,
  encodeFlushExpectations,
  encodeGetExpectation,
  encodeListExpectationStatistics,
  encodeListExpectations,
  encodeUpdateExpectation,
  type NewExpectation,
} from './expectation.ts';
import { collect, doneOrAbsent, foundOrAbsent } from './outcome.ts';
import { decodeExpectationStatistics, type ExpectationStatistics } from './statistics.ts';
import type { CompleteTuple } from './tuple.ts';

/** Questions and orders about the flows that helpers wait for. */
export class ExpectationClient {
  private readonly requester: Requester;

  constructor(requester: Requester) {
    this.requester = requester;
  }

  /** Every expectation, or those that one flow announced. */
  list(masterTuple?: CompleteTuple, options?: RequestOptions): AsyncIterable<Expectation> {
    return this.requester.dump(encodeListExpectations(masterTuple), decodeExpectation, options);
  }

  /** @throws EncodeError where the tuple is incomplete, before anything is sent */
  async get(key: ExpectationKey, options?: RequestOptions): Promise<Expectation | undefined> {
    return foundOrAbsent(this.requester.query(encodeGetExpectation(key), decodeExpectation, options));
  }

  /**
   * @throws KernelError ENOENT without the master flow, EOPNOTSUPP where it has no helper, EEXIST;
   * EncodeError where a tuple is incomplete
   */
  async create(expectation: NewExpectation, options?: RequestOptions): Promise<void> {
    await this.requester.acknowledge(encodeCreateExpectation(expectation), options);
  }

  /** Changes the seconds that an expectation has left; the kernel sends no event of it. */
  async update(expectation: NewExpectation, options?: RequestOptions): Promise<'updated' | 'absent'> {
    const asked = this.requester.acknowledge(encodeUpdateExpectation(expectation), options);
    return doneOrAbsent(asked, 'updated');
  }

  async delete(key: ExpectationKey, options?: RequestOptions): Promise<'deleted' | 'absent'> {
    return doneOrAbsent(this.requester.acknowledge(encodeDeleteExpectation(key), options), 'deleted');
  }

  /** DELETES every expectation of the network namespace, or all of one helper. */
  async flushAll(helperName?: string, options?: RequestOptions): Promise<void> {
    await this.requester.acknowledge(encodeFlushExpectations(helperName), options);
  }

  /** What each CPU has counted. */
  async statistics(options?: RequestOptions): Promise<ExpectationStatistics[]> {
    const answers = this.requester.dump(
      encodeListExpectationStatistics(),
      decodeExpectationStatistics,
      options,
    );
    return collect(answers);
  }
}
