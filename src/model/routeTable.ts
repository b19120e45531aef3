import { writeU16host, writeU32host } from '../nfnetlink/bytes.ts';
import { AF, encodePayload, MESSAGE_HEADER, NLM_F } from '../nfnetlink/index.ts';
import { type Address, address, type Route, RTM, RTNLGRP, route } from '../rtnetlink/index.ts';

/** The addresses and routes of the model, as rtnetlink tells them. */
export class RouteTable {
  readonly addresses: Address[] = [];
  readonly routes: Route[] = [];
  /** Hears the event of every change. */
  onEvent: (group: number, message: Uint8Array) => void = () => {};

  addAddress(added: Address): void {
    this.addresses.push(added);
    const group = added.family === AF.INET6 ? RTNLGRP.IPV6_IFADDR : RTNLGRP.IPV4_IFADDR;
    this.onEvent(group, messageOf(RTM.NEWADDR, 0, encodePayload(address, added)));
  }

  removeAddress(removed: Address): void {
    const index = this.addresses.indexOf(removed);
    if (index === -1) return;
    this.addresses.splice(index, 1);
    const group = removed.family === AF.INET6 ? RTNLGRP.IPV6_IFADDR : RTNLGRP.IPV4_IFADDR;
    this.onEvent(group, messageOf(RTM.DELADDR, 0, encodePayload(address, removed)));
  }

  /** The messages of a dump of one type; undefined where the model has no such table. */
  list(type: number, family: number): Uint8Array[] | undefined {
    const isOf = (each: { readonly family: number }) => family === AF.UNSPEC || each.family === family;
    if (type === RTM.GETADDR)
      return this.addresses
        .filter(isOf)
        .map((each) => messageOf(RTM.NEWADDR, NLM_F.MULTI, encodePayload(address, each)));
    if (type === RTM.GETROUTE)
      return this.routes
        .filter(isOf)
        .map((each) => messageOf(RTM.NEWROUTE, NLM_F.MULTI, encodePayload(route, each)));
    return undefined;
  }
}

function messageOf(type: number, flags: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(MESSAGE_HEADER + payload.length);
  writeU32host(bytes, 0, bytes.length);
  writeU16host(bytes, 4, type);
  writeU16host(bytes, 6, flags);
  bytes.set(payload, MESSAGE_HEADER);
  return bytes;
}
