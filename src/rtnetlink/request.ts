import { MESSAGE_HEADER, NLM_F, writeU16host, writeU32host } from '../nfnetlink/index.ts';
import { addressHeader } from './address.ts';
import { RTM } from './constants.ts';
import { linkHeader } from './link.ts';
import { routeHeader } from './route.ts';

/** A request for all addresses of a family (AF), or of all families with AF.UNSPEC. */
export function encodeAddressDump(family: number): Uint8Array {
  return encodeDump(RTM.GETADDR, family, addressHeader.size);
}

/** A request for all routes of a family, in all tables but the kernel's cache. */
export function encodeRouteDump(family: number): Uint8Array {
  return encodeDump(RTM.GETROUTE, family, routeHeader.size);
}

/** A request for all links. */
export function encodeLinkDump(): Uint8Array {
  return encodeDump(RTM.GETLINK, 0, linkHeader.size);
}

/** Whole messages, nlmsghdr included; the family is the first byte of each structure. */
function encodeDump(type: number, family: number, size: number): Uint8Array {
  const bytes = new Uint8Array(MESSAGE_HEADER + size);
  writeU32host(bytes, 0, bytes.length);
  writeU16host(bytes, 4, type);
  writeU16host(bytes, 6, NLM_F.REQUEST | NLM_F.DUMP);
  bytes[MESSAGE_HEADER] = family;
  return bytes;
}
