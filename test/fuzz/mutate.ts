import { align4 } from '../../src/nfnetlink/attribute.ts';
import { readU16host, writeU16host, writeU32host } from '../../src/nfnetlink/bytes.ts';
import { NLA } from '../../src/nfnetlink/constants.ts';
import { Random } from './random.ts';

/** One way to spoil a datagram; may change it in place or return another. */
type Mutation = (bytes: Uint8Array, random: Random, corpus: readonly Uint8Array[]) => Uint8Array;

/** Where attributes begin, nests walked into; as far as the lengths make sense. */
function attributeOffsets(bytes: Uint8Array, start = 20, end = bytes.length): number[] {
  const found: number[] = [];
  for (let at = start; at + 4 <= end; ) {
    const length = readU16host(bytes, at);
    if (length < 4 || at + length > end) break;
    found.push(at);
    const isNest = (readU16host(bytes, at + 2) & NLA.F_NESTED) !== 0;
    if (isNest) found.push(...attributeOffsets(bytes, at + 4, at + length));
    at += align4(length);
  }
  return found;
}

const flipBits: Mutation = (bytes, random) => {
  for (let i = random.below(8); i >= 0 && bytes.length > 0; i--) {
    bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
  }
  return bytes;
};

const setByte: Mutation = (bytes, random) => {
  if (bytes.length > 0)
    bytes[random.below(bytes.length)] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
  return bytes;
};

const editLength: Mutation = (bytes, random) => {
  const offsets = attributeOffsets(bytes);
  if (offsets.length === 0) return bytes;
  const at = random.pick(offsets);
  const length = readU16host(bytes, at);
  const wrong = [
    0,
    3,
    4,
    5,
    length - 1,
    length + 1,
    length + 4,
    bytes.length - at,
    0xffff,
    random.below(0x10000),
  ];
  writeU16host(bytes, at, random.pick(wrong));
  return bytes;
};

const editType: Mutation = (bytes, random) => {
  const offsets = attributeOffsets(bytes);
  if (offsets.length === 0) return bytes;
  const at = random.pick(offsets) + 2;
  const type = readU16host(bytes, at);
  const wrong = [
    type ^ NLA.F_NESTED,
    type ^ NLA.F_NET_BYTEORDER,
    (type & ~NLA.TYPE_MASK) | random.below(32),
    random.below(0x10000),
  ];
  writeU16host(bytes, at, random.pick(wrong));
  return bytes;
};

const editHeader: Mutation = (bytes, random) => {
  if (bytes.length < 16) return bytes;
  const length = random.pick([0, 15, 16, 20, bytes.length - 1, bytes.length + 1, 0x7fffffff, 0xffffffff]);
  if (random.below(2) === 0) writeU32host(bytes, 0, length);
  else
    writeU16host(
      bytes,
      4,
      random.pick([1, 2, 3, 4, 16, 17, 0x100, 0x102, 0x203, 0x607, 0x609, random.below(0x10000)]),
    );
  return bytes;
};

const truncate: Mutation = (bytes, random) => bytes.slice(0, random.below(bytes.length + 1));

const splice: Mutation = (bytes, random, corpus) => {
  const other = random.pick(corpus);
  const cut = random.below(bytes.length + 1) & ~3;
  const from = random.below(other.length + 1) & ~3;
  return join(bytes.subarray(0, cut), other.subarray(from));
};

const duplicate: Mutation = (bytes, random) => {
  const offsets = attributeOffsets(bytes);
  if (offsets.length === 0) return bytes;
  const at = random.pick(offsets);
  const end = Math.min(bytes.length, at + align4(readU16host(bytes, at)));
  return join(bytes.subarray(0, end), bytes.subarray(at, end), bytes.subarray(end));
};

const remove: Mutation = (bytes, random) => {
  const at = random.below(bytes.length + 1) & ~3;
  return join(bytes.subarray(0, at), bytes.subarray(at + 4 + 4 * random.below(8)));
};

const append: Mutation = (bytes, random, corpus) => join(bytes, random.pick(corpus));

const mutations: readonly Mutation[] = [
  flipBits,
  setByte,
  editLength,
  editLength,
  editType,
  editType,
  editHeader,
  truncate,
  splice,
  duplicate,
  remove,
  append,
];

function join(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const MOST_BYTES = 4096;

/** The datagram of a seed: one of the corpus, spoiled once, or up to four times. */
export function mutated(seed: number, corpus: readonly Uint8Array[]): Uint8Array {
  const random = new Random(seed);
  let bytes: Uint8Array = random.pick(corpus).slice(0, MOST_BYTES);
  const more = random.below(3) === 0 ? random.below(4) : 0;
  for (let i = 0; i <= more; i++) bytes = random.pick(mutations)(bytes, random, corpus);
  // a wrong message length hides everything behind it, so mostly it is put right
  if (bytes.length >= 16 && random.below(4) !== 0) writeU32host(bytes, 0, bytes.length);
  return bytes;
}
