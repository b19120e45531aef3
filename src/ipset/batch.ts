import { EncodeError, type Requester, type RequestOptions } from '../nfnetlink/index.ts';
import { IPSET_CMD } from './constants.ts';
import { type Element, encodeElement, type SetShape } from './element.ts';
import { type BatchCommand, ElementBatch } from './elementBatch.ts';
import { asIpsetError } from './errors.ts';

/**
 * Bytes of elements in one message. The kernel's error repeats the whole request, which must fit into one
 * slot of the receive buffer; and the nest's own length has 16 bits.
 */
const BATCH_BYTES = 16384;

/** More than the largest element takes: four addresses, two names, a comment and the integers. */
const LARGEST_ELEMENT = 1024;

/** What is done to which set. */
export interface BatchWork {
  readonly command: BatchCommand;
  readonly set: SetShape;
  /** The protocol version that the kernel speaks. */
  readonly protocol: number;
  readonly exist: boolean;
}

/**
 * Adds or deletes many elements, many in one message. Stops at the first refusal; what was done before it
 * stays.
 * @returns how many elements there were
 * @throws IpsetError with `index`, the number of the refused element; EncodeError, with the number in its
 * path, where an element does not fit the set, after those before it were sent.
 */
export async function runBatch(
  requester: Requester,
  { command, set, protocol, exist }: BatchWork,
  elements: Iterable<Element> | AsyncIterable<Element>,
  options?: RequestOptions,
): Promise<number> {
  const use = command === IPSET_CMD.ADD ? 'add' : 'del';
  const target = { command, setName: set.name, exist };
  const batch = new ElementBatch(BATCH_BYTES + LARGEST_ELEMENT);
  // lines begin at 1, since the kernel takes 0 for none
  let first = 1;
  let line = 1;
  const flush = async () => {
    if (batch.length === 0) return;
    const refusal = await batch.send(requester, target, protocol, first, options);
    if (refusal) {
      const index = (refusal.line ?? first) - 1;
      throw asIpsetError(refusal.error, { command, set: set.name, method: set.type.method, index });
    }
    first = line;
  };
  for await (const element of elements) {
    try {
      batch.append(encodeElement(element, set, use), line);
    } catch (error) {
      if (!(error instanceof EncodeError)) throw error;
      await flush();
      throw error.within(`elements[${line - 1}]`);
    }
    line++;
    if (batch.length >= BATCH_BYTES) await flush();
  }
  await flush();
  return line - 1;
}
