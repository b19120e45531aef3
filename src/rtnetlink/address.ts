import { attr, attrs, bytes, type Codec, text, u8, u32host, type ValueOf } from '../nfnetlink/index.ts';
import { IFA } from './constants.ts';
import { payload, struct } from './payload.ts';

/** struct ifaddrmsg; eight bytes. */
export const addressHeader = struct({
  family: u8,
  prefixLength: u8,
  /** The low eight bits of IFA_F. */
  shortFlags: u8,
  scope: u8,
  /** Of the link. */
  index: u32host,
});

// in the order of inet_fill_ifaddr()
export const addressAttributes = attrs('IFA', IFA, {
  /** The peer's address on a point-to-point link, else the own one. */
  address: attr(IFA.ADDRESS, bytes()),
  /** The own address; IPv6 has it only where there is a peer. */
  local: attr(IFA.LOCAL, bytes()),
  broadcast: attr(IFA.BROADCAST, bytes()),
  label: attr(IFA.LABEL, text()),
  flags: attr(IFA.FLAGS, u32host),
  /** struct ifa_cacheinfo: lifetimes in seconds, times in hundredths; host order. */
  cacheInfo: attr(IFA.CACHEINFO, bytes(16)),
});

/**
 * An address of this machine: RTM_NEWADDR, RTM_DELADDR. Addresses are bytes, four or sixteen by family;
 * integers are in host order.
 */
export interface Address extends ValueOf<typeof addressHeader>, ValueOf<typeof addressAttributes> {}

export const address: Codec<Address> = payload(addressHeader, addressAttributes);
