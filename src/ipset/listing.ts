import { ATTRIBUTES_AT } from '../nfnetlink/index.ts';
import { type SetReply, setReply } from './attributes.ts';
import { decodeElement, type Element } from './element.ts';
import { decodeHeader, type SetHeader } from './header.ts';

/** Some of the elements of a set, as one message of a listing holds them. */
export interface ListingPart {
  /** The set; the same object in every part of it. */
  readonly header: SetHeader;
  readonly elements: Element[];
}

/** A set with all of its elements. */
export interface SetListing extends ListingPart {}

/** One message of a listing. */
export interface ListingMessage {
  /** In the first message of a set only. */
  readonly header: SetHeader | undefined;
  readonly elements: Element[];
}

/** A MessageDecoder of LIST and SAVE. */
export function decodeListing(bytes: Uint8Array, start: number, end: number): ListingMessage {
  const reply = setReply.decode(bytes, start + ATTRIBUTES_AT, end);
  return {
    header: reply.typeName === undefined ? undefined : decodeHeader(reply, start),
    elements: decodeElements(reply),
  };
}

function decodeElements(reply: SetReply): Element[] {
  return (reply.elements?.data ?? []).map(decodeElement);
}

/** Gives every message of a listing the header of its set. */
export async function* listParts(
  messages: AsyncIterable<ListingMessage>,
): AsyncGenerator<ListingPart, void, undefined> {
  let header: SetHeader | undefined;
  for await (const message of messages) {
    header = message.header ?? header;
    if (header) yield { header, elements: message.elements };
  }
}

/** Gathers the parts of each set. */
export async function* listSets(
  parts: AsyncIterable<ListingPart>,
): AsyncGenerator<SetListing, void, undefined> {
  let current: SetListing | undefined;
  for await (const part of parts) {
    if (current && current.header === part.header) {
      for (const element of part.elements) current.elements.push(element);
    } else {
      if (current) yield current;
      current = part;
    }
  }
  if (current) yield current;
}
