/**
 * Names and numbers of capture files.
 * Sources: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng (the file formats); the registry of link types at
 * tcpdump.org (LINKTYPE_NETLINK); include/uapi/linux/if_arp.h (Linux 6.18).
 */

/** The first four bytes of a pcap file, as its writer's byte order reads them: by the unit of its times. */
export const PCAP_MAGIC = { MICROSECONDS: 0xa1b2c3d4, NANOSECONDS: 0xa1b23c4d } as const;

/** The byte order magic of a pcapng section. */
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

/** Types of pcapng blocks; the section header's reads the same in both byte orders. */
export const BLOCK = {
  SECTION_HEADER: 0x0a0d0d0a,
  INTERFACE_DESCRIPTION: 1,
  PACKET: 2,
  SIMPLE_PACKET: 3,
  INTERFACE_STATISTICS: 5,
  ENHANCED_PACKET: 6,
} as const;

/** Options of every pcapng block. */
export const OPT = { ENDOFOPT: 0, COMMENT: 1 } as const;
/** Options of a section header. */
export const SHB = { HARDWARE: 2, OS: 3, USERAPPL: 4 } as const;
/** Options of an interface description. */
export const IF = { NAME: 2, DESCRIPTION: 3, TSRESOL: 9, OS: 12, TSOFFSET: 14 } as const;
/** Options of an enhanced packet. */
export const EPB = { FLAGS: 2, DROPCOUNT: 4 } as const;
/** Options of an interface's statistics. */
export const ISB = { STARTTIME: 2, ENDTIME: 3, IFRECV: 4, OSDROP: 7 } as const;

/** What the packets of a file are: a cooked header and a netlink datagram. */
export const LINKTYPE = { NETLINK: 253 } as const;

/** The hardware type in a cooked header. */
export const ARPHRD = { NETLINK: 824 } as const;
