import { DecodeError, EncodeError, type Requester, type RequestOptions } from '../nfnetlink/index.ts';
import { IPSET_CMD, IPSET_ERR } from './constants.ts';
import { type CreateOptions, familyOf } from './create.ts';
import { type Element, encodeElement, type SetShape } from './element.ts';
import { IpsetError } from './errors.ts';
import type { SetHeader } from './header.ts';
import { KernelSession, readReply, type TypeRevisions } from './kernelSession.ts';
import { decodeListing, type ListingPart, listParts, listSets, type SetListing } from './listing.ts';
import { MembershipTester } from './membership.ts';
import { elementMessage, type ListScope, listMessage, plainMessage } from './messages.ts';
import { checkSetName } from './setName.ts';
import { type SetTypeName, setTypeOf } from './setType.ts';
import { type TestTemplateOptions, testTemplate } from './testTemplate.ts';

/**
 * The half of ipset that changes nothing: which sets there are, what they hold, and whether it holds
 * something.
 *
 * Every method throws IpsetError where the kernel refuses, EncodeError where a name, option or element
 * cannot be what the set needs (nothing was sent), and TransportError, TimeoutError, OverrunError,
 * ClosedError or the signal's reason where nothing is known of what the kernel did.
 */
export class IpsetReader {
  /** What the conversation has learned of the kernel. */
  protected readonly session: KernelSession;

  constructor(requester: Requester) {
    this.session = new KernelSession(requester);
  }

  /** The protocol version in use: 7, or 6 with a kernel before 4.20. */
  protocol(): Promise<number> {
    return this.session.protocol();
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
    return this.session.revisions(type, familyOf(type, options.family), options);
  }

  /** The names of all sets. */
  async names(options?: RequestOptions): Promise<string[]> {
    const message = listMessage(IPSET_CMD.LIST, await this.session.protocol(), undefined, 'names');
    const names: string[] = [];
    const replies = this.session.dump(message, readReply, { command: IPSET_CMD.LIST }, options);
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
    throw new DecodeError(`the listing of set ${name} holds no header`, 0);
  }

  /** A set's type, revision and family: the least that is needed to write its elements. */
  async shape(name: string, options?: RequestOptions): Promise<SetShape> {
    checkSetName(name);
    return this.session.learn(name, options);
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
    const message = listMessage(command, await this.session.protocol(), name, scope);
    yield* listParts(this.session.dump(message, decodeListing, { command, set: name }, options));
  }

  /**
   * Whether an element is in the set. Of nets a host is looked up in all that hold it, and a network of
   * its own prefix length only. Expired elements are not in the set.
   */
  test(name: string, element: Element, options?: RequestOptions): Promise<boolean> {
    const work = async (set: SetShape, protocol: number) => {
      const data = encodeElement(element, set, 'test');
      const message = elementMessage(IPSET_CMD.TEST, { protocol, setName: name, data }, false);
      return this.session.confirming(set, protocol, () => this.#isFound(set, message, options), options);
    };
    return this.session.withSet(name, work, options);
  }

  async #isFound(set: SetShape, message: Uint8Array, options?: RequestOptions): Promise<boolean> {
    const context = { command: IPSET_CMD.TEST, set: set.name, method: set.type.method };
    try {
      await this.session.acknowledge(message, context, options);
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
    const protocol = await this.session.protocol();
    return new MembershipTester(this.session, testTemplate(set, protocol, options));
  }

  /** The kernel's number of a set. @throws EncodeError with protocol 6, which has no such numbers. */
  async indexOf(name: string, options?: RequestOptions): Promise<number> {
    checkSetName(name);
    const protocol = await this.#protocol7();
    const message = plainMessage(IPSET_CMD.GET_BYNAME, { protocol, setName: name });
    const context = { command: IPSET_CMD.GET_BYNAME, set: name };
    const reply = await this.session.query(message, readReply, context, options);
    return reply.index!;
  }

  /**
   * The name of the set with this number, or undefined where there is none.
   * @throws EncodeError with protocol 6, which has no such numbers.
   */
  async nameOf(index: number, options?: RequestOptions): Promise<string | undefined> {
    const message = plainMessage(IPSET_CMD.GET_BYINDEX, { protocol: await this.#protocol7(), index });
    try {
      const context = { command: IPSET_CMD.GET_BYINDEX };
      return (await this.session.query(message, readReply, context, options)).setName;
    } catch (error) {
      if (error instanceof IpsetError && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #protocol7(): Promise<number> {
    const protocol = await this.session.protocol();
    if (protocol >= 7) return protocol;
    throw new EncodeError(
      'numbers of sets need ipset protocol 7 (Linux 4.20), this kernel speaks 6',
      'protocol',
    );
  }

  /** Closes the conversation. */
  close(): Promise<void> {
    return this.session.requester.close();
  }
}
