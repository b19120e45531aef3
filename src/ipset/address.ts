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

const requested = attrs('IPSET_ATTR_IPADDR', IPSET_ATTR_IPADDR, {
  ipv4: netByteOrder(attr(IPSET_ATTR_IPADDR.IPV4, ipv4)),
  ipv6: netByteOrder(attr(IPSET_ATTR_IPADDR.IPV6, ipv6)),
});

const listed = attrs('IPSET_ATTR_IPADDR', IPSET_ATTR_IPADDR, {
  ipv4: attr(IPSET_ATTR_IPADDR.IPV4, ipv4),
  ipv6: attr(IPSET_ATTR_IPADDR.IPV6, ipv6),
});

/** The nest around an address, seen as the address's text. */
function asText(nest: typeof requested): Codec<string> {
  return mapped(nest, {
    decode(wire, offset) {
      const address = wire.ipv4 ?? wire.ipv6;
      if (address === undefined) throw new DecodeError('no address in the nest', offset);
      return address;
    },
    encode(address) {
      if (typeof address !== 'string') throw new EncodeError(`${String(address)} is not an address`);
      return address.includes(':') ? { ipv6: address } : { ipv4: address };
    },
  });
}

/**
 * An address as requests carry it: the kernel refuses one without NLA_F_NET_BYTEORDER
 * (ip_set_get_ipaddr4() in net/netfilter/ipset/ip_set_core.c).
 */
export const requestedAddress = asText(requested);

/** An address as the kernel's listings carry it: without that flag (nla_put_ipaddr4()). */
export const listedAddress = asText(listed);
