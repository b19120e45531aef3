import { DecodeError } from '../nfnetlink/index.ts';
import type { SetReply } from './attributes.ts';
import { type CreateOptions, decodeCreateOptions, type Family, familyName } from './create.ts';
import type { SetShape } from './element.ts';
import { findSetType, type SetType, type SetTypeName } from './setType.ts';

/** What a listing tells of a set beside its elements. */
export interface SetHeader {
  readonly name: string;
  readonly type: SetTypeName;
  readonly revision: number;
  /** Undefined for types without addresses. */
  readonly family: Family | undefined;
  /** The kernel's number of the set; undefined with protocol 6. */
  readonly index: number | undefined;
  /** What CREATE would be given to make the set again, in its present size. */
  readonly options: CreateOptions;
  /** Firewall rules and lists that refer to the set. */
  readonly references: number;
  /** Bytes of kernel memory. */
  readonly memorySize: number;
  /** Elements, with expired ones that the kernel has not collected yet. */
  readonly elementCount: number;
}

/**
 * The type of a set as the kernel names it.
 * @throws DecodeError where this library does not know the type.
 */
export function decodeType(reply: SetReply, offset: number): SetType {
  const type = reply.typeName === undefined ? undefined : findSetType(reply.typeName);
  if (type) return type;
  throw new DecodeError(
    `set ${reply.setName} has the type ${reply.typeName}, which this library does not know`,
    offset,
    'IPSET_ATTR_TYPENAME',
  );
}

/** Name, type, revision and family, as HEADER tells them. */
export function decodeShape(reply: SetReply, offset: number): SetShape {
  return {
    name: reply.setName ?? '',
    type: decodeType(reply, offset),
    revision: reply.revision ?? 0,
    family: reply.family ?? 0,
  };
}

/** Whether elements of both sets are written alike. */
export function sameShape(a: SetShape, b: SetShape): boolean {
  return a.type === b.type && a.family === b.family && a.revision === b.revision;
}

/** The header of a set, from the first message of its listing. */
export function decodeHeader(reply: SetReply, offset: number): SetHeader {
  const { name, type, revision, family } = decodeShape(reply, offset);
  const data = reply.data ?? {};
  return {
    name,
    type: type.name,
    revision,
    family: familyName(family),
    index: reply.index,
    options: decodeCreateOptions(data, type, family),
    references: data.references ?? 0,
    memorySize: data.memorySize ?? 0,
    elementCount: data.elements ?? 0,
  };
}
