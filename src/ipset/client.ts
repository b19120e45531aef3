import { ATTRIBUTES_AT, EncodeError, type Requester, type RequestOptions } from '../nfnetlink/index.ts';
import { setReply } from './attributes.ts';
import { type BatchCommand, runBatch } from './batch.ts';
import { IPSET_CMD, IPSET_ERR } from './constants.ts';
import { type CreateOptions, encodeCreateOptions, familyOf } from './create.ts';
import { type Element, encodeElement, type SetShape } from './element.ts';
import { formatElement } from './elementText.ts';
import { IpsetError } from './errors.ts';
import type { SetHeader } from './header.ts';
import { KernelSession, type TypeRevisions } from './kernelSession.ts';
import { decodeListing, type ListingPart, listParts, listSets, type SetListing } from './listing.ts';
import { MembershipTester } from './membership.ts';
import {
  createMessage,
  destroyMessage,
  elementMessage,
  type ListScope,
  listMessage,
  plainMessage,
  twoNamesMessage,
} from './messages.ts';
import { checkSetName } from './setName.ts';
import { type SetType, type SetTypeName, setTypeOf } from './setType.ts';
import { type TestTemplateOptions, testTemplate } from './testTemplate.ts';

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
 * ipset over a netlink conversation. Sets live in a network namespace: the one that the socket was made in.
 *
 * Every method throws IpsetError where the kernel refuses, EncodeError where a name, option or element
 * cannot be what the set needs (nothing was sent), and TransportError, TimeoutError, OverrunError,
 * ClosedError or the signal's reason where nothing is known of what the kernel did.
 */
export class IpsetClient {
  readonly #session: KernelSession;
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
    this.#session = new KernelSession(requester);
  }

  /** The protocol version in use: 7, or 6 with a kernel before 4.20. */
  protocol(options?: RequestOptions): Promise<number> {
    return this.#session.protocol(options);
  }

  /**
   * The revisions of a set type that the kernel has.
   * @throws IpsetError IPSET_ERR_FIND_TYPE where it lacks the type.
   */
  revisions(
    typeName: SetTypeName,
    options: RequestOptions & Pick<CreateOptions, 'family'> = {},
  ): Promise<TypeRevisions> {
    const type = setTypeOf(typeName);
    return this.#session.revisions(type, familyOf(type, options.family), options);
  }

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
    const kernel = await this.#session.revisions(type, family, options);
    const revision = pickRevision(type, kernel, create.revision);
    const data = encodeCreateOptions(create, type, revision, family);
    const protocol = await this.#session.protocol(options);
    const message = createMessage(
      { protocol, setName: name, typeName, revision, family, data },
      options.exist ?? false,
    );
    this.#session.forget(name);
    const context = { command: IPSET_CMD.CREATE, set: name, method: type.method };
    await this.#session.acknowledge(message, context, options);
  }

  /** Destroys one set. With `exist` a missing one is no error. */
  async destroy(name: string, options: ExistOptions = {}): Promise<void> {
    checkSetName(name);
    const message = destroyMessage(await this.protocol(options), name, options.exist ?? false);
    this.#session.forget(name);
    await this.#session.acknowledge(message, { command: IPSET_CMD.DESTROY, set: name }, options);
  }

  /** Destroys every set of the network namespace; none where a rule or a list refers to one of them. */
  async destroyAllSets(options?: RequestOptions): Promise<void> {
    const message = destroyMessage(await this.protocol(options), undefined, false);
    this.#session.forget();
    await this.#session.acknowledge(message, { command: IPSET_CMD.DESTROY }, options);
  }

  /** Removes every element of one set. */
  async flush(name: string, options?: RequestOptions): Promise<void> {
    checkSetName(name);
    const message = plainMessage(IPSET_CMD.FLUSH, { protocol: await this.protocol(options), setName: name });
    await this.#session.acknowledge(message, { command: IPSET_CMD.FLUSH, set: name }, options);
  }

  /** Removes every element of every set of the network namespace. */
  async flushAllSets(options?: RequestOptions): Promise<void> {
    const message = plainMessage(IPSET_CMD.FLUSH, { protocol: await this.protocol(options) });
    await this.#session.acknowledge(message, { command: IPSET_CMD.FLUSH }, options);
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
    const message = twoNamesMessage(command, { protocol: await this.protocol(options), setName, setName2 });
    this.#session.forget(setName);
    this.#session.forget(setName2);
    await this.#session.acknowledge(message, { command, set: `${setName}, ${setName2}` }, options);
  }

  /** The names of all sets. */
  async names(options?: RequestOptions): Promise<string[]> {
    const message = listMessage(IPSET_CMD.LIST, await this.protocol(options), undefined, 'names');
    const names: string[] = [];
    const replies = this.#session.dump(message, readReply, { command: IPSET_CMD.LIST }, options);
    for await (const { setName } of replies) if (setName !== undefined) names.push(setName);
    return names;
  }

  /** The headers of all sets, without their elements. */
  async headers(options?: RequestOptions): Promise<SetHeader[]> {
    const headers: SetHeader[] = [];
    for await (const { header } of this.#parts(IPSET_CMD.LIST, undefined, 'headers', options)) {
      headers.push(header);
    }
    return headers;
  }

  /** The header of one set, without its elements. */
  async header(name: string, options?: RequestOptions): Promise<SetHeader> {
    for await (const { header } of this.#parts(IPSET_CMD.LIST, name, 'headers', options)) return header;
    throw new EncodeError(`the kernel listed nothing for set ${name}`, 'setName');
  }

  /** A set's type, revision and family: the least that is needed to write its elements. */
  async shape(name: string, options?: RequestOptions): Promise<SetShape> {
    checkSetName(name);
    return this.#session.learn(name, options);
  }

  /**
   * The sets, or one set, each with all of its elements. Not a snapshot: elements may come and go
   * meanwhile. Lists come behind the sets that they hold.
   */
  list(name?: string, options?: RequestOptions): AsyncGenerator<SetListing, void, undefined> {
    return listSets(this.listParts(name, options));
  }

  /**
   * The same as the kernel delivers it, so that memory does not grow with the set: at least one part a
   * set, each with the set's header and at most 32 KiB of elements.
   */
  listParts(name?: string, options?: RequestOptions): AsyncGenerator<ListingPart, void, undefined> {
    return this.#parts(IPSET_CMD.LIST, name, 'elements', options);
  }

  /** The elements of one set, one by one. */
  async *elements(name: string, options?: RequestOptions): AsyncGenerator<Element, void, undefined> {
    for await (const part of this.listParts(name, options)) yield* part.elements;
  }

  /** What `restore` takes: the sets, or one set, by the kernel's SAVE. */
  save(name?: string, options?: RequestOptions): AsyncGenerator<SetListing, void, undefined> {
    return listSets(this.#parts(IPSET_CMD.SAVE, name, 'elements', options));
  }

  async *#parts(
    command: typeof IPSET_CMD.LIST | typeof IPSET_CMD.SAVE,
    name: string | undefined,
    scope: ListScope,
    options?: RequestOptions,
  ): AsyncGenerator<ListingPart, void, undefined> {
    if (name !== undefined) checkSetName(name);
    const message = listMessage(command, await this.protocol(options), name, scope);
    yield* listParts(this.#session.dump(message, decodeListing, { command, set: name }, options));
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
      await this.#session.acknowledge(message, about, options);
    };
    return this.#session.withSet(name, work, options);
  }

  /**
   * Whether an element is in the set. Of nets a host is looked up in all that hold it, and a network of
   * its own prefix length only. Expired elements are not in the set.
   */
  test(name: string, element: Element, options?: RequestOptions): Promise<boolean> {
    const work = async (set: SetShape, protocol: number) => {
      const data = encodeElement(element, set, 'test');
      const message = elementMessage(IPSET_CMD.TEST, { protocol, setName: name, data }, false);
      return this.#session.confirming(set, protocol, () => this.#isFound(set, message, options), options);
    };
    return this.#session.withSet(name, work, options);
  }

  async #isFound(set: SetShape, message: Uint8Array, options?: RequestOptions): Promise<boolean> {
    const context = { command: IPSET_CMD.TEST, set: set.name, method: set.type.method };
    try {
      await this.#session.acknowledge(message, context, options);
      return true;
    } catch (error) {
      if (error instanceof IpsetError && error.errno === IPSET_ERR.EXIST) return false;
      throw error;
    }
  }

  /**
   * A tester for many raw keys of one set (see TestTemplate for their layout): the way to ask often.
   * @throws EncodeError for list:set, and for hash:net,iface without `iface`.
   */
  async tester(name: string, options: TestTemplateOptions & RequestOptions = {}): Promise<MembershipTester> {
    const set = await this.shape(name, options);
    const protocol = await this.protocol(options);
    return new MembershipTester(this.#session, testTemplate(set, protocol, options));
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
    const target = { command, set, protocol: await this.protocol(options), exist: options.exist ?? false };
    return runBatch(this.#requester, target, elements, options);
  }

  /** The kernel's number of a set. @throws EncodeError with protocol 6, which has no such numbers. */
  async indexOf(name: string, options?: RequestOptions): Promise<number> {
    checkSetName(name);
    const protocol = await this.#protocol7(options);
    const message = plainMessage(IPSET_CMD.GET_BYNAME, { protocol, setName: name });
    const context = { command: IPSET_CMD.GET_BYNAME, set: name };
    const [reply] = await this.#session.query(message, readReply, context, options);
    return reply!.index!;
  }

  /**
   * The name of the set with this number, or undefined where there is none.
   * @throws EncodeError with protocol 6, which has no such numbers.
   */
  async nameOf(index: number, options?: RequestOptions): Promise<string | undefined> {
    const message = plainMessage(IPSET_CMD.GET_BYINDEX, { protocol: await this.#protocol7(options), index });
    const [reply] = await this.#session.query(
      message,
      readReply,
      { command: IPSET_CMD.GET_BYINDEX },
      options,
    );
    return reply?.setName;
  }

  async #protocol7(options?: RequestOptions): Promise<number> {
    const protocol = await this.protocol(options);
    if (protocol >= 7) return protocol;
    throw new EncodeError(
      'numbers of sets need ipset protocol 7 (Linux 4.20), this kernel speaks 6',
      'protocol',
    );
  }

  /** Closes the conversation. */
  close(): Promise<void> {
    return this.#requester.close();
  }
}

function readReply(bytes: Uint8Array, start: number, end: number) {
  return setReply.decode(bytes, start + ATTRIBUTES_AT, end);
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
