import {
  createRequest,
  elementRequest,
  findSetType,
  IPSET_ATTR,
  IPSET_CMD,
  IPSET_ERR,
  IPSET_FLAG,
  type ListedElementWire,
  plainRequest,
  protocolReply,
  type SetReply,
  setReply,
} from '../ipset/index.ts';
import {
  ATTRIBUTE_HEADER,
  ATTRIBUTES_AT,
  align4,
  commandOf,
  DecodeError,
  ERRNO,
  encodeRequest,
  isNest,
  messageFlags,
  messageTypeOf,
  type NestCodec,
  NFNL_SUBSYS,
  NLM_F,
  payloadEnd,
  readU16host,
  typeOf,
} from '../nfnetlink/index.ts';
import type { ScriptedRequest } from '../testing/replies.ts';
import { ModelSet } from './modelSet.ts';
import type { Outcome } from './outcome.ts';

const PROTOCOL = 7;
const PROTOCOL_MIN = 6;
/** What the messages of a listing hold, less their head. */
const FIRST_ELEMENTS = 225;
const MORE_ELEMENTS = 2025;
const BUCKET_SIZE = 12;

/** The sets of the model by name, in the order in which they were made. */
export type SetTable = Map<string, ModelSet>;

/** What the model's ipset does with a message. */
export function answerIpset(sets: SetTable, request: ScriptedRequest, now: () => number): Outcome {
  const { bytes, type } = request;
  const command = commandOf(type);
  if (command === IPSET_CMD.ADD || command === IPSET_CMD.DEL || command === IPSET_CMD.TEST)
    return { errno: element(sets, bytes, command) };
  if (command === IPSET_CMD.CREATE) return { errno: create(sets, bytes, now) };
  const { protocol, setName, flags } = plainRequest.decode(bytes, ATTRIBUTES_AT, bytes.length);
  if (protocol === undefined || protocol < PROTOCOL_MIN) return { errno: IPSET_ERR.PROTOCOL };
  if (command === IPSET_CMD.PROTOCOL) {
    const reply = { protocol: PROTOCOL, protocolMin: PROTOCOL_MIN };
    return { errno: 0, data: [encodeReply(command, protocolReply, reply)] };
  }
  const set = setName === undefined ? undefined : sets.get(setName);
  if (command === IPSET_CMD.LIST || command === IPSET_CMD.SAVE) {
    // the refusal of a listing that cannot begin comes once from the dump and once from the request
    const isAsked = (messageFlags(bytes, 0) & NLM_F.ACK) !== 0;
    if (setName !== undefined && !set) return { errno: ERRNO.ENOENT, refusals: isAsked ? 2 : 1 };
    const listed = setName === undefined ? [...sets.keys()] : [setName];
    return { errno: 0, dump: list(sets, listed, flags ?? 0) };
  }
  if (command === IPSET_CMD.TYPE) return typeReply(bytes);
  if (command === IPSET_CMD.HEADER) {
    if (!set) return { errno: ERRNO.ENOENT };
    return { errno: 0, data: [encodeReply(command, setReply, headOf(setName!, set))] };
  }
  if (command === IPSET_CMD.DESTROY || command === IPSET_CMD.FLUSH)
    return { errno: empty(sets, setName, command, (messageFlags(bytes, 0) & NLM_F.EXCL) !== 0) };
  return { errno: command === 0 ? ERRNO.EOPNOTSUPP : ERRNO.EINVAL };
}

function element(sets: SetTable, bytes: Uint8Array, command: number): number {
  const isTest = command === IPSET_CMD.TEST;
  const data = attributeOf(bytes, IPSET_ATTR.DATA);
  const asked = decoded(() => elementRequest.decode(bytes, ATTRIBUTES_AT, bytes.length));
  // a set's name that is too long is refused before anything is looked for
  if (!asked) return isTest && data.isNested ? IPSET_ERR.EXIST : IPSET_ERR.PROTOCOL;
  if (asked.protocol === undefined || asked.protocol < PROTOCOL_MIN || asked.setName === undefined)
    return IPSET_ERR.PROTOCOL;
  const set = sets.get(asked.setName);
  if (!set) return ERRNO.ENOENT;
  if (!asked.data || !data.isNested) return IPSET_ERR.PROTOCOL;
  const isStrict = hasFlags(elementRequest, bytes, ATTRIBUTES_AT, bytes.length);
  if (isTest) return isStrict && set.test(asked.data) ? 0 : IPSET_ERR.EXIST;
  if (!isStrict) return IPSET_ERR.PROTOCOL;
  const isExclusive = (messageFlags(bytes, 0) & NLM_F.EXCL) !== 0;
  if (command === IPSET_CMD.ADD) return set.add(asked.data, isExclusive);
  const errno = set.delete(asked.data);
  return errno === IPSET_ERR.EXIST && !isExclusive ? 0 : errno;
}

function create(sets: SetTable, bytes: Uint8Array, now: () => number): number {
  const asked = createRequest.decode(bytes, ATTRIBUTES_AT, bytes.length);
  const { protocol, setName, typeName, revision, family = 0, data = {} } = asked;
  if (protocol === undefined || protocol < PROTOCOL_MIN) return IPSET_ERR.PROTOCOL;
  if (setName === undefined || typeName === undefined || revision === undefined) return IPSET_ERR.PROTOCOL;
  const type = findSetType(typeName);
  if (!type || revision > type.revision) return IPSET_ERR.FIND_TYPE;
  const present = sets.get(setName);
  if (present) {
    const isSame = present.type === type && present.family === family;
    return isSame && (messageFlags(bytes, 0) & NLM_F.EXCL) === 0 ? 0 : ERRNO.EEXIST;
  }
  const { timeout, netmask, maxElements = 65_536, hashSize = 1024 } = data;
  const options = {
    ...(type.method === 'hash' && { hashSize, maxElements, bucketSize: BUCKET_SIZE, initialValue: 1 }),
    ...(netmask !== undefined && { netmask }),
    ...(timeout !== undefined && { timeout }),
  };
  sets.set(setName, new ModelSet(type, family, revision, options, now));
  return 0;
}

function typeReply(bytes: Uint8Array): Outcome {
  const { typeName = '', family = 0 } = createRequest.decode(bytes, ATTRIBUTES_AT, bytes.length);
  const type = findSetType(typeName);
  if (!type) return { errno: IPSET_ERR.FIND_TYPE };
  const reply = { protocol: PROTOCOL, typeName, family, revision: type.revision, revisionMin: 0 };
  return { errno: 0, data: [encodeReply(IPSET_CMD.TYPE, setReply, reply)] };
}

function empty(sets: SetTable, name: string | undefined, command: number, isExclusive: boolean): number {
  const isDestroy = command === IPSET_CMD.DESTROY;
  if (name !== undefined && !sets.has(name)) return isDestroy && !isExclusive ? 0 : ERRNO.ENOENT;
  for (const each of name === undefined ? [...sets.keys()] : [name]) {
    if (isDestroy) sets.delete(each);
    else sets.get(each)!.flush();
  }
  return 0;
}

/** The messages of a listing: the first of each set has its header, the others more elements. */
function list(sets: SetTable, names: readonly string[], flags: number): () => Uint8Array | undefined {
  const messages = (function* () {
    for (const name of names) {
      const set = sets.get(name);
      // it may have been destroyed since the listing began
      if (set) yield* messagesOf(sets, name, set, flags);
    }
  })();
  return () => messages.next().value ?? undefined;
}

function* messagesOf(sets: SetTable, name: string, set: ModelSet, flags: number): Generator<Uint8Array> {
  const reply = (value: SetReply) => encodeReply(IPSET_CMD.LIST, setReply, value, NLM_F.MULTI);
  const short = { protocol: PROTOCOL, setName: name };
  if ((flags & IPSET_FLAG.LIST_SETNAME) !== 0) {
    yield reply(short);
    return;
  }
  set.collect();
  const data = { ...set.options, references: 0, memorySize: 0, elements: set.size };
  const head = { ...headOf(name, set), index: [...sets.keys()].indexOf(name), data };
  if ((flags & IPSET_FLAG.LIST_HEADER) !== 0) {
    yield reply(head);
    return;
  }
  let isFirst = true;
  let elements: ListedElementWire[] = [];
  const message = () => reply({ ...(isFirst ? head : short), elements: { data: elements } });
  for (const each of set.listed()) {
    elements.push(each);
    if (elements.length < (isFirst ? FIRST_ELEMENTS : MORE_ELEMENTS)) continue;
    yield message();
    isFirst = false;
    elements = [];
  }
  if (isFirst || elements.length > 0) yield message();
}

function headOf(setName: string, { type, family, revision }: ModelSet): SetReply {
  return { protocol: PROTOCOL, setName, typeName: type.name, family, revision };
}

/** Answers carry AF.INET, whatever was asked. */
function encodeReply<T>(command: number, codec: NestCodec<T>, value: T, flags = 0): Uint8Array {
  const type = messageTypeOf(NFNL_SUBSYS.IPSET, command);
  return encodeRequest({ type, flags, family: 2 }, codec, value);
}

/** Undefined where the bytes are none: a name of more than 31 bytes, an address of three. */
function decoded<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function attributeOf(bytes: Uint8Array, type: number): { readonly isNested: boolean } {
  for (let offset = ATTRIBUTES_AT; offset < bytes.length; ) {
    const end = payloadEnd(bytes, offset, bytes.length);
    if (typeOf(bytes, offset) === type) return { isNested: (readU16host(bytes, offset + 2) & 0x8000) !== 0 };
    offset += align4(end - offset);
  }
  return { isNested: false };
}

/** Whether every known attribute has the flags that ipset insists on: NLA_F_NESTED, NLA_F_NET_BYTEORDER. */
function hasFlags(nest: NestCodec<unknown>, bytes: Uint8Array, start: number, end: number): boolean {
  for (let offset = start; offset < end; ) {
    const stop = payloadEnd(bytes, offset, end);
    const row = nest.byType[typeOf(bytes, offset)];
    if (row) {
      if ((readU16host(bytes, offset + 2) & row.flags) !== row.flags) return false;
      if (isNest(row.codec) && !hasFlags(row.codec, bytes, offset + ATTRIBUTE_HEADER, stop)) return false;
    }
    offset += align4(stop - offset);
  }
  return true;
}
