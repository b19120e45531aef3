import {
  type DatagramTree,
  decodeAttributes,
  decodeTreeBy,
  MESSAGE_HEADER,
  type NestCodec,
  type OffsetListener,
  toHex,
} from '../nfnetlink/index.ts';
import { addressAttributes, addressHeader } from './address.ts';
import { RTM } from './constants.ts';
import { linkAttributes, linkHeader } from './link.ts';
import { routeAttributes, routeHeader } from './route.ts';

interface Shape {
  /** Bytes of the structure before the attributes. */
  readonly size: number;
  readonly attributes: NestCodec<unknown>;
}

const shapes: readonly (readonly [prefix: RegExp, shape: Shape])[] = [
  [/LINK$/, { size: linkHeader.size, attributes: linkAttributes }],
  [/ADDR$/, { size: addressHeader.size, attributes: addressAttributes }],
  [/ROUTE$/, { size: routeHeader.size, attributes: routeAttributes }],
];

const names = new Map<number, string>(Object.entries(RTM).map(([name, type]) => [type, name]));

/**
 * Decodes one datagram of NETLINK_ROUTE: messages about links, addresses and routes with their attributes, of which
 * some have names; others as their bytes.
 * @throws DecodeError at the first byte that does not fit the protocol.
 */
export function decodeRouteTree(datagram: Uint8Array, heard?: OffsetListener): DatagramTree {
  return decodeTreeBy(
    (source, start, end, header) => {
      const name = names.get(header.nlmsg_type);
      const shape = shapes.find(([suffix]) => name !== undefined && suffix.test(name))?.[1];
      const kind = name ? `RTM_${name}` : `message type ${header.nlmsg_type}`;
      const at = start + MESSAGE_HEADER;
      // some requests have no more than the family
      if (!shape || end - at < shape.size) return { header, kind, payload: toHex(source, at, end) };
      const attributesAt = at + shape.size;
      return {
        header,
        kind,
        payload: toHex(source, at, attributesAt),
        attrs: decodeAttributes(shape.attributes, source, attributesAt, end, heard),
      };
    },
    datagram,
    [],
    heard,
  );
}
