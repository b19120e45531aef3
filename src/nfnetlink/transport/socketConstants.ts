/**
 * The numbers of the socket calls, as on every architecture that Linux gives its generic values (x86,
 * arm, riscv, powerpc; not mips, parisc, sparc). uapi of Linux 6.18: asm-generic/socket.h, linux/socket.h,
 * linux/net.h, linux/netlink.h.
 */
export const AF = { NETLINK: 16 } as const;

export const SOCK = { RAW: 3, NONBLOCK: 0o4000, CLOEXEC: 0o2000000 } as const;

/** Levels of setsockopt. */
export const SOL = { SOCKET: 1, NETLINK: 270 } as const;

export const SO = { RCVBUF: 8, RCVBUFFORCE: 33 } as const;

/** Options of level SOL.NETLINK. */
export const NETLINK = { ADD_MEMBERSHIP: 1, CAP_ACK: 10, EXT_ACK: 11 } as const;

/** Flags of recvmsg. */
export const MSG = { TRUNC: 0x20, DONTWAIT: 0x40 } as const;

/** The netlink family that netfilter's subsystems share (NETLINK_NETFILTER). */
export const NETLINK_NETFILTER = 12;

/** sizeof(struct sockaddr_nl): u16 nl_family, u16 pad, u32 nl_pid, u32 nl_groups. */
export const SOCKADDR_NL_SIZE = 12;
