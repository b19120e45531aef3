import { EncodeError, type RequestOptions } from '../nfnetlink/index.ts';
import { runBatch } from './batch.ts';
import { IPSET_CMD } from './constants.ts';
import { type CreateOptions, encodeCreateOptions, familyOf } from './create.ts';
import { type Element, encodeElement, type SetShape } from './element.ts';
import type { BatchCommand } from './elementBatch.ts';
import { formatElement } from './elementText.ts';
import type { SetHeader } from './header.ts';
import type { TypeRevisions } from './kernelSession.ts';
import { createMessage, destroyMessage, elementMessage, plainMessage, twoNamesMessage } from './messages.ts';
import { IpsetReader } from './reader.ts';
import { checkSetName } from './setName.ts';
import { type SetType, type SetTypeName, setTypeOf } from './setType.ts';

/** `exist` as in ipset(8): what is there already, or is gone already, is no error. */
export interface ExistOptions extends RequestOptions {
  readonly exist?: boolean;
}

/** A set as `restore` takes it; every SetListing is one too. */
export interface SavedSet {
  readonly header: Pick<SetHeader, 'name' | 'type' | 'options'>;
  readonly elements: Iterable<Element> | AsyncIterable<Element>;
}

/**
 * ipset over a netlink conversation: reads sets and changes them. Sets live in a network namespace: the
 * one that the socket was made in. What methods throw is told at IpsetReader.
 */
export class IpsetClient extends IpsetReader {
  /**
   * Makes a set. With `exist` an equal set is no error; a different one of the same name is EEXIST.
   * @throws EncodeError for an option that the type, or its revision in this kernel, does not have.
   */
  async create(
    name: string,
    typeName: SetTypeName,
    create: CreateOptions = {},
    options: ExistOptions = {},
  ): Promise<void> {
    checkSetName(name);
    const type = setTypeOf(typeName);
    const family = familyOf(type, create.family);
    const kernel = await this.session.revisions(type, family, options);
    const revision = pickRevision(type, kernel, create.revision);
    const data = encodeCreateOptions(create, type, revision, family);
    const protocol = await this.session.protocol();
    const message = createMessage(
      { protocol, setName: name, typeName, revision, family, data },
      options.exist ?? false,
    );
    this.session.forget(name);
    const context = { command: IPSET_CMD.CREATE, set: name, method: type.method };
    await this.session.acknowledge(message, context, options);
  }

  /** Destroys one set. With `exist` a missing one is no error. */
  async destroy(name: string, options: ExistOptions = {}): Promise<void> {
    checkSetName(name);
    const message = destroyMessage(await this.protocol(), name, options.exist ?? false);
    this.session.forget(name);
    await this.session.acknowledge(message, { command: IPSET_CMD.DESTROY, set: name }, options);
  }

  /** Destroys every set of the network namespace; none where a rule or a list refers to one of them. */
  async destroyAllSets(options?: RequestOptions): Promise<void> {
    const message = destroyMessage(await this.protocol(), undefined, false);
    this.session.forget();
    await this.session.acknowledge(message, { command: IPSET_CMD.DESTROY }, options);
  }

  /** Removes every element of one set. */
  async flush(name: string, options?: RequestOptions): Promise<void> {
    checkSetName(name);
    const message = plainMessage(IPSET_CMD.FLUSH, { protocol: await this.protocol(), setName: name });
    await this.session.acknowledge(message, { command: IPSET_CMD.FLUSH, set: name }, options);
  }

  /** Removes every element of every set of the network namespace. */
  async flushAllSets(options?: RequestOptions): Promise<void> {
    const message = plainMessage(IPSET_CMD.FLUSH, { protocol: await this.protocol() });
    await this.session.acknowledge(message, { command: IPSET_CMD.FLUSH }, options);
  }

  /** Gives a set another name, which must be free; a set that is referred to cannot be renamed. */
  rename(from: string, to: string, options?: RequestOptions): Promise<void> {
    return this.#twoNames(IPSET_CMD.RENAME, from, to, options);
  }

  /** Exchanges the contents of two sets of equal type and family, in one step. */
  swap(a: string, b: string, options?: RequestOptions): Promise<void> {
    return this.#twoNames(IPSET_CMD.SWAP, a, b, options);
  }

  async #twoNames(
    command: typeof IPSET_CMD.RENAME | typeof IPSET_CMD.SWAP,
    setName: string,
    setName2: string,
    options?: RequestOptions,
  ): Promise<void> {
    checkSetName(setName);
    checkSetName(setName2, 'setName2');
    const message = twoNamesMessage(command, { protocol: await this.protocol(), setName, setName2 });
    this.session.forget(setName);
    this.session.forget(setName2);
    await this.session.acknowledge(message, { command, set: `${setName}, ${setName2}` }, options);
  }

  /**
   * Makes sets and fills them. With `exist` equal sets and elements that are there are no error. Sets that
   * are there and elements that are not in `sets` stay.
   */
  async restore(
    sets: Iterable<SavedSet> | AsyncIterable<SavedSet>,
    options: ExistOptions = {},
  ): Promise<void> {
    for await (const { header, elements } of sets) {
      await this.create(header.name, header.type, header.options, options);
      await this.addMany(header.name, elements, options);
    }
  }

  /** Adds an element. With `exist` one that is there gets the given extensions instead. */
  add(name: string, element: Element, options?: ExistOptions): Promise<void> {
    return this.#change(IPSET_CMD.ADD, name, element, options);
  }

  /** Deletes an element. With `exist` a missing one is no error. */
  del(name: string, element: Element, options?: ExistOptions): Promise<void> {
    return this.#change(IPSET_CMD.DEL, name, element, options);
  }

  #change(command: BatchCommand, name: string, element: Element, options: ExistOptions = {}): Promise<void> {
    const work = async (set: SetShape, protocol: number) => {
      const data = encodeElement(element, set, command === IPSET_CMD.ADD ? 'add' : 'del');
      const message = elementMessage(command, { protocol, setName: name, data }, options.exist ?? false);
      const about = {
        command,
        set: name,
        method: set.type.method,
        element: formatElement(element, set.type),
      };
      await this.session.acknowledge(message, about, options);
    };
    return this.session.withSet(name, work, options);
  }

  /**
   * Adds many elements, hundreds a message. Stops at the first refusal; those before it stay.
   * @returns how many there were
   * @throws IpsetError with `index`, the number of the refused element from 0.
   */
  addMany(
    name: string,
    elements: Iterable<Element> | AsyncIterable<Element>,
    options?: ExistOptions,
  ): Promise<number> {
    return this.#changeMany(IPSET_CMD.ADD, name, elements, options);
  }

  /** Deletes many elements, as `addMany` adds them. */
  delMany(
    name: string,
    elements: Iterable<Element> | AsyncIterable<Element>,
    options?: ExistOptions,
  ): Promise<number> {
    return this.#changeMany(IPSET_CMD.DEL, name, elements, options);
  }

  async #changeMany(
    command: BatchCommand,
    name: string,
    elements: Iterable<Element> | AsyncIterable<Element>,
    options: ExistOptions = {},
  ): Promise<number> {
    // asked anew: a batch that has begun cannot be begun again
    const set = await this.shape(name, options);
    const work = { command, set, protocol: await this.protocol(), exist: options.exist ?? false };
    return runBatch(this.session.requester, work, elements, options);
  }
}

function pickRevision(type: SetType, kernel: TypeRevisions, wanted: number | undefined): number {
  const newest = Math.min(type.revision, kernel.newest);
  if (wanted === undefined) return newest;
  if (wanted >= kernel.oldest && wanted <= newest) return wanted;
  throw new EncodeError(
    `${type.name} has revisions ${kernel.oldest} to ${newest} here, not ${wanted}`,
    'revision',
  );
}
