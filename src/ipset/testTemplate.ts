import {
  AF,
  ATTRIBUTE_HEADER,
  ATTRIBUTES_AT,
  EncodeError,
  payloadIn,
  type Span,
} from '../nfnetlink/index.ts';
import { IPSET_ATTR, IPSET_ATTR_ADT, IPSET_ATTR_CADT, IPSET_CMD } from './constants.ts';
import { type Element, encodeElement, type SetShape } from './element.ts';
import { elementMessage } from './messages.ts';

/** What every key of a template shares. */
export interface TestTemplateOptions {
  /** The interface, for hash:net,iface: names have no fixed length. */
  readonly iface?: string;
  readonly physdev?: boolean;
  /** Asks for the exceptions instead: a key in a `nomatch` element is in the set. */
  readonly nomatch?: boolean;
  /** Whether keys of bitmap:ip,mac hold the MAC address; without, any MAC address will do. */
  readonly mac?: boolean;
}

/**
 * TEST messages for one set, made by copying bytes: the fast way to ask about raw keys.
 *
 * A key is its dimensions one after the other, without padding, in network order: an address in 4 or 16
 * bytes (of nets: a host in them), a port in 3 (u8 protocol, u16 port; ICMP: u8 type, u8 code) or for
 * bitmap:port in 2, a MAC address in 6, a mark in 4.
 */
export interface TestTemplate {
  readonly set: SetShape;
  /** The ipset protocol version of the messages. */
  readonly protocol: number;
  /** Bytes of a key. */
  readonly keyLength: number;
  /** Bytes of a message; a multiple of four. */
  readonly messageLength: number;
  /** Writes a message without its key; the sequence number is 0. */
  prepare(target: Uint8Array, offset: number): void;
  /** Writes the key at `keyOffset` of `keys` into the prepared message at `offset`. Allocates nothing. */
  fill(target: Uint8Array, offset: number, keys: Uint8Array, keyOffset: number): void;
}

interface Patch {
  readonly keyOffset: number;
  readonly messageOffset: number;
  readonly length: number;
}

/**
 * @param protocol the protocol version that the kernel speaks
 * @throws EncodeError for list:set, whose keys are names, and for hash:net,iface without an interface.
 */
export function testTemplate(
  set: SetShape,
  protocol: number,
  options: TestTemplateOptions = {},
): TestTemplate {
  if (set.type.name === 'list:set') {
    throw new EncodeError(`the members of set ${set.name} are sets: test them by name`, 'set');
  }
  const data = encodeElement(sampleOf(set, options), set, 'test');
  const message = elementMessage(IPSET_CMD.TEST, { protocol, setName: set.name, data }, false);
  const patches = patchesOf(set, options, message);
  const keyLength = patches.reduce((sum, patch) => sum + patch.length, 0);
  return {
    set,
    protocol,
    keyLength,
    messageLength: message.length,
    prepare: (target, offset) => target.set(message, offset),
    fill(target, offset, keys, keyOffset) {
      for (let p = 0; p < patches.length; p++) {
        const patch = patches[p]!;
        const to = offset + patch.messageOffset;
        const from = keyOffset + patch.keyOffset;
        for (let i = 0; i < patch.length; i++) target[to + i] = keys[from + i]!;
      }
    },
  };
}

function sampleOf(set: SetShape, options: TestTemplateOptions): Element {
  const zero = set.family === AF.INET6 ? '::' : '0.0.0.0';
  const sample: { -readonly [K in keyof Element]: Element[K] } = {};
  for (const dimension of set.type.dimensions) {
    if (dimension === 'ip' || dimension === 'net') sample[sample.ip === undefined ? 'ip' : 'ip2'] = zero;
    else if (dimension === 'mark') sample.mark = 0;
    else if (dimension === 'iface') {
      if (options.iface !== undefined) sample.iface = options.iface;
      if (options.physdev) sample.physdev = true;
    } else if (dimension === 'mac') {
      if (hasMac(set, options)) sample.mac = '00:00:00:00:00:00';
    } else if (dimension === 'port') {
      sample.port = 0;
      if (set.type.name !== 'bitmap:port') sample.protocol = 1;
    }
  }
  if (options.nomatch) sample.nomatch = true;
  return sample;
}

function hasMac(set: SetShape, options: TestTemplateOptions): boolean {
  return set.type.method === 'hash' || options.mac === true;
}

/** Where each part of the key stands in a key and in the message. */
function patchesOf(set: SetShape, options: TestTemplateOptions, message: Uint8Array): Patch[] {
  const data = attributeIn(message, { start: ATTRIBUTES_AT, end: message.length }, IPSET_ATTR.DATA);
  const inData = (type: number) => attributeIn(message, data, type);
  const patches: Patch[] = [];
  let keyOffset = 0;
  const take = (messageOffset: number, length: number) => {
    patches.push({ keyOffset, messageOffset, length });
    keyOffset += length;
  };
  let addressType: number = IPSET_ATTR_CADT.IP;
  for (const dimension of set.type.dimensions) {
    if (dimension === 'ip' || dimension === 'net') {
      const size = set.family === AF.INET6 ? 16 : 4;
      take(inData(addressType).start + ATTRIBUTE_HEADER, size);
      addressType = IPSET_ATTR_ADT.IP2;
    } else if (dimension === 'port') {
      if (set.type.name !== 'bitmap:port') take(inData(IPSET_ATTR_CADT.PROTO).start, 1);
      take(inData(IPSET_ATTR_CADT.PORT).start, 2);
    } else if (dimension === 'mac') {
      if (hasMac(set, options)) take(inData(IPSET_ATTR_ADT.ETHER).start, 6);
    } else if (dimension === 'mark') {
      take(inData(IPSET_ATTR_CADT.MARK).start, 4);
    }
  }
  return patches;
}

/** The payload of the attribute of this number, which is there. */
function attributeIn(message: Uint8Array, nest: Span, type: number): Span {
  const found = payloadIn(message, nest, type);
  if (!found) throw new TypeError(`the sample has no attribute ${type}`);
  return found;
}
