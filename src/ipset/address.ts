import {
  attr,
  attrs,
  type Codec,
  DecodeError,
  EncodeError,
  ipv4,
  ipv6,
  mapped,
  netByteOrder,
} from '../nfnetlink/index.ts';
import { IPSET_ATTR_IPADDR } from './constants.ts';

/** The text of an address, or its bytes in network order, which are written faster. */
export type Address = string | Uint8Array;

/** Takes bytes of this length as they are; reads text. */
function orBytes(codec: Codec<string>, size: number): Codec<Address> {
  return {
    ...codec,
    byteLength(value) {
      if (typeof value === 'string') return codec.byteLength(value);
      if (value.length !== size) throw new EncodeError(`${value.length} bytes where ${size} are needed`);
      return size;
    },
    encode(value, target, offset) {
      if (typeof value === 'string') codec.encode(value, target, offset);
      else target.set(value, offset);
    },
  };
}

const row4 = attr(IPSET_ATTR_IPADDR.IPV4, orBytes(ipv4, 4));
const row6 = attr(IPSET_ATTR_IPADDR.IPV6, orBytes(ipv6, 16));

const requested = attrs('IPSET_ATTR_IPADDR', IPSET_ATTR_IPADDR, {
  ipv4: netByteOrder(row4),
  ipv6: netByteOrder(row6),
});

const listed = attrs('IPSET_ATTR_IPADDR', IPSET_ATTR_IPADDR, { ipv4: row4, ipv6: row6 });

/** The nest around an address, seen as the address. */
function unwrapped(nest: typeof listed): Codec<Address> {
  return mapped(nest, {
    decode(wire, offset) {
      const address = wire.ipv4 ?? wire.ipv6;
      if (address === undefined) throw new DecodeError('no address in the nest', offset);
      return address;
    },
    encode(address) {
      if (typeof address !== 'string' && !(address instanceof Uint8Array)) {
        throw new EncodeError(`${String(address)} is not an address`);
      }
      const is6 = typeof address === 'string' ? address.includes(':') : address.length === 16;
      return is6 ? { ipv6: address } : { ipv4: address };
    },
  });
}

/**
 * An address as requests carry it: the kernel refuses one without NLA_F_NET_BYTEORDER
 * (ip_set_get_ipaddr4() in net/netfilter/ipset/ip_set_core.c).
 */
export const requestedAddress = unwrapped(requested);

/** An address as the kernel's listings carry it: text, without that flag (nla_put_ipaddr4()). */
export const listedAddress = unwrapped(listed) as Codec<string>;
